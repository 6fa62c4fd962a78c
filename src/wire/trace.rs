//! Which trace a request belongs to: the `traceparent` of W3C Trace Context, as it stands in `_meta` (MCP 2026-07-28,
//! basic, OpenTelemetry trace context) and in the header of that name.

use crate::wire::hex::hex;

/// The key of `_meta`, and the header.
pub const TRACEPARENT: &str = "traceparent";

/// A place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: [u8; 16],
    /// The span in it.
    pub span: [u8; 8],
    /// Whether somebody records it.
    pub sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent`; `None` where it is none (W3C Trace Context, section 3.2).
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let version = one_of::<1>(parts.next()?)?[0];
        let trace = one_of::<16>(parts.next()?)?;
        let span = one_of::<8>(parts.next()?)?;
        let flags = one_of::<1>(parts.next()?)?[0];
        // Later versions may have more behind that, this one has not.
        let well = match version {
            0xff => false,
            0 => parts.next().is_none(),
            _ => true,
        };
        let context = Self {
            trace,
            span,
            sampled: flags & 1 == 1,
        };
        (well && trace != [0; 16] && span != [0; 8]).then_some(context)
    }
}

impl std::fmt::Display for TraceContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let flags = if self.sampled { "01" } else { "00" };
        write!(f, "00-{}-{}-{flags}", hex(&self.trace), hex(&self.span))
    }
}

/// So many bytes in small hexadecimal digits, and nothing else.
fn one_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (at, pair) in digits.chunks_exact(2).enumerate() {
        bytes[at] = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<bool>) {
        let read = TraceContext::parse(text);
        assert_eq!(read.map(|context| context.sampled), expect, "{text}");
        if let Some(context) = read.filter(|_| text.starts_with("00")) {
            assert_eq!(context.to_string()[..53], text[..53]);
        }
    }

    #[test]
    fn only_what_the_recommendation_allows_is_read() {
        let ids = "0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7";
        check(&format!("00-{ids}-01"), Some(true));
        check(&format!("00-{ids}-00"), Some(false));
        check(&format!("00-{ids}-03"), Some(true));
        check(&format!("00-{ids}-01-more"), None);
        check(&format!("cc-{ids}-01-more"), Some(true));
        check(&format!("ff-{ids}-01"), None);
        check(&format!("00-{}-01", ids.to_uppercase()), None);
        check(
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            None,
        );
        check(
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            None,
        );
        check("00-é", None);
        check("", None);
    }
}
