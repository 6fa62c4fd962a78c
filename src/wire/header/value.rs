//! The form of a value inside `Mcp-Name` and `Mcp-Param-*` headers.

use std::borrow::Cow;

use base64::prelude::{BASE64_STANDARD, Engine};
use thiserror::Error;

const PREFIX: &str = "=?base64?";
const SUFFIX: &str = "?=";

/// Why a header value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderError {
    #[error("it contains characters other than visible ASCII, space and tab")]
    Characters,
    #[error("the text between `=?base64?` and `?=` is not padded standard Base64")]
    Base64,
    #[error("the decoded Base64 text is not UTF-8")]
    Utf8,
}

/// The header form of `value`: itself where that is safe, else its Base64 form.
///
/// Safe is printable ASCII that neither starts nor ends with a space and does not look like the
/// Base64 form. So no value, whatever it holds, can end the header line. Tabs are encoded too:
/// header syntax would allow one inside a value, the conformance suite does not.
pub fn encode_value(value: &str) -> Cow<'_, str> {
    if is_plain(value) && !looks_encoded(value) {
        return Cow::Borrowed(value);
    }
    let mut encoded =
        String::with_capacity(PREFIX.len() + SUFFIX.len() + value.len().div_ceil(3) * 4);
    encoded.push_str(PREFIX);
    BASE64_STANDARD.encode_string(value, &mut encoded);
    encoded.push_str(SUFFIX);
    Cow::Owned(encoded)
}

/// The value behind its header form. Blanks around it do not belong to it (RFC 9110, section 5.5).
///
/// Only a value with both markers, written exactly so, is Base64; everything else stands for
/// itself.
pub fn decode_value(header: &str) -> Result<Cow<'_, str>, HeaderError> {
    let header = header.trim_matches([' ', '\t']);
    if !header
        .bytes()
        .all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
    {
        return Err(HeaderError::Characters);
    }
    let Some(encoded) = header
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_suffix(SUFFIX))
    else {
        return Ok(Cow::Borrowed(header));
    };
    let bytes = BASE64_STANDARD
        .decode(encoded)
        .map_err(|_| HeaderError::Base64)?;
    String::from_utf8(bytes)
        .map(Cow::Owned)
        .map_err(|_| HeaderError::Utf8)
}

fn is_plain(value: &str) -> bool {
    value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && !value.starts_with(' ')
        && !value.ends_with(' ')
}

/// Wider than what [`decode_value`] takes for Base64: the markers may overlap, as a lenient reader
/// could have it.
fn looks_encoded(value: &str) -> bool {
    value.starts_with(PREFIX) && value.ends_with(SUFFIX)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unsafe_values_are_encoded() {
        let table = [
            ("us-west1", "us-west1"),
            ("", ""),
            ("us west 1", "us west 1"),
            ("file:///a/b?c=d", "file:///a/b?c=d"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("end ", "=?base64?ZW5kIA==?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("a\r\nX-Evil: 1", "=?base64?YQ0KWC1FdmlsOiAx?="),
            ("\tindented", "=?base64?CWluZGVudGVk?="),
            ("a\tb", "=?base64?YQli?="),
            ("\0", "=?base64?AA==?="),
            ("\x7f", "=?base64?fw==?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
            ("=?base64?=", "=?base64?PT9iYXNlNjQ/PQ==?="),
            ("=?base64?open", "=?base64?open"),
            ("=?BASE64?eA==?=", "=?BASE64?eA==?="),
        ];
        for (value, header) in table {
            assert_eq!(encode_value(value), header, "{value:?}");
            assert_eq!(decode_value(header).as_deref(), Ok(value), "{header:?}");
        }
    }

    #[test]
    fn header_values_are_read_strictly() {
        let table = [
            ("  get_weather\t ", Ok("get_weather")),
            ("a\tb", Ok("a\tb")),
            ("=?base64?SGVsbG8=?=", Ok("Hello")),
            ("=?base64??=", Ok("")),
            ("SGVsbG8=", Ok("SGVsbG8=")),
            ("=?base64?SGVsbG8=", Ok("=?base64?SGVsbG8=")),
            ("=?base64?=", Ok("=?base64?=")),
            ("=?Base64?SGVsbG8=?=", Ok("=?Base64?SGVsbG8=?=")),
            ("=?base64?SGVsbG8?=", Err(HeaderError::Base64)),
            ("=?base64?SGVs!!!bG8=?=", Err(HeaderError::Base64)),
            ("=?base64?SGVsbG9=?=", Err(HeaderError::Base64)),
            ("=?base64?SGVs bG8=?=", Err(HeaderError::Base64)),
            ("=?base64?_-8=?=", Err(HeaderError::Base64)),
            ("=?base64?/w==?=", Err(HeaderError::Utf8)),
            ("caf\u{e9}", Err(HeaderError::Characters)),
            ("a\r\nX-Evil: 1", Err(HeaderError::Characters)),
            ("a\0", Err(HeaderError::Characters)),
            ("a\x7f", Err(HeaderError::Characters)),
        ];
        for (header, expect) in table {
            assert_eq!(
                decode_value(header).as_deref(),
                expect.as_ref().copied(),
                "{header:?}"
            );
        }
    }

    #[test]
    fn plain_values_are_not_copied() {
        assert!(matches!(encode_value("get_weather"), Cow::Borrowed(_)));
        assert!(matches!(
            decode_value(" get_weather"),
            Ok(Cow::Borrowed("get_weather"))
        ));
    }

    proptest! {
        #[test]
        fn every_value_survives_the_header(value in any::<String>()) {
            let encoded = encode_value(&value);
            let header = HeaderValue::from_str(&encoded).expect("an encoded value is a legal header");
            let read = header.to_str().expect("an encoded value is ASCII");
            prop_assert_eq!(read.trim(), read);
            prop_assert_eq!(decode_value(read), Ok(Cow::from(value.as_str())));
        }

        #[test]
        fn values_like_the_base64_form_survive(value in r"(=\?)?base64\?[A-Za-z=?]{0,6}(\?=)?") {
            let encoded = encode_value(&value);
            prop_assert_eq!(decode_value(&encoded), Ok(Cow::from(value.as_str())));
        }
    }
}
