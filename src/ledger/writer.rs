//! The one who writes: takes what waits, a batch at a time, and tries again for as long as the database does not take it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::ledger::Inner;
use crate::ledger::book::{Book, shown};
use crate::ledger::engine::StoreError;
use crate::ledger::queue::Entry;
use crate::ledger::record::{Body, Call, CallRow, DenialRow};
use crate::ledger::store::{Batch, Store};
use crate::ledger::text;

/// How long the first of a batch waits for others.
const GATHER: Duration = Duration::from_millis(50);

/// How long a batch may take.
const WRITE: Duration = Duration::from_secs(30);

/// How long the last batches may take when the gateway stops.
const LAST: Duration = Duration::from_millis(1_500);

/// How long it waits before it tries again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

impl Inner {
    /// Opens the database as soon as something is to be written, and writes until `stop` is cancelled or it is closed.
    pub(super) async fn write_all(&self, stop: &CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = self.closing.cancelled() => {}
            () = self.wanted.cancelled() => {}
            () = self.queue.some() => {}
        }
        if self.closing.is_cancelled() && self.queue.len() == 0 {
            return;
        }
        if let Some(store) = self.open(stop).await {
            self.write_to(&store, stop).await;
        }
    }

    /// Writes to an open database, which is closed in the end.
    pub(super) async fn write_to(&self, store: &Store, stop: &CancellationToken) {
        let ends = || async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.closing.cancelled() => {}
            }
        };
        loop {
            tokio::select! {
                biased;
                () = ends() => break,
                () = self.queue.some() => {}
            }
            tokio::select! {
                biased;
                () = ends() => break,
                () = self.queue.enough() => {}
                () = tokio::time::sleep(GATHER) => {}
            }
            let entries = self.queue.take();
            if !self.keep(store, entries, &ends).await {
                break;
            }
        }
        let last = async {
            while self.queue.len() > 0 {
                let entries = self.queue.take();
                let n = entries.len() as u64;
                if self.write(store, &entries).await.is_err() {
                    self.lost(n);
                    return;
                }
            }
        };
        tokio::time::timeout(LAST, last).await.ok();
        let left = self.queue.len();
        if left > 0 {
            tracing::error!(left, "The ledger could not be written to its end");
            self.queue.drop_all();
        }
        self.store.send_replace(None);
        tokio::time::timeout(LAST, store.close()).await.ok();
    }

    /// Opens the database, however often that takes.
    async fn open(&self, stop: &CancellationToken) -> Option<Arc<Store>> {
        let mut wait = RETRY.0;
        loop {
            match Store::open(&self.place, self.writer).await {
                Ok(store) => {
                    let store = Arc::new(store);
                    self.well();
                    self.store.send_replace(Some(Arc::clone(&store)));
                    return Some(store);
                }
                Err(error) => {
                    self.unwell(&error);
                    // Whoever waits for it is told.
                    self.store.send_replace(None);
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                () = self.closing.cancelled() => return None,
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(RETRY.1);
        }
    }

    /// Writes a batch, however often that takes. `false` when there is no more time for it.
    async fn keep<W: Future<Output = ()>>(
        &self,
        store: &Store,
        entries: Vec<Entry>,
        ends: impl Fn() -> W,
    ) -> bool {
        let mut wait = RETRY.0;
        loop {
            // What is under way when the gateway stops has as long as the last batches.
            let over = async {
                ends().await;
                tokio::time::sleep(LAST).await;
            };
            let written = tokio::select! {
                biased;
                written = self.write(store, &entries) => written.is_ok(),
                () = over => false,
            };
            if written {
                return true;
            }
            tokio::select! {
                biased;
                () = ends() => {
                    self.lost(entries.len() as u64);
                    return false;
                }
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(RETRY.1);
        }
    }

    async fn write(&self, store: &Store, entries: &[Entry]) -> Result<(), StoreError> {
        let write = async {
            let batch = self.batch(store, entries).await?;
            store.write(&batch).await?;
            if !batch.incidents.is_empty() {
                self.book.lock().await.written(&batch.incidents);
            }
            Ok(batch)
        };
        let late = || StoreError(format!("it did not answer within {} s", WRITE.as_secs()));
        let written = tokio::time::timeout(WRITE, write).await;
        match written.unwrap_or_else(|_| Err(late())) {
            Ok(batch) => {
                self.well();
                self.wrote(entries.len() as u64);
                for call in batch.calls {
                    // Nobody listening is no failure.
                    self.tail.send(Arc::new(call)).ok();
                }
                Ok(())
            }
            Err(error) => {
                self.unwell(&error);
                Err(error)
            }
        }
    }

    /// The rows of these entries.
    async fn batch(&self, store: &Store, entries: &[Entry]) -> Result<Batch, StoreError> {
        let mut batch = Batch::default();
        let mut denials: HashMap<DenialRow, (u64, u64)> = HashMap::new();
        let mut book = self.book.lock().await;
        for entry in entries {
            match entry {
                Entry::Call(call) => {
                    let (row, body) = self.row(call, &mut book, store, &mut batch).await?;
                    batch.calls.push(row);
                    batch.bodies.extend(body.map(|body| (call.id, body)));
                }
                Entry::Life(life) => batch.life.push(life.clone()),
                Entry::Note(note, caller) => {
                    if book.takes(note.incident, caller, store).await? {
                        batch.notes.push(note.clone());
                    }
                }
                Entry::Denial(denial) => {
                    let same = DenialRow {
                        id: 0,
                        count: 0,
                        ..denial.clone()
                    };
                    let (_, count) = denials.entry(same).or_insert((denial.id, 0));
                    *count += denial.count;
                }
            }
        }
        let denials = denials.into_iter();
        batch.denials = denials
            .map(|(row, (id, count))| DenialRow { id, count, ..row })
            .collect();
        Ok(batch)
    }

    /// The row of a call. An incident that begins with it goes into the batch.
    async fn row(
        &self,
        call: &Call,
        book: &mut Book,
        store: &Store,
        batch: &mut Batch,
    ) -> Result<(CallRow, Option<Body>), StoreError> {
        let found = book.find(call, store, &self.ids).await?;
        if found.strayed {
            self.stray(call);
        }
        batch.incidents.extend(found.new);
        let arguments = call.arguments.as_ref();
        let body = self.keeps_body(&call.subject).then(|| {
            let arguments = arguments.map(|json| self.redaction.of(json));
            let result = call
                .result
                .as_ref()
                .map(|json| self.redaction.of_result(json));
            let (arguments, redacted) = arguments.unzip();
            Body {
                arguments,
                result,
                redacted: redacted.unwrap_or(false),
            }
        });
        Ok((row(call, found.incident), body))
    }

    /// Writes a call that is about to be carried, at once.
    pub(super) async fn write_open(&self, store: &Store, call: &Call) -> Result<(), StoreError> {
        let mut book = self.book.lock().await;
        let found = book.find(call, store, &self.ids).await?;
        drop(book);
        let open = row(call, found.incident);
        store.open_call(&open, found.new.as_ref()).await?;
        if let Some(new) = &found.new {
            self.book.lock().await.written(std::slice::from_ref(new));
        }
        Ok(())
    }
}

fn row(call: &Call, incident: Option<u64>) -> CallRow {
    CallRow {
        id: call.id,
        began_ms: call.began_ms,
        principal: text::name(&call.principal),
        session: call.session.as_deref().map(|id| text::name(shown(id))),
        incident,
        method: text::name(call.method.as_str()),
        tool: text::name(&call.subject),
        plugin: call.plugin.as_ref().map(|id| id.as_str().to_owned()),
        runtime: text::maybe(call.runtime),
        era: call.era.to_owned(),
        taken_us: call.taken_us,
        outcome: call.outcome.to_owned(),
        reason: text::maybe(call.reason),
        arguments_sha256: call
            .arguments
            .as_ref()
            .map(|json| text::sha256(json.bytes())),
        dry_run: call.marks.dry_run,
        approval: text::maybe(call.marks.approval.as_deref()),
        replay_of: call.marks.replay_of,
    }
}
