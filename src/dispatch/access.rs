//! What the operator's policy lets through.

use crate::dispatch::config::PolicyConfig;
use crate::manifest::expose::Category;
use crate::model::fault::{Fault, FaultKind};
use crate::registry::catalog::Entry;

/// Refuses what the policy does not allow.
pub(super) fn check(policy: &PolicyConfig, entry: &Entry) -> Result<(), Fault> {
    let name = &entry.name;
    if policy.deny.iter().any(|pattern| pattern.matches(name)) {
        return Err(denied(format!("`{name}` is refused by `policy.deny`")));
    }
    if policy.read_only && entry.category != Some(Category::Diagnostic) {
        return Err(denied(format!(
            "`{name}` is not known to be read-only, and `policy.read_only` is on"
        )));
    }
    Ok(())
}

fn denied(message: String) -> Fault {
    Fault::new(FaultKind::Denied, message)
}
