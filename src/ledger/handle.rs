//! What is asked of the ledger: to admit a call, to look something up, to keep documents.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;

use crate::ledger::Inner;
use crate::ledger::config::OnFailure;
use crate::ledger::documents::{Documents, NotKept};
use crate::ledger::engine::StoreError;
use crate::ledger::ids::now_ms;
use crate::ledger::record::{
    Body, Call, CallFilter, CallRow, DenialRow, Incident, LifeRow, NoteRow, Page,
};
use crate::ledger::store::{Batch, Store};
use crate::ledger::{IncidentFilter, Ledger};
use crate::wire::json::Json;

/// How long a call waits to be admitted.
const ADMIT: Duration = Duration::from_secs(2);

/// How long a question to the database may take.
const ASK: Duration = Duration::from_secs(10);

/// How the ledger does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// `sqlite`, `postgres`, `off`, or `opening` while it is not known to answer.
    pub backend: &'static str,
    /// Whether the last attempt to write succeeded.
    pub is_healthy: bool,
    /// How many entries were written.
    pub written: u64,
    /// How many were dropped, because too much waited or the gateway stopped.
    pub dropped: u64,
    /// How many wait.
    pub queue: u64,
    /// How many calls were refused because they could not be recorded.
    pub refused: u64,
    /// How many calls named an incident that they could not belong to.
    pub strayed: u64,
    /// The number of the oldest call.
    pub oldest: Option<u64>,
    /// How many bytes the database fills.
    pub bytes: Option<u64>,
    /// Why it cannot be written.
    pub error: Option<Arc<str>>,
}

impl Ledger {
    /// Whether nothing is recorded.
    pub fn is_off(&self) -> bool {
        self.0.is_none()
    }

    /// What becomes of calls that cannot be recorded.
    pub fn on_failure(&self) -> OnFailure {
        let inner = self.0.as_ref();
        inner.map_or(OnFailure::Pass, |inner| inner.config.on_failure)
    }

    /// Whether it takes what is recorded now: the last attempt to write succeeded.
    pub fn is_well(&self) -> bool {
        let inner = self.0.as_ref();
        inner.is_none_or(|inner| inner.is_well.load(Ordering::Acquire))
    }

    /// Opens the database now, if it is not open.
    pub fn want(&self) {
        if let Some(inner) = &self.0 {
            inner.wanted.cancel();
        }
    }

    /// Writes a call that is about to be carried. It is in the database when this returns `Ok`, which takes two seconds
    /// at the most. Whatever this says, the call is closed by [`Ledger::record`].
    pub async fn admit(&self, call: &Call) -> Result<(), NotKept> {
        let Some(inner) = &self.0 else { return Ok(()) };
        let admit = async {
            let store = inner.opened().await?;
            let opened = inner.write_open(&store, call).await;
            match &opened {
                Ok(()) => inner.well(),
                Err(error) => inner.unwell(error),
            }
            opened
        };
        let late = |_| {
            let late = StoreError(format!("it did not answer within {} s", ADMIT.as_secs()));
            inner.unwell(&late);
            Err(late)
        };
        let admitted = tokio::time::timeout(ADMIT, admit).await;
        admitted.unwrap_or_else(late).map_err(NotKept::from)
    }

