//! The settings of the dispatcher: `[policy]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::manifest::glob::Pattern;
use crate::model::risk::Risk;

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
    /// Fills in the defaults of schemas that remote servers give themselves, too; those of other plugins, and of schemas
    /// that a manifest declares, always are.
    pub fill_defaults: bool,
    /// Which calls need a person who agrees to them.
    pub approval: ApprovalPolicy,
}

/// Which calls need a person who agrees to them, beside those of tools with `requires_approval`. One rule that fits is
/// enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApprovalPolicy {
    /// Those of tools whose listed name fits one of these.
    pub tools: Vec<Pattern>,
    /// Those of tools of plugins whose id fits one of these.
    pub plugins: Vec<Pattern>,
    /// Those of callers whose principal fits one of these.
    pub principals: Vec<Pattern>,
    /// Those of tools that are known to be of this risk or more.
    pub risk: Option<Risk>,
    /// Those of tools that are not known to be of category `diagnostic`.
    pub all_remediation: bool,
    /// Callers whose principal fits one of these need none.
    pub except: Vec<Pattern>,
    /// Milliseconds that a call waits for an operator where its client cannot be asked; 0 not at all.
    #[schemars(range(max = 2_592_000_000_u64))]
    pub wait_ms: u64,
    /// Milliseconds that an approval can be given, and from then on used by one call that is the same.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub ttl_ms: u64,
    /// Whether a caller may approve its own calls over HTTP, where callers have credentials.
    pub self_approve: bool,
}

impl Default for ApprovalPolicy {
    fn default() -> Self {
        Self {
            tools: Vec::new(),
            plugins: Vec::new(),
            principals: Vec::new(),
            risk: None,
            all_remediation: false,
            except: Vec::new(),
            wait_ms: 20_000,
            ttl_ms: 900_000,
            self_approve: false,
        }
    }
}
