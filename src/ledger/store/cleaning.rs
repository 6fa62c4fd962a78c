//! Making room: the oldest goes first, a little at a time.

use crate::ledger::engine::{Row, Statement, StoreError};
use crate::ledger::record::OPEN;
use crate::ledger::store::Store;

impl Store {
    /// Whether its size can be kept below a bound.
    pub(in crate::ledger) fn can_shrink(&self) -> bool {
        self.engine.can_shrink()
    }

    /// Deletes some of what is older than the number `before`, `n` rows of each kind at the most. Says how many rows are
    /// gone. Calls that are being carried stay.
    pub(in crate::ledger) async fn forget(&self, before: u64, n: u32) -> Result<u64, StoreError> {
        let some = |sql: &'static str| Statement::new(sql).bind(before).bind(n);
        let statements = vec![
            some(
                "DELETE FROM bodies WHERE call IN
                (SELECT call FROM bodies WHERE call < ? ORDER BY call LIMIT ?)",
            ),
            some(
                "DELETE FROM calls WHERE id IN
                (SELECT id FROM calls WHERE id < ? ORDER BY id LIMIT ?) AND outcome <> ?",
            )
            .bind(OPEN),
            some(
                "DELETE FROM notes WHERE id IN
                (SELECT id FROM notes WHERE id < ? ORDER BY id LIMIT ?)",
            ),
            some(
                "DELETE FROM life WHERE id IN
                (SELECT id FROM life WHERE id < ? ORDER BY id LIMIT ?)",
            ),
            some(
                "DELETE FROM denials WHERE id IN
                (SELECT id FROM denials WHERE id < ? ORDER BY id LIMIT ?)",
            ),
            // As long as something happens in it, it is not old.
            some(
                "DELETE FROM incidents WHERE id IN
                (SELECT id FROM incidents WHERE latest < ? ORDER BY latest LIMIT ?)",
            ),
        ];
        let changed = self.engine.run(statements).await?;
        Ok(changed.iter().sum())
    }

    /// The number that the oldest `n` rows of some kind lie below; `None` where there is nothing to forget.
    pub(in crate::ledger) async fn oldest_few(&self, n: u32) -> Result<Option<u64>, StoreError> {
        let mut lowest = None;
        for query in [
            "SELECT MAX(id) FROM (SELECT id FROM calls ORDER BY id LIMIT ?) AS few",
            "SELECT MAX(id) FROM (SELECT id FROM denials ORDER BY id LIMIT ?) AS few",
            "SELECT MAX(id) FROM (SELECT id FROM life ORDER BY id LIMIT ?) AS few",
        ] {
            let mut rows = self.engine.query(Statement::new(query).bind(n)).await?;
            let id = rows.first_mut().and_then(Row::maybe_number);
            lowest = lowest.into_iter().chain(id).min();
        }
        Ok(lowest.map(|id| id.saturating_add(1)))
    }
}
