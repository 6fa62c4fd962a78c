//! What kind of work a tool does for an operator.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What calling a tool does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// It looks, and changes nothing.
    Diagnostic,
    /// It changes things.
    Remediation,
}

impl Category {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Diagnostic => "diagnostic",
            Self::Remediation => "remediation",
        }
    }
}
