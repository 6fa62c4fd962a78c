//! Who wants to hear that a resource of an instance has changed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::json;

use crate::model::client::Hearer;
use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::method::Method;

/// The watchers of one instance's resources.
#[derive(Default)]
pub struct Updates {
    watchers: Mutex<Vec<Watcher>>,
    next: AtomicU64,
    /// Counts the updates that were told, also those of other instances that share it.
    told: Arc<AtomicU64>,
}

struct Watcher {
    number: u64,
    /// The resource's URI in the plugin.
    own: Arc<str>,
    /// The URI that the watcher knows it by, where that is another.
    listed: Option<Json>,
    hearer: Arc<dyn Hearer>,
}

/// Somebody watches a resource until this is dropped.
pub struct Watch {
    updates: Arc<Updates>,
    number: u64,
}

impl Updates {
    fn watchers(&self) -> MutexGuard<'_, Vec<Watcher>> {
        self.watchers.lock().expect("no holder of this lock panics")
    }

    /// Watchers of an instance whose updates `told` counts.
    pub fn counted(told: Arc<AtomicU64>) -> Self {
        Self {
            told,
            ..Self::default()
        }
    }

    /// From now on `hearer` is told of updates of the resource `own`, under the URI `listed` if that is another.
    pub fn watch(
        self: &Arc<Self>,
        own: Arc<str>,
        listed: Option<Json>,
        hearer: Arc<dyn Hearer>,
    ) -> Watch {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.watchers().push(Watcher {
            number,
            own,
            listed,
            hearer,
        });
        Watch {
            updates: Arc::clone(self),
            number,
        }
    }

    /// Whether anybody watches the resource `own`.
    pub fn is_watched(&self, own: &str) -> bool {
        self.watchers().iter().any(|watcher| &*watcher.own == own)
    }

    /// Tells those who watch the resource that `params` names, or one that it is a part of (MCP 2025-11-25, resources,
    /// subscriptions); how many those were.
    pub fn tell(&self, method: &Method, params: &Params) -> usize {
        let Some(uri) = params.members.string("uri") else {
            return 0;
        };
        self.told.fetch_add(1, Ordering::SeqCst);
        let mut told = 0;
        for watcher in self.watchers().iter() {
            if !is_within(&uri, &watcher.own) {
                continue;
            }
            told += 1;
            watcher.hear(&uri, method, params);
        }
        told
    }

    /// The resources that are watched, each once.
    pub fn watched(&self) -> Vec<Arc<str>> {
        let watchers = self.watchers();
        let watched: BTreeSet<_> = watchers.iter().map(|watcher| &watcher.own).collect();
        watched.into_iter().map(Arc::clone).collect()
    }

    /// Tells those who watch the resource `own` itself that it is another now: it may be, unheard.
    pub fn suspect(&self, own: &str) {
        self.told.fetch_add(1, Ordering::SeqCst);
        let params = Params::of(&json!({ "uri": own }));
        let watchers = self.watchers();
        for watcher in watchers.iter().filter(|watcher| *watcher.own == *own) {
            watcher.hear(own, &Method::ResourcesUpdated, &params);
        }
    }
}

impl Watcher {
    /// Tells it of an update of `uri`, which `params` name.
    fn hear(&self, uri: &str, method: &Method, params: &Params) {
        match &self.listed {
            Some(listed) if *uri == *self.own => {
                let mut params = params.clone();
                params.members.set("uri", listed.clone());
                self.hearer.hear(method, &params);
            }
            Some(_) | None => self.hearer.hear(method, params),
        }
    }
}

/// Whether `uri` is `watched`, or below it.
fn is_within(uri: &str, watched: &str) -> bool {
    let Some(rest) = uri.strip_prefix(watched) else {
        return false;
    };
    rest.is_empty() || watched.ends_with('/') || rest.starts_with(['/', '?', '#'])
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watchers = self.updates.watchers();
        watchers.retain(|watcher| watcher.number != self.number);
    }
}

impl std::fmt::Debug for Updates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Updates")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Hearer for Heard {
        fn hear(&self, _: &Method, params: &Params) {
            let uri = params
                .members
                .string("uri")
                .unwrap_or_default()
                .into_owned();
            self.0.lock().expect("fine").push(uri);
        }
    }

    #[test]
    fn watchers_hear_of_their_resource_and_what_is_below_it() {
        let (updates, heard) = (Arc::new(Updates::default()), Arc::new(Heard::default()));
        let listed = Some(Json::literal("\"toolgate://p/file:///a\""));
        let watch = updates.watch("file:///a".into(), listed, Arc::clone(&heard) as _);
        let tell = |uri: &str| {
            let params = Params::of(&serde_json::json!({ "uri": uri }));
            updates.tell(&Method::ResourcesUpdated, &params)
        };
        assert_eq!(
            [tell("file:///a"), tell("file:///a/b"), tell("file:///ab")],
            [1, 1, 0]
        );
        assert_eq!(
            *heard.0.lock().expect("fine"),
            ["toolgate://p/file:///a", "file:///a/b"]
        );
        drop(watch);
        assert_eq!(tell("file:///a"), 0);
    }

    #[test]
    fn who_watches_a_suspect_resource_is_told_once() {
        let (updates, heard) = (Arc::new(Updates::default()), Arc::new(Heard::default()));
        let watch = |own: &str| updates.watch(own.into(), None, Arc::clone(&heard) as _);
        let _watches = ["x:a/b", "x:a", "x:a/b"].map(watch);
        let watched = updates.watched();
        assert_eq!(watched, ["x:a".into(), Arc::from("x:a/b")]);
        watched.iter().for_each(|own| updates.suspect(own));
        assert_eq!(*heard.0.lock().expect("fine"), ["x:a", "x:a/b", "x:a/b"]);
    }
}
