//! How long a result may be kept, and for whom (MCP 2026-07-28, caching).

use crate::wire::members::Members;

/// The cache hints of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheHints {
    /// For how many milliseconds it may be taken for fresh.
    pub ttl_ms: u64,
    /// Whether it may be kept for everyone, or only for who asked.
    pub public: bool,
}

impl CacheHints {
    /// The hints of `result`; `None` where it has none. A scope that is missing or not known is private.
    pub fn of(result: &Members) -> Option<Self> {
        let ttl_ms = result.get("ttlMs")?.parse().ok()?;
        let public = result.string("cacheScope").as_deref() == Some("public");
        Some(Self { ttl_ms, public })
    }

    /// What both allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            ttl_ms: self.ttl_ms.min(other.ttl_ms),
            public: self.public && other.public,
        }
    }

    /// Writes the members, each behind a comma.
    pub fn write(self, out: &mut Vec<u8>) {
        let scope = if self.public { "public" } else { "private" };
        let text = format!(r#","ttlMs":{},"cacheScope":"{scope}""#, self.ttl_ms);
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json::Json;

    fn hints(text: &'static str) -> Option<CacheHints> {
        CacheHints::of(&Members::of(&Json::literal(text)).expect("an object"))
    }

    #[test]
    fn the_least_of_two_is_what_both_allow() {
        let long = hints(r#"{"ttlMs":60000,"cacheScope":"public"}"#).expect("hints");
        let short = hints(r#"{"ttlMs":5,"cacheScope":"private"}"#).expect("hints");
        let both = long.and(short);
        assert_eq!((both.ttl_ms, both.public), (5, false));
        assert_eq!(hints(r#"{"cacheScope":"public"}"#), None);
        assert_eq!(
            hints(r#"{"ttlMs":1}"#).map(|hints| hints.public),
            Some(false)
        );
        let mut out = Vec::new();
        long.write(&mut out);
        assert_eq!(out, br#","ttlMs":60000,"cacheScope":"public""#);
    }
}
