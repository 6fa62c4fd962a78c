//! Waiting for objects to become as they should: a list, then a watch from there on. A watch that is too old (410) begins
//! with a list again.

mod lines;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use kube::api::{ListParams, WatchParams};
use kube::core::{Request, WatchEvent};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

use crate::builtin::kubernetes::cluster::Cluster;
use crate::builtin::kubernetes::listing::{Kind, MAX_PAGES};
use crate::builtin::kubernetes::refusal::{Deed, Refusal};
use crate::builtin::kubernetes::watch::lines::Lines;

/// The longest time that a tool waits.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(300);

/// How often in a row a watch may fail.
const MAX_FAILURES: u32 = 5;

/// How long it is waited after the second failure in a row, and longer after each further one.
const PAUSE: Duration = Duration::from_millis(500);

/// What came of waiting.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Waited {
    done: bool,
    said: String,
    seconds: f64,
}

impl Waited {
    pub(super) fn words(&self) -> String {
        let (said, seconds) = (&self.said, self.seconds);
        match self.done {
            true => format!("After {seconds:.1} s: {said}.\n"),
            false => format!("Not done after {seconds:.1} s: {said}.\n"),
        }
    }
}

/// Objects by their uid.
pub(super) type Known<K> = BTreeMap<String, K>;

/// What a look at the objects comes to: `Break` ends the waiting, well or not, `Continue` says how far it is.
pub(super) type Verdict = ControlFlow<Result<String, String>, String>;

/// What is waited for.
pub(super) struct Wait<'a, J> {
    pub(super) cluster: &'a Cluster,
    pub(super) namespace: &'a str,
    /// Which objects are looked at.
    pub(super) query: ListParams,
    pub(super) seconds: u32,
    /// Judges them.
    pub(super) judge: J,
    /// Hears how far it is, each time that changes.
    pub(super) tell: &'a (dyn Fn(&str) + Send + Sync),
}

/// Why a watch is over.
enum Over {
    Judged(Result<String, String>),
    /// What is known is too old.
    Gone,
    /// It can go on where it ended.
    Ended,
}

impl<J> Wait<'_, J> {
    /// Waits. Fails never: what was done before stays done, so that waiting failed is said.
    pub(super) async fn run<K: Kind + Clone>(mut self) -> Waited
    where
        J: FnMut(&Known<K>) -> Verdict,
    {
        let begun = Instant::now();
        let within = Duration::from_secs(self.seconds.into()).min(MAX_WAIT);
        let mut far = "nothing was seen yet".to_owned();
        let ended = tokio::time::timeout(within, self.follow(&mut far)).await;
        let (done, said) = match ended {
            Ok(Ok(Ok(said))) => (true, said),
            Ok(Ok(Err(said))) => (false, said),
            Ok(Err(refusal)) => (
                false,
                format!("{far}; it can no longer be watched: {refusal}"),
            ),
            Err(_) => (false, format!("{far}; it goes on without being watched")),
        };
        Waited {
            done,
            said,
            seconds: begun.elapsed().as_secs_f64(),
        }
    }

    async fn follow<K: Kind + Clone>(
        &mut self,
        far: &mut String,
    ) -> Result<Result<String, String>, Refusal>
    where
        J: FnMut(&Known<K>) -> Verdict,
    {
        let mut failures = 0;
        loop {
            let mut known = Known::<K>::new();
            let mut version = self.list(&mut known).await?;
            if let Some(verdict) = self.judge(&known, far) {
                return Ok(verdict);
            }
            loop {
                let before = version.clone();
                let over = self.watch(&mut version, &mut known, far).await;
                // What has moved on does not fail in a row.
                if before != version {
                    failures = 0;
                }
                match over {
                    Ok(Over::Judged(verdict)) => return Ok(verdict),
                    Ok(Over::Ended) if before != version => continue,
                    Ok(Over::Gone | Over::Ended) => {}
                    Err(refusal) if (400..429).contains(&refusal.code) => return Err(refusal),
                    Err(refusal) if failures + 1 >= MAX_FAILURES => return Err(refusal),
                    Err(_) => {}
                }
                failures += 1;
                tokio::time::sleep(PAUSE * failures.saturating_sub(1)).await;
                break;
            }
        }
    }

    /// Lists the objects; the version from which on they can be watched.
    async fn list<K: Kind>(&self, known: &mut Known<K>) -> Result<String, Refusal> {
        let mut next = None;
        for _ in 0..MAX_PAGES {
            let page = self
                .cluster
                .page::<K>(Some(self.namespace), &self.query, next);
            let page = page.await?;
            for item in page.items {
                known.insert(uid(&item), item);
            }
            next = page.metadata.continue_.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(page.metadata.resource_version.unwrap_or_default());
            }
        }
        let resource = K::RESOURCE;
        Err(Refusal::new(format!(
            "could not list {resource}: the API server says after {MAX_PAGES} pages that there are more"
        )))
    }

    /// Follows what changes until the API server ends it.
    async fn watch<K: Kind + Clone>(
        &mut self,
        version: &mut String,
        known: &mut Known<K>,
        far: &mut String,
    ) -> Result<Over, Refusal>
    where
        J: FnMut(&Known<K>) -> Verdict,
    {
        let deed = Deed::new("watch", K::RESOURCE).within(self.namespace);
        let params = WatchParams {
            label_selector: self.query.label_selector.clone(),
            field_selector: self.query.field_selector.clone(),
            timeout: Some(self.seconds.clamp(1, 290)),
            bookmarks: true,
            ..WatchParams::default()
        };
        let request = Request::new(K::path(Some(self.namespace))).watch(&params, version);
        let mut body = match self.cluster.begin(&deed, request).await {
            Err(refusal) if refusal.is_gone() => return Ok(Over::Gone),
            body => body?,
        };
        let mut lines = Lines::default();
        loop {
            while let Some(line) = lines.next(&deed)? {
                let event: WatchEvent<K> = serde_json::from_slice(&line).map_err(|_| {
                    Refusal::new(format!("could not {deed}: an event is not understood"))
                })?;
                match event {
                    WatchEvent::Added(item) | WatchEvent::Modified(item) => {
                        at(&item, version);
                        known.insert(uid(&item), item);
                    }
                    WatchEvent::Deleted(item) => {
                        at(&item, version);
                        known.remove(&uid(&item));
                    }
                    WatchEvent::Bookmark(mark) => {
                        *version = mark.metadata.resource_version;
                        continue;
                    }
                    WatchEvent::Error(status) if status.code == 410 => return Ok(Over::Gone),
                    WatchEvent::Error(status) => {
                        return Err(self.cluster.told(&deed, status.code, *status));
                    }
                }
                if let Some(verdict) = self.judge(known, far) {
                    return Ok(Over::Judged(verdict));
                }
            }
            match self.cluster.piece(&deed, &mut body).await? {
                Some(piece) => lines.add(&piece),
                None => return Ok(Over::Ended),
            }
        }
    }

    fn judge<K>(&mut self, known: &Known<K>, far: &mut String) -> Option<Result<String, String>>
    where
        J: FnMut(&Known<K>) -> Verdict,
    {
        match (self.judge)(known) {
            ControlFlow::Break(verdict) => Some(verdict),
            ControlFlow::Continue(now) => {
                if *far != now {
                    (self.tell)(&now);
                    *far = now;
                }
                None
            }
        }
    }
}

fn uid<K: Kind>(item: &K) -> String {
    item.metadata().uid.clone().unwrap_or_default()
}

fn at<K: Kind>(item: &K, version: &mut String) {
    if let Some(now) = &item.metadata().resource_version {
        version.clone_from(now);
    }
}
