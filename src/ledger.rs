//! What is remembered beyond the life of the process: every call, every denied access, what happened to plugins, and
//! documents.
//!
//! Whoever records something hands it over and goes on: it waits in a bounded queue until one task has written it, with
//! others, in one transaction. A call that changes things is different: it is written before it is carried
//! ([`Ledger::admit`]), and closed like the others.

pub mod config;

pub mod documents;

pub mod ids;

pub mod record;

mod book;

mod cleaning;

mod engine;

mod handle;

mod postgres;

mod queue;

mod redact;

mod schema;

mod sqlite;

mod store;

mod text;

mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use globset::{Glob, GlobSet, GlobSetBuilder};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::ledger::book::Book;
use crate::ledger::config::{LedgerConfig, Place};
use crate::ledger::engine::StoreError;
use crate::ledger::ids::Ids;
use crate::ledger::queue::{Entry, Queue};
use crate::ledger::record::{Call, CallRow, DenialRow, LifeRow, NoteRow};
use crate::ledger::redact::Redaction;
use crate::ledger::store::Store;

pub use crate::ledger::handle::Status;
pub use crate::ledger::store::incidents::IncidentFilter;

/// How many calls are kept for one who watches and is slow.
const TAIL: usize = 1_024;

/// The ledger. Clones are the same one. It is made without waiting; its database is opened when it is first needed.
#[derive(Clone)]
pub struct Ledger(Option<Arc<Inner>>);

struct Inner {
    config: LedgerConfig,
    place: Place,
    bodies: GlobSet,
    redaction: Redaction,
    ids: Ids,
    /// The number of this gateway among those that share the database.
    writer: u64,
    queue: Queue,
    book: tokio::sync::Mutex<Book>,
    /// The database, while it is open.
    store: watch::Sender<Option<Arc<Store>>>,
    tail: broadcast::Sender<Arc<CallRow>>,
    /// Cancelled when the database is to be opened.
    wanted: CancellationToken,
    /// Cancelled when all that waits is to be written, and nothing more.
    closing: CancellationToken,
    closed: CancellationToken,
    is_well: AtomicBool,
    trouble: Mutex<Option<Arc<str>>>,
    written: AtomicU64,
    lost: AtomicU64,
    refused: AtomicU64,
    strayed: AtomicU64,
}

impl Ledger {
    /// A ledger that records nothing and keeps documents for as long as the process lives.
    pub fn off() -> Self {
        Self(None)
    }

    /// A ledger of this configuration; `state` is the directory for state. [`Ledger::run`] does its work.
    pub fn new(config: &LedgerConfig, state: Option<&Path>) -> Self {
        let place = config.place(state).unwrap_or(Place::Off);
        if place == Place::Off {
            return Self::off();
        }
        if place == Place::Memory && config.url.is_none() {
            tracing::info!(
                "There is no directory for state: calls are recorded in memory only (TOOLGATE_STATE_DIR names one)"
            );
        }
        let ids = Ids::default();
        Self(Some(Arc::new(Inner {
            config: config.clone(),
            place,
            bodies: globs(&config.bodies),
            redaction: Redaction::new(&config.redact),
            writer: ids.next(),
            ids,
            queue: Queue::default(),
            book: tokio::sync::Mutex::default(),
            store: watch::Sender::new(None),
            tail: broadcast::Sender::new(TAIL),
            wanted: CancellationToken::new(),
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
            is_well: AtomicBool::new(true),
            trouble: Mutex::default(),
            written: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            strayed: AtomicU64::new(0),
        })))
    }

    /// Writes what is recorded, until `stop` is cancelled or the ledger is closed. To be run once, by a task.
    pub async fn run(self, stop: CancellationToken) {
        let Some(inner) = &self.0 else { return };
        let _closed = inner.closed.clone().drop_guard();
        inner.write_all(&stop).await;
    }

    /// Looks after the database while it is open, until `stop` is cancelled or the ledger is closed. To be run once.
    pub async fn look_after(self, stop: CancellationToken) {
        let Some(inner) = &self.0 else { return };
        cleaning::run(inner, &stop).await;
    }

    /// Records a call that is over. Never waits.
    pub fn record(&self, call: Call) {
        if let Some(inner) = &self.0 {
            inner.queue.push(Entry::Call(Box::new(call)));
        }
    }

    /// Records what happened to a plugin. Never waits.
    pub fn lived(&self, life: LifeRow) {
        if let Some(inner) = &self.0 {
            let id = inner.ids.next();
            // PostgreSQL takes no NUL.
            let error = life
                .error
                .as_deref()
                .map(|why| why.replace('\0', "\u{fffd}"));
            inner.queue.push(Entry::Life(LifeRow { id, error, ..life }));
        }
    }

    /// Records an access that was denied. Never waits.
    pub fn denied(&self, denial: DenialRow) {
        let Some(inner) = &self.0 else { return };
        let row = DenialRow {
            id: inner.ids.next(),
            principal: text::maybe(denial.principal.as_deref()),
            scope: text::maybe(denial.scope.as_deref()),
            path: text::maybe(denial.path.as_deref()),
            count: 1,
            ..denial
        };
        inner.queue.push(Entry::Denial(row));
    }

    /// Records something in an incident, beside its calls, if calls of `caller` may belong to it. Never waits.
    pub fn note(&self, note: NoteRow, caller: &str) {
        if let Some(inner) = &self.0 {
            let id = inner.ids.next();
            let note = NoteRow { id, ..note };
            inner.queue.push(Entry::Note(note, caller.into()));
        }
    }

    /// Whether arguments and results of this tool are kept.
    pub fn keeps_body(&self, tool: &str) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.keeps_body(tool))
    }
}

impl Inner {
    fn keeps_body(&self, tool: &str) -> bool {
        !self.bodies.is_empty() && self.bodies.is_match(tool)
    }

    fn well(&self) {
        if !self.is_well.swap(true, Ordering::AcqRel) {
            tracing::info!("The ledger can be written again");
        }
        *self.trouble.lock().expect("no holder of this lock panics") = None;
    }

    fn unwell(&self, error: &StoreError) {
        if self.is_well.swap(false, Ordering::AcqRel) {
            tracing::error!("The ledger {} cannot be written: {error}", self.place);
        }
        let trouble = Some(Arc::from(error.to_string()));
        *self.trouble.lock().expect("no holder of this lock panics") = trouble;
    }

    fn wrote(&self, n: u64) {
        self.written.fetch_add(n, Ordering::Relaxed);
    }

    fn lost(&self, n: u64) {
        self.lost.fetch_add(n, Ordering::Relaxed);
    }

    fn stray(&self, call: &Call) {
        self.strayed.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(call = %ids::shown(call.id), "A call names an incident that it cannot belong to");
    }
}

/// Patterns that are none were refused with the configuration.
fn globs(patterns: &[String]) -> GlobSet {
    let mut globs = GlobSetBuilder::new();
    for glob in patterns.iter().filter_map(|text| Glob::new(text).ok()) {
        globs.add(glob);
    }
    globs.build().unwrap_or_default()
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(inner) => write!(f, "Ledger({})", inner.place),
            None => f.write_str("Ledger(off)"),
        }
    }
}

#[cfg(test)]
mod tests;
