//! What one call would do, said before it is made: by tools whose calls differ in that.

use std::sync::Arc;

use crate::plugin::ToolError;
use crate::wire::json::Json;

/// What one call would do, as far as its tool says that beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weight {
    /// It looks, and changes nothing.
    Looks,
    /// It changes something, as these words say: `runs ..`.
    Changes(String),
    /// It is not going to be made, for this reason.
    Refused(ToolError),
}

/// Weighs a call by its arguments. Quick, and changes nothing.
pub(crate) type Weigh = Arc<dyn Fn(&Json) -> Weight + Send + Sync>;
