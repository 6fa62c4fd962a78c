//! Ending a session or its query: whether that may be done, that it is still the same one, what is said of it before, and
//! whether it has really ended.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::builtin::postgres::backends::Backend;
use crate::builtin::postgres::session::{Question, Session, question};
use crate::plugin::{Change, ToolContext, ToolError, Worded};

/// How long one gets to be gone after it was told to end.
const ENDING: Duration = Duration::from_secs(5);

/// How often that is looked at.
const TICK: Duration = Duration::from_millis(50);

/// The most letters of a query that stand in the question whether to end it.
const ASKED_LETTERS: usize = 300;

/// What is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum How {
    /// The query; the session stays, and its transaction with it, which can then only be rolled back.
    #[default]
    Cancel,
    /// The session; its transaction is rolled back.
    Terminate,
}

/// What is to end, once that was found out.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) backend: Backend,
    pub(super) how: How,
    /// How many sessions wait for it.
    pub(super) blocks: usize,
}

/// What a yes is to: this very session; where its query is to be cancelled, this very query.
#[derive(Serialize)]
struct Meant<'a> {
    connection: &'a str,
    pid: i32,
    backend_start: Option<&'a str>,
    how: How,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_start: Option<&'a str>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It was told to end, and has ended.
    Ended,
    /// It was told to end, and has not ended yet.
    NotYet,
    /// It had ended by itself before it could be told.
    WasGone,
    /// It would be told to end, were this no dry run.
    WouldEnd,
    /// There was nothing to end.
    Nothing,
}

/// A session that was ended, or would be.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Ended {
    /// Whether it has really ended.
    pub(super) done: bool,
    pub(super) outcome: Outcome,
    /// Whether this was a dry run, in which nothing ends.
    pub(super) dry_run: bool,
    pub(super) how: How,
    /// The session, as it was before; `null` where there was none to end.
    pub(super) session: Option<Backend>,
    /// How many sessions waited for it.
    pub(super) blocks: usize,
}

impl Target {
    /// What ending it would be, for whom is asked whether it may be.
    pub(super) fn change(&self, connection: &str) -> Change {
        let backend = &self.backend;
        let what = match self.how {
            How::Cancel => "cancels the query of",
            How::Terminate => "ends",
        };
        let waited = match self.blocks {
            0 => String::new(),
            1 => ", for which one other waits,".to_owned(),
            more => format!(", for which {more} others wait,"),
        };
        let told = backend.told(ASKED_LETTERS);
        let words = format!(
            "{what} session {}{waited} at the connection `{connection}` ({told})",
            backend.pid
        );
        Change::new(words).of(&self.meant(connection))
    }

    fn meant<'a>(&'a self, connection: &'a str) -> Meant<'a> {
        let Backend {
            pid,
            backend_start,
            query_start,
            ..
        } = &self.backend;
        let query_start = query_start.as_deref();
        Meant {
            connection,
            pid: *pid,
            backend_start: backend_start.as_deref(),
            how: self.how,
            query_start: query_start.filter(|_| self.how == How::Cancel),
        }
    }
}

#[derive(Deserialize)]
struct Told {
    told: bool,
}

#[derive(Deserialize)]
struct Count {
    count: i64,
}

/// Why this session is not to be ended, if so. What the server needs itself may be ended by who says so.
pub(super) fn refusal(backend: &Backend, may_end_system: bool) -> Option<String> {
    let who = backend.words();
    if backend.is_own {
        return Some(format!(
            "{who} is one of this gateway's own, which it does not end: cancel the call that it works for"
        ));
    }
    if backend.backend_start.is_none() {
        return Some(format!(
            "what session {} is cannot be seen by this role, so it cannot be made sure that the right one ends: GRANT pg_monitor shows it",
            backend.pid
        ));
    }
    let what = match backend.backend_type.as_deref() {
        Some("client backend" | "parallel worker") => return None,
        Some("walsender") => "sends to a replica, which would fall behind and has to connect again",
        Some("autovacuum worker") if backend.is_against_wraparound => {
            "is a vacuum that keeps the server from running out of transaction ids; it would begin anew and block again"
        }
        _ => "belongs to the server itself",
    };
    (!may_end_system).then(|| {
        format!("{who} {what}; if it is to be ended all the same, call again with `include_system`: true")
    })
}

/// Ends it, unless this is a dry run, or another one than was agreed to.
pub(super) async fn end(
    session: &mut Session,
    target: Target,
    context: &ToolContext,
) -> Result<Worded<Ended>, ToolError> {
    if session.may_change {
        context.hold_to(&target.meant(&session.database.name))?;
    }
    let Target {
        backend,
        how,
        blocks,
    } = target;
    let outcome = match session.may_change {
        false => Outcome::WouldEnd,
        true => match tell(session, &backend, how).await? {
            None => Outcome::WasGone,
            Some(false) => {
                return Err(ToolError::new(format!(
                    "the server did not pass the signal on to {}",
                    backend.words()
                )));
            }
            Some(true) => has_ended(session, &backend, how).await?,
        },
    };
    let who = backend.words();
    let what = match how {
        How::Cancel => format!("the query of {who}"),
        How::Terminate => who,
    };
    let waited = match blocks {
        0 => String::new(),
        1 => "; one session waited for it".to_owned(),
        more => format!("; {more} sessions waited for it"),
    };
    let words = match outcome {
        Outcome::Ended => format!("Ended {what}{waited}. It is gone."),
        Outcome::NotYet => format!(
            "Told {what} to end{waited}; it has not ended after {} s. It may be rolling back, or be held up by the disk or the network: look again.",
            ENDING.as_secs()
        ),
        Outcome::WasGone => format!("{what} had ended by itself before; nothing was done."),
        Outcome::WouldEnd => format!("Dry run: would end {what}{waited}. Nothing was done."),
        Outcome::Nothing => "There was nothing to end.".to_owned(),
    };
    Ok(Worded {
        words,
        value: Ended {
            done: outcome == Outcome::Ended,
            outcome,
            dry_run: !session.may_change,
            how,
            session: Some(backend),
            blocks,
        },
    })
}

