//! `active_connections`: how many sessions there are, whose, and which stand idle inside of transactions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::postgres::backends::{self, Backend};
use crate::builtin::postgres::cells::{self, cut, seconds, text};
use crate::builtin::postgres::session::{Session, question};
use crate::builtin::table::Table;
use crate::plugin::{ToolError, Worded};

/// The most groups that are listed.
const MAX_GROUPS: usize = 100;

/// The most idle transactions that are listed.
const MAX_IDLE: usize = 10;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ActiveConnections {
    /// Which database, by its name in the settings; may be left out where there is one.
    #[serde(default)]
    pub(super) connection: Option<String>,
}

/// How many sessions there are.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Connected {
    max_connections: i64,
    /// How many of these are kept for superusers and roles like them.
    reserved: i64,
    used: i64,
    groups: Vec<Group>,
    /// The sessions that have been idle inside of a transaction for the longest: they keep locks, and dead rows from being
    /// removed.
    idle_in_transaction: Vec<Backend>,
    notes: Vec<String>,
}

/// Sessions that have this in common.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Group {
    count: i64,
    database: Option<String>,
    user: Option<String>,
    application: Option<String>,
    /// `active`, `idle`, `idle in transaction` and others; `null` where it is hidden.
    state: Option<String>,
    longest_seconds: Option<f64>,
}

#[derive(Deserialize)]
struct Counts {
    max_connections: i64,
    reserved: i64,
    used: i64,
}

/// Counts the sessions.
pub(super) async fn run(
    session: &mut Session,
    _: &ActiveConnections,
) -> Result<Worded<Connected>, ToolError> {
    let mut notes: Vec<String> = session.hidden().into_iter().collect();
    // `reserved_connections` came with version 16.
    let counts: Counts = session
        .row(question(
            "SELECT current_setting('max_connections')::int8 AS max_connections,
                    current_setting('superuser_reserved_connections')::int8
                      + coalesce(current_setting('reserved_connections', true)::int8, 0) AS reserved,
                    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used",
        ))
        .await?;
    let groups = question(
        "SELECT count(*) AS count, datname AS database, usename AS \"user\", application_name AS application, state,
                max(extract(epoch FROM clock_timestamp() - state_change)::float8) AS longest_seconds
         FROM pg_stat_activity WHERE backend_type = 'client backend'
         GROUP BY datname, usename, application_name, state ORDER BY 1 DESC, 2, 3, 4, 5 LIMIT $1",
    );
    let most = i64::try_from(MAX_GROUPS).unwrap_or(i64::MAX);
    let mut groups: Vec<Group> = session.rows(groups.bind(most + 1)).await?;
    notes.extend(cut(&mut groups, MAX_GROUPS).map(|more| format!("Of the groups: {more}")));
    let idle = format!(
        "SELECT {} FROM pg_stat_activity a WHERE a.state LIKE 'idle in transaction%'
         ORDER BY a.state_change, a.pid LIMIT {MAX_IDLE}",
        backends::columns()
    );
    let idle = session.rows(question(&idle)).await?;
    let value = Connected {
        max_connections: counts.max_connections,
        reserved: counts.reserved,
        used: counts.used,
        groups,
        idle_in_transaction: backends::shown(session, idle),
        notes,
    };
    Ok(Worded {
        words: cells::with_notes(words(&value), &value.notes),
        value,
    })
}

fn words(found: &Connected) -> String {
    let Connected {
        used,
        max_connections,
        reserved,
        ..
    } = found;
    let mut words = format!(
        "{used} of {max_connections} connections are in use; {reserved} are reserved for superusers.\n"
    );
    let heading = [
        "COUNT",
        "DATABASE",
        "USER",
        "APPLICATION",
        "STATE",
        "LONGEST",
    ];
    let mut table = Table::new(heading);
    for group in &found.groups {
        table.row([
            group.count.to_string(),
            text(group.database.as_deref()),
            text(group.user.as_deref()),
            text(group.application.as_deref()),
            text(group.state.as_deref()),
            seconds(group.longest_seconds),
        ]);
    }
    words.push_str(&table.render(""));
    if !found.idle_in_transaction.is_empty() {
        let mut table = Table::new([
            "PID",
            "BACKEND START",
            "USER",
            "DATABASE",
            "IDLE",
            "TRANSACTION",
            "LAST QUERY",
        ]);
        for idle in &found.idle_in_transaction {
            table.row([
                idle.pid.to_string(),
                text(idle.backend_start.as_deref()),
                text(idle.user.as_deref()),
                text(idle.database.as_deref()),
                seconds(idle.state_seconds),
                seconds(idle.transaction_seconds),
                text(idle.query.as_deref()),
            ]);
        }
        words.push_str("\nIdle inside of a transaction for the longest, in seconds:\n");
        words.push_str(&table.render(""));
    }
    words
}
