//! The revisions of the protocol and the two eras they fall into.

/// A revision of MCP, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// 2024-11-05: stdio only here; its HTTP+SSE transport is not served.
    V2024_11_05,
    /// 2025-03-26: streamable HTTP, batches.
    V2025_03_26,
    /// 2025-06-18: no batches, the version header.
    V2025_06_18,
    /// 2025-11-25: priming events, experimental tasks.
    V2025_11_25,
    /// 2026-07-28: stateless, per-request `_meta`.
    V2026_07_28,
}

/// How a peer speaks: with a handshake and a session, or with metadata on every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// Revisions that begin with `initialize`.
    Legacy,
    /// Revisions that carry `_meta` on every request.
    Modern,
}

impl Era {
    /// One word for logs and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        }
    }
}

impl Revision {
    /// All revisions, newest first, as `supportedVersions` lists them.
    pub const ALL: [Self; 5] = [
        Self::V2026_07_28,
        Self::V2025_11_25,
        Self::V2025_06_18,
        Self::V2025_03_26,
        Self::V2024_11_05,
    ];

    /// The newest revision with a handshake, offered to an `initialize` that asks for one we do not know.
    pub const NEWEST_LEGACY: Self = Self::V2025_11_25;

    /// The newest revision of all.
    pub const NEWEST: Self = Self::V2026_07_28;

    /// The revision of that name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|revision| revision.as_str() == name)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The era it belongs to.
    pub fn era(self) -> Era {
        if self >= Self::V2026_07_28 {
            Era::Modern
        } else {
            Era::Legacy
        }
    }

    /// Whether several messages may come in one array.
    pub fn has_batches(self) -> bool {
        self <= Self::V2025_03_26
    }

    /// Whether an event stream begins with an event that has an id and no data. Clients of other revisions try to read
    /// that as a message.
    pub fn has_priming(self) -> bool {
        self == Self::V2025_11_25
    }

    /// The names of all revisions, newest first.
    pub fn names() -> Vec<&'static str> {
        Self::ALL.into_iter().map(Self::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_revision_is_found_by_its_name() {
        for revision in Revision::ALL {
            assert_eq!(Revision::of(revision.as_str()), Some(revision));
        }
        assert_eq!(Revision::of("1900-01-01"), None);
        assert_eq!(Revision::V2025_11_25.era(), Era::Legacy);
        assert_eq!(Revision::V2026_07_28.era(), Era::Modern);
    }
}