/// A question of the session, if it is still the same; where only its query is to end, if that is still the one that was
/// looked at.
fn of_the_same(what: &str, backend: &Backend, how: How) -> Question<'static> {
    let sql = format!(
        "SELECT {what} FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2::timestamptz"
    );
    let bound = |sql: &str| {
        question(sql)
            .bind(backend.pid)
            .bind(backend.backend_start.clone())
    };
    match how {
        How::Terminate => bound(&sql),
        How::Cancel => bound(&format!(
            "{sql} AND query_start IS NOT DISTINCT FROM $3::timestamptz AND state IN ('active', 'fastpath function call')"
        ))
        .bind(backend.query_start.clone()),
    }
}

/// Tells it to end if it is still the same, in one statement; `None` where it is not there any more.
async fn tell(
    session: &mut Session,
    backend: &Backend,
    how: How,
) -> Result<Option<bool>, ToolError> {
    let function = match how {
        How::Cancel => "pg_cancel_backend",
        How::Terminate => "pg_terminate_backend",
    };
    let asked = of_the_same(&format!("{function}(pid) AS told"), backend, how);
    let told: Vec<Told> = session.rows(asked).await?;
    Ok(told.first().map(|told| told.told))
}

/// Waits until it has ended, for as long as that may take.
async fn has_ended(
    session: &mut Session,
    backend: &Backend,
    how: How,
) -> Result<Outcome, ToolError> {
    let until = Instant::now() + ENDING;
    loop {
        let asked = of_the_same("count(*) AS count", backend, how);
        if session.row::<Count>(asked).await?.count == 0 {
            return Ok(Outcome::Ended);
        }
        if Instant::now() >= until {
            return Ok(Outcome::NotYet);
        }
        tokio::time::sleep(TICK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(kind: &str) -> Backend {
        Backend {
            pid: 7,
            backend_start: Some("2026-01-01T00:00:00+00:00".to_owned()),
            backend_type: Some(kind.to_owned()),
            user: Some("ann".to_owned()),
            database: None,
            application: None,
            client: None,
            state: None,
            state_seconds: None,
            transaction_seconds: None,
            query_start: None,
            query: None,
            is_own: false,
            is_against_wraparound: false,
        }
    }

    /// Times go on while somebody thinks about it, and others come to wait; which one is meant stays.
    #[test]
    fn a_yes_is_to_the_session_and_not_to_its_times() {
        let change = |pid: i32, seconds: f64, query_start: &str, how: How| {
            let mut backend = backend("client backend");
            backend.pid = pid;
            backend.state = Some("active".to_owned());
            backend.transaction_seconds = Some(seconds);
            backend.query_start = Some(query_start.to_owned());
            backend.query = Some("UPDATE a\n  SET b = 1".to_owned());
            let blocks = pid as usize - 6;
            let target = Target {
                backend,
                how,
                blocks,
            };
            target.change("shop")
        };
        let one = change(7, 12.3, "a", How::Terminate);
        assert_eq!(
            one.effect(),
            "ends session 7, for which one other waits, at the connection `shop` (user `ann`, active, in a transaction for 12 s: `UPDATE a SET b = 1`)"
        );
        assert_eq!(one, change(7, 99.0, "b", How::Terminate));
        assert_ne!(one, change(8, 12.3, "a", How::Terminate));
        assert_ne!(one, change(7, 12.3, "a", How::Cancel));
        assert_ne!(
            change(7, 12.3, "a", How::Cancel),
            change(7, 12.3, "b", How::Cancel)
        );
    }

    fn check(change: impl FnOnce(&mut Backend), kind: &str, may_end_system: bool, expect: &str) {
        let mut backend = backend(kind);
        change(&mut backend);
        let why = refusal(&backend, may_end_system).unwrap_or_default();
        assert_eq!(why.is_empty(), expect.is_empty(), "{kind}: {why}");
        assert!(why.contains(expect), "{kind}: {why}");
    }

    #[test]
    fn what_the_server_needs_is_not_ended_without_being_told() {
        let as_it_is = |_: &mut Backend| {};
        check(as_it_is, "client backend", false, "");
        check(as_it_is, "walsender", false, "sends to a replica");
        check(as_it_is, "walsender", true, "");
        check(as_it_is, "startup", false, "belongs to the server");
        check(
            as_it_is,
            "autovacuum worker",
            false,
            "belongs to the server",
        );
        let wraparound = |backend: &mut Backend| backend.is_against_wraparound = true;
        check(wraparound, "autovacuum worker", false, "transaction ids");
        check(wraparound, "autovacuum worker", true, "");
        let own = |backend: &mut Backend| backend.is_own = true;
        check(own, "client backend", true, "gateway's own");
        let hidden = |backend: &mut Backend| backend.backend_start = None;
        check(hidden, "client backend", true, "pg_monitor");
    }
}
