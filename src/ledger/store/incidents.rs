//! Incidents and what stands in them.

use crate::ledger::engine::{Row, Statement, StoreError};
use crate::ledger::record::{Incident, NoteRow, Page};
use crate::ledger::store::{Batch, Store, insert, paged};

const COLUMNS: &str =
    "id, title, closed_ms, principal, session, session_key, shared, calls, errors";

const INSERT: &str = "INSERT INTO incidents
    (id, title, closed_ms, principal, session, session_key, shared, calls, errors, latest, is_open) VALUES ";

/// Which incidents are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// The open or the closed ones.
    pub open: Option<bool>,
    /// Those of this principal.
    pub principal: Option<String>,
}

impl Store {
    pub(super) fn add_incidents(&self, incidents: &[Incident], statements: &mut Vec<Statement>) {
        let tail = " ON CONFLICT DO NOTHING";
        insert(
            statements,
            INSERT,
            tail,
            incidents,
            11,
            |statement, incident| {
                statement
                    .bind(incident.id)
                    .bind(&*incident.title)
                    .bind(incident.closed_ms)
                    .bind(&*incident.principal)
                    .bind(incident.session.clone())
                    .bind(incident.session_key.clone())
                    .bind(incident.shared)
                    .bind(incident.calls)
                    .bind(incident.errors)
                    .bind(incident.id)
                    .bind(incident.closed_ms.is_none())
            },
        );
    }

    /// Writes a new one.
    pub(in crate::ledger) async fn open_incident(&self, new: Incident) -> Result<(), StoreError> {
        let incidents = vec![new];
        self.write(&Batch {
            incidents,
            ..Batch::default()
        })
        .await
    }

    /// Closes it; whether it was open.
    pub(in crate::ledger) async fn close_incident(
        &self,
        id: u64,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        let close = "UPDATE incidents SET closed_ms = ?, is_open = 0 WHERE id = ? AND is_open = 1";
        let close = Statement::new(close).bind(now_ms).bind(id);
        let changed = self.engine.run(vec![close]).await?;
        Ok(changed[0] > 0)
    }

    /// One of them.
    pub(in crate::ledger) async fn incident(
        &self,
        id: u64,
    ) -> Result<Option<Incident>, StoreError> {
        let query = format!("SELECT {COLUMNS} FROM incidents WHERE id = ?");
        let mut rows = self.engine.query(Statement::new(query).bind(id)).await?;
        Ok(rows.pop().map(incident))
    }

    /// The one of a session.
    pub(in crate::ledger) async fn incident_of_session(
        &self,
        key: &str,
    ) -> Result<Option<Incident>, StoreError> {
        let query = format!("SELECT {COLUMNS} FROM incidents WHERE session_key = ?");
        let mut rows = self.engine.query(Statement::new(query).bind(key)).await?;
        Ok(rows.pop().map(incident))
    }

    /// A page of those that are wanted.
    pub(in crate::ledger) async fn incidents(
        &self,
        filter: &IncidentFilter,
        page: Page,
    ) -> Result<Vec<Incident>, StoreError> {
        let rows = self.engine.query(incidents(filter, page)).await?;
        Ok(rows.into_iter().map(incident).collect())
    }

    /// The last notes of an incident, newest first.
    pub(in crate::ledger) async fn notes(
        &self,
        incident: u64,
        limit: u32,
    ) -> Result<Vec<NoteRow>, StoreError> {
        let rows = self.engine.query(notes(incident, limit)).await?;
        let note = |mut row: Row| NoteRow {
            id: row.number(),
            incident: row.number(),
            kind: row.text(),
            principal: row.text(),
            data: row.text(),
        };
        Ok(rows.into_iter().map(note).collect())
    }
}

pub(in crate::ledger) fn incidents(filter: &IncidentFilter, page: Page) -> Statement {
    let mut query = Statement::new(format!("SELECT {COLUMNS} FROM incidents WHERE 1 = 1"));
    if let Some(open) = filter.open {
        query.push(" AND is_open = ", open);
    }
    if let Some(principal) = &filter.principal {
        query.push(" AND principal = ", &**principal);
    }
    paged(&mut query, page);
    query
}

pub(in crate::ledger) fn notes(incident: u64, limit: u32) -> Statement {
    let query = "SELECT id, incident, kind, principal, data FROM notes WHERE incident = ?
        ORDER BY id DESC LIMIT ?";
    Statement::new(query).bind(incident).bind(limit)
}

fn incident(mut row: Row) -> Incident {
    Incident {
        id: row.number(),
        title: row.text(),
        closed_ms: row.maybe_number(),
        principal: row.text(),
        session: row.maybe_text(),
        session_key: row.maybe_text(),
        shared: row.number() != 0,
        calls: row.number(),
        errors: row.number(),
    }
}
