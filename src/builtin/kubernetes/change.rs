//! What all tools that change something have in common.

use serde::Serialize;

use crate::builtin::kubernetes::cluster::Cluster;
use crate::plugin::{Change, ToolContext};

/// What a yes is to: this change of these very objects, in this cluster.
#[derive(Serialize)]
pub(super) struct Meant<'a, T> {
    cluster: &'a str,
    what: T,
}

impl<'a, T: Serialize> Meant<'a, T> {
    pub(super) fn new(cluster: &'a Cluster, what: T) -> Self {
        let cluster = &cluster.server;
        Self { cluster, what }
    }

    /// The change, in words for whom is asked whether it may be made.
    pub(super) fn change(&self, words: String) -> Change {
        Change::new(words).of(self)
    }
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
