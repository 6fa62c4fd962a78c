//! Small things that are kept by kind and key: what operators switched off, settings, tasks, approvals.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;

use crate::wire::json::Json;

/// Keeps documents. What `put` has said `Ok` to is there after a restart, where the backend outlives one.
#[async_trait]
pub trait Documents: Send + Sync {
    /// Keeps `value` under `kind` and `key`, in place of what was there.
    async fn put(&self, kind: &str, key: &str, value: Json) -> Result<(), NotKept>;

    /// What is kept there.
    async fn get(&self, kind: &str, key: &str) -> Result<Option<Json>, NotKept>;

    /// All of a kind, by key in order.
    async fn list(&self, kind: &str) -> Result<Vec<(String, Json)>, NotKept>;

    /// Forgets it; whether there was something.
    async fn remove(&self, kind: &str, key: &str) -> Result<bool, NotKept>;
}

/// The store could not be reached, or refused.
#[derive(Debug, thiserror::Error)]
#[error("the ledger's database does not answer: {0}")]
pub struct NotKept(pub String);

/// Keeps documents for as long as the process lives.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<BTreeMap<(String, String), Json>>);

impl InMemory {
    fn all(&self) -> MutexGuard<'_, BTreeMap<(String, String), Json>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

#[async_trait]
impl Documents for InMemory {
    async fn put(&self, kind: &str, key: &str, value: Json) -> Result<(), NotKept> {
        self.all().insert((kind.to_owned(), key.to_owned()), value);
        Ok(())
    }

    async fn get(&self, kind: &str, key: &str) -> Result<Option<Json>, NotKept> {
        let key = (kind.to_owned(), key.to_owned());
        Ok(self.all().get(&key).cloned())
    }

    async fn list(&self, kind: &str) -> Result<Vec<(String, Json)>, NotKept> {
        let all = self.all();
        let of_kind = all.iter().filter(|((known, _), _)| known == kind);
        Ok(of_kind
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }

    async fn remove(&self, kind: &str, key: &str) -> Result<bool, NotKept> {
        let key = (kind.to_owned(), key.to_owned());
        Ok(self.all().remove(&key).is_some())
    }
}
