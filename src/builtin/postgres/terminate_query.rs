//! `terminate_query`: ends one query, or the session that it belongs to.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::builtin::postgres::backends::{self, Backend};
use crate::builtin::postgres::ending::{self, Ended, How, Target};
use crate::builtin::postgres::lock_waits;
use crate::builtin::postgres::session::{Session, question};
use crate::plugin::{ToolContext, ToolError, Weight, Worded};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TerminateQuery {
    /// Which database, by its name in the settings; may be left out where there is one.
    #[serde(default)]
    pub(super) connection: Option<String>,
    /// The process of the session, as `slow_queries`, `lock_waits` and `active_connections` list it.
    #[schemars(range(min = 1))]
    pid: i32,
    /// Its `backend_start` as it was listed. Give it: processes are numbered anew, and nothing is ended where the process
    /// belongs to another session by now.
    #[serde(default)]
    backend_start: Option<String>,
    /// `cancel` ends the query and leaves the session; try it first. `terminate` ends the session and rolls back its
    /// transaction: for what does not react, and for sessions that are idle inside of a transaction.
    #[serde(default)]
    how: How,
    /// Also where it is no client, but sends to a replica, is a vacuum against wraparound, or another process of the server.
    #[serde(default)]
    include_system: bool,
}

#[derive(Deserialize)]
struct Same {
    is_same: bool,
}

/// Ends it.
pub(super) async fn run(
    session: &mut Session,
    wanted: &TerminateQuery,
    context: &ToolContext,
) -> Result<Worded<Ended>, ToolError> {
    let target = find(session, wanted).await?;
    ending::end(session, target, context).await
}

/// What would end.
pub(super) async fn weigh(
    session: &mut Session,
    wanted: &TerminateQuery,
) -> Result<Weight, ToolError> {
    let target = find(session, wanted).await?;
    Ok(Weight::Changes(target.change(&session.database.name)))
}

async fn find(session: &mut Session, wanted: &TerminateQuery) -> Result<Target, ToolError> {
    let pid = wanted.pid;
    let found = backends::of(session, &[pid]).await?.pop();
    let backend = found.ok_or_else(|| {
        ToolError::new(format!(
            "there is no session {pid}: it may have ended; ask `slow_queries` or `lock_waits` again"
        ))
    })?;
    is_meant(session, &backend, wanted.backend_start.as_deref()).await?;
    if let Some(why) = ending::refusal(&backend, wanted.include_system) {
        return Err(ToolError::new(why));
    }
    let is_idle = backend
        .state
        .as_deref()
        .is_some_and(|state| state.starts_with("idle"));
    if wanted.how == How::Cancel && is_idle {
        return Err(ToolError::new(format!(
            "{} runs no query that could be cancelled; `how`: `terminate` ends the session",
            backend.words()
        )));
    }
    let (_, heads) = lock_waits::read(session).await?;
    let blocks = heads.iter().find(|head| head.pid == pid);
    let blocks = blocks.map_or(0, |head| head.blocks);
    Ok(Target {
        backend,
        how: wanted.how,
        blocks,
    })
}

/// Whether this is the session that was listed.
async fn is_meant(
    session: &mut Session,
    backend: &Backend,
    listed: Option<&str>,
) -> Result<(), ToolError> {
    let (Some(listed), Some(began)) = (listed, backend.backend_start.as_deref()) else {
        return Ok(());
    };
    // The server reads times, however they are written.
    let asked = question("SELECT $1::text::timestamptz = $2::text::timestamptz AS is_same")
        .bind(listed)
        .bind(began);
    match session.row::<Same>(asked).await?.is_same {
        true => Ok(()),
        false => Err(ToolError::new(format!(
            "process {} belongs to another session by now, which began at {began}: nothing was ended; ask `slow_queries` or `lock_waits` again",
            backend.pid
        ))),
    }
}
