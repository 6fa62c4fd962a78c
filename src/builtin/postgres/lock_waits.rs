//! `lock_waits`: who waits for a lock, and who is at the head of those that wait.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::postgres::backends::{self, Backend};
use crate::builtin::postgres::cells::{self, cut, seconds, text};
use crate::builtin::postgres::query_text::ASKED_LETTERS;
use crate::builtin::postgres::session::{Session, question};
use crate::builtin::postgres::wait_graph::{self, Waiting};
use crate::builtin::table::Table;
use crate::plugin::{ToolError, Worded};

/// The most waits that are looked at: the server computes for each who is in the way.
const MAX_LOOKED_AT: usize = 500;

/// The most waits that are listed.
const MAX_LISTED: usize = 100;

/// The most heads that are listed.
const MAX_HEADS: usize = 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LockWaits {
    /// Which database, by its name in the settings; may be left out where there is one.
    #[serde(default)]
    pub(super) connection: Option<String>,
}

/// Who waits for whom.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Waits {
    waits: Vec<Wait>,
    /// Who is to blame: sessions that others wait for and that wait for none, those that hold up most first. `kill_deadlock`
    /// ends the first.
    heads: Vec<Blocking>,
    notes: Vec<String>,
}

/// A session that waits for a lock.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
pub(super) struct Wait {
    pid: i32,
    backend_start: Option<String>,
    user: Option<String>,
    database: Option<String>,
    application: Option<String>,
    /// Seconds that it has waited; before version 14, that its query has run.
    seconds: Option<f64>,
    transaction_seconds: Option<f64>,
    /// What kind of thing is locked, such as `relation`, or `transactionid`: a row that a transaction has changed.
    lock_type: String,
    mode: String,
    relation: Option<String>,
    /// The processes in its way; 0 is a transaction that is prepared and has no session.
    blocked_by: Vec<i32>,
    query: Option<String>,
}

/// A session that others wait for.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Blocking {
    /// Its process; 0 is a transaction that is prepared and has no session.
    pid: i32,
    blocks: usize,
    longest_wait_seconds: f64,
    circle: Vec<i32>,
    session: Option<Backend>,
}

/// Lists who waits.
pub(super) async fn run(session: &mut Session, _: &LockWaits) -> Result<Worded<Waits>, ToolError> {
    let mut notes: Vec<String> = session.hidden().into_iter().collect();
    let (mut waits, heads) = read(session).await?;
    if waits.len() > MAX_LOOKED_AT {
        notes.push(format!(
            "Only the {MAX_LOOKED_AT} that have waited the longest were looked at."
        ));
    }
    notes.extend(cut(&mut waits, MAX_LISTED).map(|more| format!("Of those that wait: {more}")));
    let mut heads = blocking(session, heads).await?;
    notes.extend(cut(&mut heads, MAX_HEADS).map(|more| format!("Of those in the way: {more}")));
    let words = words(&waits, &heads);
    let value = Waits {
        waits,
        heads,
        notes,
    };
    Ok(Worded {
        words: cells::with_notes(words, &value.notes),
        value,
    })
}

