//! What all tools that change something have in common.

use crate::plugin::ToolContext;

/// The key of a call's `_meta` that asks for a dry run (`dispatch/dry_run.rs`).
const DRY_RUN: &str = "toolgate/dry_run";

/// Whether the call is to change nothing: then the cluster is only read.
pub(super) fn is_dry(context: &ToolContext) -> bool {
    let asked = context.meta().get(DRY_RUN);
    asked.is_some_and(crate::wire::json::Json::is_true)
}

/// Tells the caller how far it is, where it wants to know.
pub(super) fn teller(context: &ToolContext) -> impl Fn(&str) + Send + Sync {
    let context = context.clone();
    let count = std::sync::atomic::AtomicU32::new(0);
    move |far: &str| {
        let count = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        context.progress(count.into(), None, Some(far));
    }
}
