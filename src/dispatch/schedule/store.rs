//! Tasks outlive the gateway: each is a document of its own.

use std::sync::Arc;
use std::time::Duration;

use crate::dispatch::schedule::task::Task;
use crate::ledger::documents::{Documents, NotKept};
use crate::wire::json::Json;

/// The kind of document.
const KIND: &str = "task";

/// How long the store may take for one document.
const BOUND: Duration = Duration::from_secs(10);

/// Keeps tasks.
pub(super) struct Store {
    documents: Arc<dyn Documents>,
    /// Held while something is written, so that a task is never overwritten by what it was before.
    writing: tokio::sync::Mutex<()>,
}

impl Store {
    pub(super) fn new(documents: Arc<dyn Documents>) -> Self {
        Self {
            documents,
            writing: tokio::sync::Mutex::new(()),
        }
    }

    /// All tasks that are kept. One that cannot be read is left where it is, and named in the log.
    pub(super) async fn load(&self) -> Result<Vec<Task>, NotKept> {
        let kept = within(self.documents.list(KIND)).await?;
        let read = |(id, json): (String, Json)| match json.parse::<Task>() {
            Ok(task) if task.id == id => Some(task),
            Ok(_) => None,
            Err(err) => {
                tracing::error!("The task `{id}` cannot be read: {err}");
                None
            }
        };
        Ok(kept.into_iter().filter_map(read).collect())
    }

    /// Keeps a task as it is at the moment of writing; takes it out where there is none any more.
    pub(super) async fn save(
        &self,
        id: &str,
        now: impl FnOnce() -> Option<Arc<Task>>,
    ) -> Result<(), NotKept> {
        within(async {
            let _alone = self.writing.lock().await;
            match now() {
                Some(task) => self.documents.put(KIND, id, Json::of(&*task)).await,
                None => self.documents.remove(KIND, id).await.map(drop),
            }
        })
        .await
    }
}

async fn within<T>(work: impl Future<Output = Result<T, NotKept>>) -> Result<T, NotKept> {
    let late = || NotKept(format!("nothing came of it within {} s", BOUND.as_secs()));
    tokio::time::timeout(BOUND, work)
        .await
        .unwrap_or_else(|_| Err(late()))
}
