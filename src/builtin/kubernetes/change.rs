//! What all tools that change something have in common.

use crate::plugin::ToolContext;

/// Tells the caller how far it is, where it wants to know.
pub(super) fn teller(context: &ToolContext) -> impl Fn(&str) + Send + Sync {
    let context = context.clone();
    let count = std::sync::atomic::AtomicU32::new(0);
    move |far: &str| {
        let count = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        context.progress(count.into(), None, Some(far));
    }
}
