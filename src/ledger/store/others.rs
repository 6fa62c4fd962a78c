//! Lives of plugins, denied accesses and notes.

use crate::ledger::engine::{Row, Statement, StoreError};
use crate::ledger::record::{DenialRow, LifeRow, Page};
use crate::ledger::store::{Batch, Store, insert, paged};

const LIFE: &str = "INSERT INTO life (id, plugin, event, state, error) VALUES ";

const DENIALS: &str =
    "INSERT INTO denials (id, principal, what, scope, path, remote, count) VALUES ";

const NOTES: &str = "INSERT INTO notes (id, incident, kind, principal, data) VALUES ";

/// What another gateway has written under the same number stays.
const ONCE: &str = " ON CONFLICT (id) DO NOTHING";

impl Store {
    pub(super) fn add_others(&self, batch: &Batch, statements: &mut Vec<Statement>) {
        insert(statements, LIFE, ONCE, &batch.life, 5, |statement, life| {
            statement
                .bind(life.id)
                .bind(&*life.plugin)
                .bind(&*life.event)
                .bind(life.state.clone())
                .bind(life.error.clone())
        });
        insert(
            statements,
            DENIALS,
            ONCE,
            &batch.denials,
            7,
            |statement, denial| {
                statement
                    .bind(denial.id)
                    .bind(denial.principal.clone())
                    .bind(&*denial.what)
                    .bind(denial.scope.clone())
                    .bind(denial.path.clone())
                    .bind(denial.remote.clone())
                    .bind(denial.count)
            },
        );
        insert(
            statements,
            NOTES,
            ONCE,
            &batch.notes,
            5,
            |statement, note| {
                statement
                    .bind(note.id)
                    .bind(note.incident)
                    .bind(&*note.kind)
                    .bind(&*note.principal)
                    .bind(&*note.data)
            },
        );
    }

    /// What happened to plugins, or to one of them, from the number `since` on.
    pub(in crate::ledger) async fn life(
        &self,
        plugin: Option<&str>,
        since: Option<u64>,
        page: Page,
    ) -> Result<Vec<LifeRow>, StoreError> {
        let rows = self.engine.query(life(plugin, since, page)).await?;
        let life = |mut row: Row| LifeRow {
            id: row.number(),
            plugin: row.text(),
            event: row.text(),
            state: row.maybe_text(),
            error: row.maybe_text(),
        };
        Ok(rows.into_iter().map(life).collect())
    }

    /// The accesses that were denied, to one principal if it is named.
    pub(in crate::ledger) async fn denials(
        &self,
        principal: Option<&str>,
        since: Option<u64>,
        page: Page,
    ) -> Result<Vec<DenialRow>, StoreError> {
        let rows = self.engine.query(denials(principal, since, page)).await?;
        let denial = |mut row: Row| DenialRow {
            id: row.number(),
            principal: row.maybe_text(),
            what: row.text(),
            scope: row.maybe_text(),
            path: row.maybe_text(),
            remote: row.maybe_text(),
            count: row.number(),
        };
        Ok(rows.into_iter().map(denial).collect())
    }
}

pub(in crate::ledger) fn life(plugin: Option<&str>, since: Option<u64>, page: Page) -> Statement {
    let mut query = Statement::new("SELECT id, plugin, event, state, error FROM life WHERE 1 = 1");
    if let Some(plugin) = plugin {
        query.push(" AND plugin = ", plugin);
    }
    if let Some(since) = since {
        query.push(" AND id >= ", since);
    }
    paged(&mut query, page);
    query
}

pub(in crate::ledger) fn denials(
    principal: Option<&str>,
    since: Option<u64>,
    page: Page,
) -> Statement {
    let mut query = Statement::new(
        "SELECT id, principal, what, scope, path, remote, count FROM denials WHERE 1 = 1",
    );
    if let Some(principal) = principal {
        query.push(" AND principal = ", principal);
    }
    if let Some(since) = since {
        query.push(" AND id >= ", since);
    }
    paged(&mut query, page);
    query
}
