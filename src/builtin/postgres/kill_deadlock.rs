//! `kill_deadlock`: ends the session at the head of those that wait.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::builtin::postgres::backends;
use crate::builtin::postgres::ending::{self, Ended, How, Outcome, Target};
use crate::builtin::postgres::lock_waits;
use crate::builtin::postgres::session::Session;
use crate::plugin::{ToolContext, ToolError, Weight, Worded};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KillDeadlock {
    /// Which database, by its name in the settings; may be left out where there is one. Sessions of all databases of its
    /// server count.
    #[serde(default)]
    pub(super) connection: Option<String>,
    /// Only a session for which somebody has waited for so many seconds already.
    #[serde(default = "usual_seconds")]
    #[schemars(range(min = 0))]
    min_wait_seconds: f64,
    /// Also where the head is no client, but sends to a replica, is a vacuum against wraparound, or another process of the
    /// server.
    #[serde(default)]
    include_system: bool,
}

/// What there is to end.
enum Found {
    Head(Box<Target>),
    /// None, for this reason.
    Nothing(String),
}

/// Ends the head of those that wait. PostgreSQL ends most deadlocks itself after a second; what stays is a session that
/// holds locks and does not go on.
pub(super) async fn run(
    session: &mut Session,
    wanted: &KillDeadlock,
    context: &ToolContext,
) -> Result<Worded<Ended>, ToolError> {
    match find(session, wanted).await? {
        Found::Head(target) => ending::end(session, *target, context).await,
        Found::Nothing(words) => Ok(nothing(session, words)),
    }
}

/// What would end.
pub(super) async fn weigh(
    session: &mut Session,
    wanted: &KillDeadlock,
) -> Result<Weight, ToolError> {
    Ok(match find(session, wanted).await? {
        Found::Head(target) => Weight::Changes(target.change(&session.database.name)),
        Found::Nothing(_) => Weight::Looks,
    })
}

async fn find(session: &mut Session, wanted: &KillDeadlock) -> Result<Found, ToolError> {
    let (_, heads) = lock_waits::read(session).await?;
    let long_enough = |seconds: f64| seconds >= wanted.min_wait_seconds;
    let Some(head) = heads
        .into_iter()
        .find(|head| long_enough(head.longest_seconds))
    else {
        let words = format!(
            "Nobody has waited for a lock for {} s: there is nothing to end.",
            wanted.min_wait_seconds
        );
        return Ok(Found::Nothing(words));
    };
    if head.pid == 0 {
        return Err(ToolError::new(format!(
            "{} sessions wait for a transaction that is prepared and has no session: find it in pg_prepared_xacts, and end it by COMMIT PREPARED or ROLLBACK PREPARED",
            head.blocks
        )));
    }
    let found = backends::of(session, &[head.pid]).await?.pop();
    let Some(backend) = found else {
        let words = format!(
            "Session {} had ended by itself; nothing was done.",
            head.pid
        );
        return Ok(Found::Nothing(words));
    };
    match ending::refusal(&backend, wanted.include_system) {
        Some(why) => Err(ToolError::new(why)),
        None => Ok(Found::Head(Box::new(Target {
            backend,
            how: How::Terminate,
            blocks: head.blocks,
        }))),
    }
}

fn nothing(session: &Session, words: String) -> Worded<Ended> {
    Worded {
        words,
        value: Ended {
            done: false,
            outcome: Outcome::Nothing,
            dry_run: !session.may_change,
            how: How::Terminate,
            session: None,
            blocks: 0,
        },
    }
}

fn usual_seconds() -> f64 {
    10.0
}
