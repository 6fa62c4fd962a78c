//! Documents: small things by kind and name.

use crate::ledger::engine::{Row, Statement, StoreError};
use crate::ledger::store::Store;

impl Store {
    pub(in crate::ledger) async fn put(
        &self,
        kind: &str,
        key: &str,
        value: &str,
    ) -> Result<(), StoreError> {
        let put = "INSERT INTO documents (kind, name, value) VALUES (?, ?, ?)
            ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value";
        let put = Statement::new(put).bind(kind).bind(key).bind(value);
        self.engine.run(vec![put]).await.map(drop)
    }

    pub(in crate::ledger) async fn get(
        &self,
        kind: &str,
        key: &str,
    ) -> Result<Option<String>, StoreError> {
        let get = "SELECT value FROM documents WHERE kind = ? AND name = ?";
        let get = Statement::new(get).bind(kind).bind(key);
        let mut rows = self.engine.query(get).await?;
        Ok(rows.first_mut().and_then(Row::maybe_text))
    }

    pub(in crate::ledger) async fn list(
        &self,
        kind: &str,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let list = "SELECT name, value FROM documents WHERE kind = ?";
        let rows = self.engine.query(Statement::new(list).bind(kind)).await?;
        let rows = rows.into_iter().map(|mut row| (row.text(), row.text()));
        let mut rows: Vec<_> = rows.collect();
        // Databases have orders of their own.
        rows.sort();
        Ok(rows)
    }

    pub(in crate::ledger) async fn remove(
        &self,
        kind: &str,
        key: &str,
    ) -> Result<bool, StoreError> {
        let remove = "DELETE FROM documents WHERE kind = ? AND name = ?";
        let remove = Statement::new(remove).bind(kind).bind(key);
        let changed = self.engine.run(vec![remove]).await?;
        Ok(changed[0] > 0)
    }
}
