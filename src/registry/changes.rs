//! Changes of what one client is offered.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::manifest::Kind;
use crate::model::plugin_id::PluginId;
use crate::registry::catalog::Offers;
use crate::registry::pool::Who;
use crate::registry::{Registry, Viewer};
use crate::runtime::Surface;
use crate::wire::list::Topic;

/// A client is told of changes at most this often.
const PAUSE: Duration = Duration::from_secs(1);

/// The drawer of a session that is the gateway's own.
static OURS: LazyLock<PluginId> =
    LazyLock::new(|| "toolgate".parse().expect("the name is a plugin id"));

/// What one client was last shown of each topic, by a list or by being told that it has changed.
#[derive(Default)]
pub(super) struct Seen(Mutex<[Option<Shown>; 3]>);

/// What was listed of each plugin.
type Shown = HashMap<Key, Listed>;

/// What is listed of one plugin.
#[derive(Clone)]
struct Listed {
    surface: Arc<Surface>,
    /// How often tools of it were switched on or off.
    switched: u64,
}

/// What tells a plugin from others, also from one to which it was changed.
type Key = (Kind, PluginId);

fn shown(offers: &Offers) -> Shown {
    let listed = offers.iter().filter_map(|offer| {
        let (kind, id) = offer.plugin.key();
        let listed = Listed {
            surface: Arc::clone(offer.listed()?),
            switched: offer.switched,
        };
        Some(((kind, id.clone()), listed))
    });
    listed.collect()
}

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

    /// The client is told of `topic`, and `offered` is what that is about.
    fn told(&self, topic: Topic, offered: &Shown) {
        self.topics()[topic as usize] = Some(offered.clone());
    }

    /// The client is shown what is `offered` about `topic`. What a plugin said to be another thing now it is told of all
    /// the same, as the plugin itself would have told it.
    pub(super) fn listed(&self, topic: Topic, offers: &Offers) {
        let mut now = shown(offers);
        let mut topics = self.topics();
        let before = topics[topic as usize].take().unwrap_or_default();
        for (key, before) in before {
            if let Some(shown) = now.get_mut(&key)
                && owes(&before.surface, &shown.surface, topic)
            {
                *shown = before;
            }
        }
        topics[topic as usize] = Some(now);
    }

    /// Takes what is offered for shown, as far as nothing was shown before.
    pub(super) fn begin(&self, offers: &Offers) {
        let now = shown(offers);
        for shown in self.topics().iter_mut() {
            shown.get_or_insert_with(|| now.clone());
        }
    }

    fn topics(&self) -> MutexGuard<'_, [Option<Shown>; 3]> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

/// Whether a plugin has said that it is now another thing that it offers about `topic`.
fn owes(before: &Surface, now: &Surface, topic: Topic) -> bool {
    topic.lists().iter().any(|kind| {
        let (before, now) = (before.list(*kind), now.list(*kind));
        now.announced.0 && !Arc::ptr_eq(before, now)
    })
}

impl Listed {
    fn differs(&self, then: &Self, topic: Topic) -> bool {
        let is_other = !Arc::ptr_eq(&self.surface, &then.surface)
            && !self.surface.shares(&then.surface, topic);
        is_other || (topic == Topic::Tools && self.switched != then.switched)
    }
}

impl Changes {
    /// Waits until the client is to be told of changes, and says of which: at once, but at most once a second. Changes
    /// that come closer together are told as one; none is lost when the wait is given up.
    pub async fn next(&mut self) -> Vec<Topic> {
        loop {
            self.counted.mark_unchanged();
            if !self.registry.is_held() && !self.now().1.is_empty() {
                if let Some(told) = self.told {
                    tokio::time::sleep_until(told + PAUSE).await;
                }
                let (offered, topics) = self.now();
                topics
                    .iter()
                    .for_each(|topic| self.seen.told(*topic, &offered));
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
    fn now(&self) -> (Shown, Vec<Topic>) {
        let offered = shown(&self.registry.offers_to(&self.viewer.who));
        let seen = self.seen.topics();
        let sees = |(key, _): &(&Key, &Listed)| self.viewer.caller.sees(&key.1);
        let differs = |topic: &Topic| {
            let Some(shown) = &seen[*topic as usize] else {
                return false;
            };
            let came = offered
                .iter()
                .filter(sees)
                .any(|(key, now)| match shown.get(key) {
                    Some(then) => now.differs(then, *topic),
                    None => !now.surface.is_empty(*topic),
                });
            let mut gone = shown.iter().filter(sees);
            came || gone
                .any(|(key, then)| !offered.contains_key(key) && !then.surface.is_empty(*topic))
        };
        let topics = Topic::ALL.into_iter().filter(differs).collect();
        drop(seen);
        (offered, topics)
    }
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Changes")
    }
}
