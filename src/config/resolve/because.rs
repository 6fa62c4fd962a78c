//! The kinds of mistakes for which a plugin is left out, each with a code that stays.

use crate::manifest::Kind;

/// Why a plugin cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// What it says of itself is wrong, or what the operator says of it.
    Manifest,
    /// It is for other versions of the gateway.
    Version,
    /// Another plugin of its kind has its id.
    Duplicate(Kind),
    /// There are as many as the operator allows.
    TooMany,
}

impl Because {
    /// A stable word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Manifest => "manifest_invalid",
            Self::Version => "version_incompatible",
            Self::Duplicate(_) => "ambiguous_plugin",
            Self::TooMany => "too_many_plugins",
        }
    }
}
