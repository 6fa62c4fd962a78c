//! Changes of what one client is offered.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::model::plugin_id::PluginId;
use crate::registry::catalog::Surfaces;
use crate::registry::pool::Who;
use crate::registry::{Registry, Viewer};
use crate::wire::list::Topic;

/// A client is told of changes at most this often.
const PAUSE: Duration = Duration::from_secs(1);

/// The drawer of a session that is the gateway's own.
static OURS: LazyLock<PluginId> =
    LazyLock::new(|| "toolgate".parse().expect("the name is a plugin id"));

/// What one client was last shown of each topic, by a list or by being told that it has changed.
#[derive(Default)]
pub(super) struct Seen(Mutex<[Option<Surfaces>; 3]>);

/// Waits for changes of what a client is offered, for that client.
pub struct Changes {
    pub(super) registry: Arc<Registry>,
    pub(super) viewer: Viewer,
    pub(super) counted: watch::Receiver<u64>,
    pub(super) seen: Arc<Seen>,
    /// When the client was last told of a change.
    pub(super) told: Option<Instant>,
}

impl Seen {
    /// That of a client; one without a session has none but this.
    pub(super) fn of(who: &Who) -> Arc<Self> {
        match &who.session {
            Some(session) => session.drawer(&OURS).get(),
            None => Arc::default(),
        }
    }

    /// The client is shown `offered` about `topic`.
    pub(super) fn note(&self, topic: Topic, offered: &Surfaces) {
        self.topics()[topic as usize] = Some(offered.clone());
    }

    /// Takes what is offered for shown, as far as nothing was shown before.
    pub(super) fn begin(&self, offered: &Surfaces) {
        for shown in self.topics().iter_mut() {
            shown.get_or_insert_with(|| offered.clone());
        }
    }

    fn topics(&self) -> MutexGuard<'_, [Option<Surfaces>; 3]> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl Changes {
    /// Waits until the client is to be told of changes, and says of which: at once, but at most once a second. Changes
    /// that come closer together are told as one; none is lost when the wait is given up.
    pub async fn next(&mut self) -> Vec<Topic> {
        loop {
            self.counted.mark_unchanged();
            if !self.now().1.is_empty() {
                if let Some(told) = self.told {
                    tokio::time::sleep_until(told + PAUSE).await;
                }
                let (offered, topics) = self.now();
                topics
                    .iter()
                    .for_each(|topic| self.seen.note(*topic, &offered));
                if !topics.is_empty() {
                    self.told = Some(Instant::now());
                    return topics;
                }
            }
            if self.counted.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// What is offered now, and what of that is something else than the client was shown.
    fn now(&self) -> (Surfaces, Vec<Topic>) {
        let offered = self.registry.surfaces_for(&self.viewer.who);
        let sees = |at: usize| {
            let plugin = &self.registry.plugins[at];
            self.viewer.caller.sees(&plugin.manifest.id)
        };
        let seen = self.seen.topics();
        let differs = |topic: &Topic| {
            let Some(shown) = &seen[*topic as usize] else {
                return false;
            };
            let pairs = offered.iter().zip(shown).enumerate();
            pairs
                .filter(|(at, _)| sees(*at))
                .any(|(_, pair)| match pair {
                    (Some(now), Some(then)) => !Arc::ptr_eq(now, then) && !now.shares(then, *topic),
                    // What a plugin offers is known now, and was not.
                    (Some(now), None) => topic
                        .lists()
                        .iter()
                        .any(|kind| !now.list(*kind).definitions.is_empty()),
                    (None, _) => false,
                })
        };
        let topics = Topic::ALL.into_iter().filter(differs).collect();
        (offered, topics)
    }
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Changes")
    }
}
