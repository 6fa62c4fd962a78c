//! The settings of the dispatcher: `[policy]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::manifest::glob::Pattern;

/// What may be called, whoever calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Hides and refuses tools that are not known to be of category `diagnostic`.
    pub read_only: bool,
    /// Checks arguments for remote servers too; for other plugins they always are.
    pub validate_remote_arguments: bool,
    /// Hides and refuses tools whose listed name fits one of these.
    pub deny: Vec<Pattern>,
}
