//! Calls: written, looked up, closed when their gateway is gone.

use std::collections::BTreeMap;

use crate::ledger::engine::{Row, Statement, StoreError};
use crate::ledger::record::{Body, CallFilter, CallRow, Incident, OPEN, Page, UNKNOWN};
use crate::ledger::store::{Store, insert};

/// The columns of a call, in the order of [`CallRow`].
const COLUMNS: &str = "id, began_ms, principal, session, incident, method, tool, plugin, runtime, era, taken_us, outcome,
    reason, arguments_sha256, dry_run, approval, replay_of";

const INSERT: &str = "INSERT INTO calls (id, began_ms, principal, session, incident, method, tool, plugin, runtime, era,
    taken_us, outcome, reason, arguments_sha256, dry_run, approval, replay_of, writer) VALUES ";

/// A call that was written when it was admitted is closed; whatever else is there stays.
const CLOSE: &str = " ON CONFLICT (id) DO UPDATE SET taken_us = excluded.taken_us, outcome = excluded.outcome,
    reason = excluded.reason, incident = COALESCE(calls.incident, excluded.incident), dry_run = excluded.dry_run,
    approval = excluded.approval, replay_of = excluded.replay_of 
    WHERE calls.outcome = 'open' OR (calls.outcome = 'unknown' AND excluded.outcome <> 'open')";

impl Store {
    /// Writes one call that is about to be carried, and the incident that it is the first of. It is there when this
    /// returns.
    pub(in crate::ledger) async fn open_call(
        &self,
        call: &CallRow,
        incident: Option<&Incident>,
    ) -> Result<(), StoreError> {
        let mut statements = Vec::new();
        self.add_incidents(
            incident.map(std::slice::from_ref).unwrap_or_default(),
            &mut statements,
        );
        self.insert_calls(std::slice::from_ref(call), &mut statements);
        self.engine.run(statements).await.map(drop)
    }

    pub(super) fn add_calls(&self, calls: &[CallRow], statements: &mut Vec<Statement>) {
        self.insert_calls(calls, statements);
        let mut counts: BTreeMap<u64, (u64, u64, u64)> = BTreeMap::new();
        for call in calls.iter().filter(|call| call.outcome != OPEN) {
            if let Some(incident) = call.incident {
                let (all, failed, latest) = counts.entry(incident).or_default();
                *all += 1;
                *failed += u64::from(call.is_error());
                *latest = call.id.max(*latest);
            }
        }
        for (incident, (all, failed, latest)) in counts {
            let count = "UPDATE incidents SET calls = calls + ?, errors = errors + ?, latest = ? WHERE id = ?";
            let count = Statement::new(count).bind(all).bind(failed);
            statements.push(count.bind(latest).bind(incident));
        }
    }

    fn insert_calls(&self, calls: &[CallRow], statements: &mut Vec<Statement>) {
        insert(statements, INSERT, CLOSE, calls, 18, |statement, call| {
            statement
                .bind(call.id)
                .bind(call.began_ms)
                .bind(&*call.principal)
                .bind(call.session.clone())
                .bind(call.incident)
                .bind(&*call.method)
                .bind(&*call.tool)
                .bind(call.plugin.clone())
                .bind(call.runtime.clone())
                .bind(&*call.era)
                .bind(call.taken_us)
                .bind(&*call.outcome)
                .bind(call.reason.clone())
                .bind(call.arguments_sha256.clone())
                .bind(call.dry_run)
                .bind(call.approval.clone())
                .bind(call.replay_of)
                .bind(self.writer)
        });
    }

    /// A page of the calls that are wanted.
    pub(in crate::ledger) async fn calls(
        &self,
        filter: &CallFilter,
        page: Page,
    ) -> Result<Vec<CallRow>, StoreError> {
        let rows = self.engine.query(calls(filter, page)).await?;
        Ok(rows.into_iter().map(call).collect())
    }