    /// Counts a call that was refused because it could not be recorded.
    pub fn refused(&self) {
        if let Some(inner) = &self.0 {
            inner.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The calls as they are written, from now on. Who is slow misses some, and learns how many.
    pub fn tail(&self) -> Option<broadcast::Receiver<Arc<CallRow>>> {
        let inner = self.0.as_ref()?;
        inner.wanted.cancel();
        Some(inner.tail.subscribe())
    }

    /// Writes all that waits, within a bound, and lets go of the database.
    pub async fn close(&self) {
        if let Some(inner) = &self.0 {
            inner.closing.cancel();
            // Nobody may have run it.
            tokio::time::timeout(ADMIT * 2, inner.closed.cancelled())
                .await
                .ok();
        }
    }

    /// How many entries wait to be written.
    pub fn waiting(&self) -> u64 {
        let inner = self.0.as_ref();
        inner.map_or(0, |inner| inner.queue.len() as u64)
    }

    /// How it does.
    pub async fn status(&self) -> Status {
        let mut status = self.counts();
        let store = self
            .0
            .as_ref()
            .and_then(|inner| inner.store.borrow().clone());
        if let Some(store) = store {
            let look = async { Ok((store.oldest().await?, store.bytes().await?)) };
            if let Ok((oldest, bytes)) = bounded(look).await {
                (status.oldest, status.bytes) = (oldest, Some(bytes));
            }
        }
        status
    }

    /// The same as far as that is known without asking the database.
    pub fn counts(&self) -> Status {
        let Some(inner) = &self.0 else {
            return Status {
                backend: "off",
                is_healthy: true,
                ..Status::default()
            };
        };
        let mut status = Status {
            backend: "opening",
            is_healthy: inner.is_well.load(Ordering::Acquire),
            written: inner.written.load(Ordering::Relaxed),
            dropped: inner.queue.dropped() + inner.lost.load(Ordering::Relaxed),
            queue: inner.queue.len() as u64,
            refused: inner.refused.load(Ordering::Relaxed),
            strayed: inner.strayed.load(Ordering::Relaxed),
            error: inner
                .trouble
                .lock()
                .expect("no holder of this lock panics")
                .clone(),
            ..Status::default()
        };
        let store = inner.store.borrow().clone();
        if let Some(store) = store {
            status.backend = store.name();
        }
        status
    }

    /// A page of the calls that are wanted, newest first.
    pub async fn calls(&self, filter: &CallFilter, page: Page) -> Result<Vec<CallRow>, NotKept> {
        let ask = |store: Arc<Store>| async move { store.calls(filter, page).await };
        self.ask(ask).await
    }

    /// One call, with what is kept of its arguments and its result.
    pub async fn call(&self, id: u64) -> Result<Option<(CallRow, Option<Body>)>, NotKept> {
        self.ask(|store| async move { store.call(id).await }).await
    }

    /// A page of the incidents that are wanted, newest first.
    pub async fn incidents(
        &self,
        filter: &IncidentFilter,
        page: Page,
    ) -> Result<Vec<Incident>, NotKept> {
        let ask = |store: Arc<Store>| async move { store.incidents(filter, page).await };
        self.ask(ask).await
    }

    /// One incident.
    pub async fn incident(&self, id: u64) -> Result<Option<Incident>, NotKept> {
        self.ask(|store| async move { store.incident(id).await })
            .await
    }

    /// The last notes in an incident, newest first.
    pub async fn notes(&self, incident: u64, limit: u32) -> Result<Vec<NoteRow>, NotKept> {
        let ask = |store: Arc<Store>| async move { store.notes(incident, limit).await };
        self.ask(ask).await
    }

    /// Opens an incident. Calls of every principal may belong to it if it is `shared`.
    pub async fn open_incident(
        &self,
        title: &str,
        principal: &str,
        shared: bool,
    ) -> Result<Incident, NotKept> {
        let Some(inner) = &self.0 else {
            return Err(NotKept(OFF.to_owned()));
        };
        let incident = Incident {
            id: inner.ids.next(),
            title: crate::ledger::text::name(title),
            principal: crate::ledger::text::name(principal),
            shared,
            ..Incident::default()
        };
        let new = incident.clone();
        self.ask(|store| async move { store.open_incident(new).await })
            .await?;
        Ok(incident)
    }

    /// Closes an incident; whether it was open.
    pub async fn close_incident(&self, id: u64) -> Result<bool, NotKept> {
        let ask = |store: Arc<Store>| async move { store.close_incident(id, now_ms()).await };
        let closed = self.ask(ask).await?;
        if let Some(inner) = &self.0 {
            inner.book.lock().await.forget(id);
        }
        Ok(closed)
    }

    /// Writes a note into an incident, and gives it as it is kept.
    pub async fn keep_note(&self, note: NoteRow) -> Result<NoteRow, NotKept> {
        let Some(inner) = &self.0 else {
            return Err(NotKept(OFF.to_owned()));
        };
        let id = inner.ids.next();
        let note = NoteRow { id, ..note };
        let batch = Batch {
            notes: vec![note.clone()],
            ..Batch::default()
        };
        self.ask(|store| async move { store.write(&batch).await })
            .await?;
        Ok(note)
    }

    /// What happened to plugins, or to one of them, from the number `since` on, newest first.
    pub async fn life(
        &self,
        plugin: Option<&str>,
        since: Option<u64>,
        page: Page,
    ) -> Result<Vec<LifeRow>, NotKept> {
        let ask = |store: Arc<Store>| async move { store.life(plugin, since, page).await };
        self.ask(ask).await
    }

    /// The accesses that were denied, to one principal if it is named, newest first.
    pub async fn denials(
        &self,
        principal: Option<&str>,
        since: Option<u64>,
        page: Page,
    ) -> Result<Vec<DenialRow>, NotKept> {
        let ask = |store: Arc<Store>| async move { store.denials(principal, since, page).await };
        self.ask(ask).await
    }

    /// Asks the database something, within a bound.
    async fn ask<T, W>(&self, question: impl FnOnce(Arc<Store>) -> W) -> Result<T, NotKept>
    where
        W: Future<Output = Result<T, StoreError>>,
    {
        let Some(inner) = &self.0 else {
            return Err(NotKept(OFF.to_owned()));
        };
        let asked = async { question(inner.opened().await?).await };
        bounded(asked).await.map_err(NotKept::from)
    }
}

const OFF: &str = "it is off (`ledger.url`)";

async fn bounded<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| Err(StoreError(format!("nothing within {} s", ASK.as_secs())));
    tokio::time::timeout(ASK, work).await.unwrap_or_else(late)
}

impl Inner {
    /// The database. Waits while it is being opened, and not where that has failed already.
    pub(super) async fn opened(&self) -> Result<Arc<Store>, StoreError> {
        self.wanted.cancel();
        let trouble = || {
            let trouble = self.trouble.lock().expect("no holder of this lock panics");
            trouble.as_ref().map(|why| StoreError(why.to_string()))
        };
        let mut stores = self.store.subscribe();
        loop {
            let store = stores.borrow_and_update().clone();
            if let Some(store) = store {
                return Ok(store);
            }
            if let Some(error) = trouble() {
                return Err(error);
            }
            tokio::select! {
                // Told also when it could not be opened. Its sender lives as long as this.
                _ = stores.changed() => {}
                () = self.closed.cancelled() => return Err(StoreError("it is closed".to_owned())),
            }
        }
    }
}

impl From<StoreError> for NotKept {
    fn from(error: StoreError) -> Self {
        Self(error.0)
    }
}

#[async_trait]
impl Documents for Ledger {
    async fn put(&self, kind: &str, key: &str, value: Json) -> Result<(), NotKept> {
        let put = |store: Arc<Store>| async move { store.put(kind, key, value.as_str()).await };
        self.ask(put).await
    }

    async fn get(&self, kind: &str, key: &str) -> Result<Option<Json>, NotKept> {
        let get = |store: Arc<Store>| async move { store.get(kind, key).await };
        self.ask(get).await?.map(read).transpose()
    }

    async fn list(&self, kind: &str) -> Result<Vec<(String, Json)>, NotKept> {
        let list = |store: Arc<Store>| async move { store.list(kind).await };
        let all = self.ask(list).await?.into_iter();
        all.map(|(key, text)| Ok((key, read(text)?))).collect()
    }

    async fn remove(&self, kind: &str, key: &str) -> Result<bool, NotKept> {
        let remove = |store: Arc<Store>| async move { store.remove(kind, key).await };
        self.ask(remove).await
    }
}

fn read(text: String) -> Result<Json, NotKept> {
    Json::scan(Bytes::from(text))
        .map_err(|error| NotKept(format!("a document is no JSON: {error}")))
}
