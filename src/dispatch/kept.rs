//! Contents of resources, kept for as long as their server allowed (MCP 2026-07-28, caching): for everyone where it said
//! so, else for the principal that asked. What the plugin says to have changed is dropped, and so is all that one said
//! which was exchanged since.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::answer::Answer;
use crate::model::plugin_id::PluginId;
use crate::registry::plugin::Plugin;
use crate::registry::pool::Who;
use crate::runtime::{Listing, Request};
use crate::wire::cache::CacheHints;
use crate::wire::json::Json;
use crate::wire::list::ListKind;
use crate::wire::members::Members;
use crate::wire::message::{Outcome, Reply};
use crate::wire::method::Method;

/// The most bytes that are kept; the oldest go first.
const MAX_BYTES: usize = 32 << 20;

/// The largest result that is kept, its URI included.
const MAX_RESULT: usize = 4 << 20;

/// What a result counts for beside its text and its URI, so that many small ones are bounded as well.
const OVERHEAD: usize = 512;

/// The longest time for which anything is kept, whatever its server allows.
const MAX_TIME: Duration = Duration::from_secs(3_600);

/// What is kept.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    results: HashMap<Key, Result>,
    in_order: VecDeque<Key>,
    bytes: usize,
}

/// A resource of a plugin, and who may be given it: one principal, or everyone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    plugin: PluginId,
    uri: String,
    principal: Option<Arc<str>>,
}

#[derive(Debug)]
struct Result {
    answer: Answer,
    bytes: usize,
    until: Instant,
    /// The plugin that said it: another of that id may say something else.
    plugin: Weak<Plugin>,
    /// What the plugin listed then.
    listing: Arc<Listing>,
    /// How many updates the plugin had told of before it was asked.
    updates: u64,
}

/// A request for a resource, as far as it decides what may be kept.
pub(super) struct Wanted<'a> {
    plugin: &'a Arc<Plugin>,
    uri: String,
    principal: &'a Arc<str>,
    who: &'a Who,
    /// How many updates the plugin has told of.
    updates: u64,
}

impl<'a> Wanted<'a> {
    /// What `request` wants; `None` where its answer is not to be kept: it is another method, or a round of several.
    pub(super) fn of(
        request: &Request,
        plugin: &'a Arc<Plugin>,
        principal: &'a Arc<str>,
        who: &'a Who,
    ) -> Option<Self> {
        let params = &request.params.members;
        let one_round = params.get("inputResponses").or(params.get("requestState"));
        if request.method != Method::ResourcesRead || one_round.is_some() {
            return None;
        }
        Some(Self {
            plugin,
            uri: params.string("uri")?.into_owned(),
            principal,
            who,
            updates: plugin.pool.updates(),
        })
    }

    fn key(&self, public: bool) -> Key {
        Key {
            plugin: self.plugin.manifest.id.clone(),
            uri: self.uri.clone(),
            principal: (!public).then(|| Arc::clone(self.principal)),
        }
    }

    fn listing(&self) -> Option<Arc<Listing>> {
        let surface = self.plugin.pool.surface_for(self.who)?;
        Some(Arc::clone(surface.list(ListKind::Resources)))
    }
}

impl Kept {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// The answer that is kept, with the time for which it is still fresh.
    pub(super) fn get(&self, wanted: &Wanted<'_>) -> Option<Answer> {
        let mut shelf = self.shelf();
        if shelf.results.is_empty() {
            return None;
        }
        let listing = wanted.listing()?;
        for key in [wanted.key(true), wanted.key(false)] {
            let Some(result) = shelf.results.get(&key) else {
                continue;
            };
            match result.is_fresh(wanted, &listing) {
                true => return Some(result.aged()),
                false => shelf.forget(&key),
            }
        }
        None
    }

    /// Keeps an answer, if its server allows that.
    pub(super) fn put(&self, wanted: &Wanted<'_>, answer: &Answer) {
        let Outcome::Result(reply) = &answer.outcome else {
            return;
        };
        let is_complete = reply.result_type.as_deref() == Some("complete");
        let hints = Members::of(&reply.result).and_then(|members| CacheHints::of(&members));
        let (Some(hints), Some(listing)) = (hints.filter(|_| is_complete), wanted.listing()) else {
            return;
        };
        let bytes = reply.result.bytes().len() + wanted.uri.len() + OVERHEAD;
        if hints.ttl_ms == 0 || bytes > MAX_RESULT {
            return;
        }
        let key = wanted.key(hints.public);
        let time = Duration::from_millis(hints.ttl_ms).min(MAX_TIME);
        let result = Result {
            answer: answer.clone(),
            bytes,
            until: Instant::now() + time,
            plugin: Arc::downgrade(wanted.plugin),
            listing,
            updates: wanted.updates,
        };
        let mut shelf = self.shelf();
        shelf.forget(&key);
        shelf.bytes += bytes;
        shelf.results.insert(key.clone(), result);
        shelf.in_order.push_back(key);
        while shelf.bytes > MAX_BYTES {
            let Some(oldest) = shelf.in_order.pop_front() else {
                break;
            };
            shelf.forget(&oldest);
        }
    }
}

impl Shelf {
    fn forget(&mut self, key: &Key) {
        if let Some(result) = self.results.remove(key) {
            self.bytes -= result.bytes;
            self.in_order.retain(|known| known != key);
        }
    }
}

impl Result {
    fn is_fresh(&self, wanted: &Wanted<'_>, listing: &Arc<Listing>) -> bool {
        Instant::now() < self.until
            && self.plugin.as_ptr() == Arc::as_ptr(wanted.plugin)
            && Arc::ptr_eq(&self.listing, listing)
            && self.updates == wanted.updates
    }

    /// The answer, which may be kept for as long as is left.
    fn aged(&self) -> Answer {
        let mut answer = self.answer.clone();
        if let Outcome::Result(reply) = &self.answer.outcome
            && let Some(mut members) = Members::of(&reply.result)
        {
            let left = self.until.duration_since(Instant::now()).as_millis();
            members.set("ttlMs", Json::of(&u64::try_from(left).unwrap_or(0)));
            answer.outcome = Outcome::Result(Reply {
                result: members.to_json(),
                result_type: reply.result_type.clone(),
            });
        }
        answer
    }
}

#[cfg(test)]
mod tests;
