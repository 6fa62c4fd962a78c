//! How much harm a tool can do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much harm a call of a tool can do, the least first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Next to none: what it does is undone without effort.
    Low,
    /// Some: people notice.
    Medium,
    /// Much: something that is needed may be lost or stop.
    High,
    /// As much as there is.
    Critical,
}

impl Risk {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}