/// Those that wait, and the heads of all of them.
pub(super) async fn read(
    session: &mut Session,
) -> Result<(Vec<Wait>, Vec<wait_graph::Head>), ToolError> {
    // `waitstart` came with version 14. Who blocks is computed once for each that waits, since that stops the server's
    // lock manager for a moment.
    let sql = format!(
        "SELECT w.pid, a.backend_start, a.usename AS \"user\", a.datname AS database, a.application_name AS application,
                extract(epoch FROM clock_timestamp() - coalesce(w.since, a.query_start))::float8 AS seconds,
                extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_seconds,
                w.locktype AS lock_type, w.mode, w.relation, b.blocked_by, left(a.query, {ASKED_LETTERS}) AS query
         FROM (SELECT DISTINCT ON (l.pid) l.pid, l.locktype, l.mode, (to_jsonb(l) ->> 'waitstart')::timestamptz AS since,
                      CASE WHEN l.database IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                           THEN l.relation::regclass::text END AS relation
               FROM pg_locks l WHERE NOT l.granted AND l.pid IS NOT NULL ORDER BY l.pid) w
         CROSS JOIN LATERAL (SELECT pg_blocking_pids(w.pid) AS blocked_by OFFSET 0) b
         LEFT JOIN pg_stat_activity a ON a.pid = w.pid
         WHERE cardinality(b.blocked_by) > 0
         ORDER BY seconds DESC NULLS LAST, w.pid LIMIT $1"
    );
    let most = i64::try_from(MAX_LOOKED_AT).unwrap_or(i64::MAX);
    let mut waits: Vec<Wait> = session.rows(question(&sql).bind(most + 1)).await?;
    for wait in &mut waits {
        wait.query = session.shown(wait.query.take());
        // Workers of one parallel query are one process to others.
        wait.blocked_by.sort_unstable();
        wait.blocked_by.dedup();
    }
    let graph: Vec<Waiting> = waits
        .iter()
        .map(|wait| Waiting {
            pid: wait.pid,
            seconds: wait.seconds.unwrap_or(0.0),
            transaction_seconds: wait.transaction_seconds.unwrap_or(0.0),
            blocked_by: wait.blocked_by.clone(),
        })
        .collect();
    let heads = wait_graph::heads(&graph);
    Ok((waits, heads))
}

async fn blocking(
    session: &mut Session,
    heads: Vec<wait_graph::Head>,
) -> Result<Vec<Blocking>, ToolError> {
    let pids: Vec<i32> = heads.iter().map(|head| head.pid).collect();
    let known = backends::of(session, &pids).await?;
    let blocking = heads.into_iter().map(|head| Blocking {
        session: known.iter().find(|known| known.pid == head.pid).cloned(),
        pid: head.pid,
        blocks: head.blocks,
        longest_wait_seconds: head.longest_seconds,
        circle: head.circle,
    });
    Ok(blocking.collect())
}

fn words(waits: &[Wait], heads: &[Blocking]) -> String {
    let mut table = Table::new([
        "PID",
        "BACKEND START",
        "SECONDS",
        "WAITS FOR",
        "BLOCKED BY",
        "QUERY",
    ]);
    for wait in waits {
        let blockers: Vec<String> = wait.blocked_by.iter().map(i32::to_string).collect();
        let relation = wait.relation.as_deref().unwrap_or_default();
        table.row([
            wait.pid.to_string(),
            text(wait.backend_start.as_deref()),
            seconds(wait.seconds),
            format!("{} {} {relation}", wait.lock_type, wait.mode)
                .trim_end()
                .to_owned(),
            blockers.join(" "),
            text(wait.query.as_deref()),
        ]);
    }
    let mut words = table.render("Nobody waits for a lock.\n");
    if heads.is_empty() {
        return words;
    }
    let mut table = Table::new([
        "HEAD",
        "BACKEND START",
        "BLOCKS",
        "USER",
        "STATE",
        "TRANSACTION",
        "QUERY",
    ]);
    for head in heads {
        let session = head.session.as_ref();
        let began = session.and_then(|session| session.backend_start.as_deref());
        let user = session.and_then(|session| session.user.as_deref());
        let state = match (head.pid, session) {
            (0, _) => Some("prepared, see pg_prepared_xacts"),
            (_, session) => session.and_then(|session| session.state.as_deref()),
        };
        let open = session.and_then(|session| session.transaction_seconds);
        let query = session.and_then(|session| session.query.as_deref());
        table.row([
            head.pid.to_string(),
            text(began),
            head.blocks.to_string(),
            text(user),
            text(state),
            open.map_or_else(|| text(None), |open| format!("{open:.1} s")),
            text(query),
        ]);
    }
    words.push_str("\nAt the head of those that wait:\n");
    words.push_str(&table.render(""));
    words
}