    /// One call, with what is kept of its arguments and its result.
    pub(in crate::ledger) async fn call(
        &self,
        id: u64,
    ) -> Result<Option<(CallRow, Option<Body>)>, StoreError> {
        let query = Statement::new(format!("SELECT {COLUMNS} FROM calls WHERE id = ?")).bind(id);
        let Some(row) = self.engine.query(query).await?.pop() else {
            return Ok(None);
        };
        let query = "SELECT arguments, result, redacted FROM bodies WHERE call = ?";
        let mut body = self.engine.query(Statement::new(query).bind(id)).await?;
        let body = body.pop().map(|mut row| Body {
            arguments: row.maybe_text(),
            result: row.maybe_text(),
            redacted: row.number() != 0,
        });
        Ok(Some((call(row), body)))
    }

    /// Says that this gateway is alive.
    pub(in crate::ledger) async fn beat(&self, now_ms: u64) -> Result<(), StoreError> {
        let beat = "INSERT INTO writers (id, seen_ms) VALUES (?, ?)
            ON CONFLICT (id) DO UPDATE SET seen_ms = excluded.seen_ms";
        let beat = Statement::new(beat).bind(self.writer).bind(now_ms);
        self.engine.run(vec![beat]).await.map(drop)
    }

    /// Closes the calls of gateways that were not seen since `alive_ms`: what they came to is not known. Says how many.
    pub(in crate::ledger) async fn close_orphans(&self, alive_ms: u64) -> Result<u64, StoreError> {
        let close = "UPDATE calls SET outcome = ?, reason = 'gateway_ended' WHERE outcome = ? AND writer <> ?
            AND writer NOT IN (SELECT id FROM writers WHERE seen_ms >= ?)";
        let close = Statement::new(close).bind(UNKNOWN).bind(OPEN);
        let close = close.bind(self.writer).bind(alive_ms);
        let forget = Statement::new("DELETE FROM writers WHERE seen_ms < ?").bind(alive_ms);
        let changed = self.engine.run(vec![close, forget]).await?;
        Ok(changed[0])
    }

    /// The number of the oldest call.
    pub(in crate::ledger) async fn oldest(&self) -> Result<Option<u64>, StoreError> {
        let query = Statement::new("SELECT MIN(id) FROM calls");
        let mut rows = self.engine.query(query).await?;
        Ok(rows.first_mut().and_then(Row::maybe_number))
    }
}

/// The query for a page of the calls that are wanted: one range of an index.
pub(in crate::ledger) fn calls(filter: &CallFilter, page: Page) -> Statement {
    let mut query = Statement::new(format!("SELECT {COLUMNS} FROM calls WHERE 1 = 1"));
    let texts = [
        (" AND tool = ", &filter.tool),
        (" AND plugin = ", &filter.plugin),
        (" AND principal = ", &filter.principal),
        (" AND outcome = ", &filter.outcome),
    ];
    for (sql, text) in texts {
        if let Some(text) = text {
            query.push(sql, &**text);
        }
    }
    let numbers = [
        (" AND incident = ", filter.incident),
        (" AND id >= ", filter.since),
        (" AND id <= ", filter.until),
        (" AND id < ", page.before),
    ];
    for (sql, number) in numbers {
        if let Some(number) = number {
            query.push(sql, number);
        }
    }
    if let Some(plugins) = &filter.plugins {
        query.say(" AND (plugin IS NULL");
        for plugin in plugins {
            query.push(" OR plugin = ", &**plugin);
        }
        query.say(")");
    }
    query.push(" ORDER BY id DESC LIMIT ", page.limit);
    query
}

fn call(mut row: Row) -> CallRow {
    CallRow {
        id: row.number(),
        began_ms: row.number(),
        principal: row.text(),
        session: row.maybe_text(),
        incident: row.maybe_number(),
        method: row.text(),
        tool: row.text(),
        plugin: row.maybe_text(),
        runtime: row.maybe_text(),
        era: row.text(),
        taken_us: row.maybe_number(),
        outcome: row.text(),
        reason: row.maybe_text(),
        arguments_sha256: row.maybe_text(),
        dry_run: row.number() != 0,
        approval: row.maybe_text(),
        replay_of: row.maybe_number(),
    }
}
