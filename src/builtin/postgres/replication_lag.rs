//! `replication_lag`: how far replicas are behind, seen from either side, and what slots keep.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::postgres::cells::{self, bytes, cut, seconds, text};
use crate::builtin::postgres::session::{Session, question};
use crate::builtin::table::Table;
use crate::plugin::{ToolError, Worded};

/// The most replicas, and the most slots, that are listed.
const MAX_LISTED: usize = 100;

/// How far this server has got: what it writes itself, or what it has received.
const HERE: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
    ELSE pg_current_wal_lsn() END AS lsn";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplicationLag {
    /// Which database, by its name in the settings; may be left out where there is one.
    #[serde(default)]
    pub(super) connection: Option<String>,
}

/// How far replicas are behind.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Replication {
    role: String,
    upstream: Option<Upstream>,
    replicas: Vec<Replica>,
    /// Slots: they keep what their readers have not read, until the disk is full.
    slots: Vec<Slot>,
    notes: Vec<String>,
}

/// How a replica stands to its primary.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Upstream {
    /// Whether it receives from its primary now. Where it does not, it cannot know how far that is ahead.
    is_receiving: bool,
    primary: Option<String>,
    slot: Option<String>,
    /// Bytes that the primary has told of and that are not replayed here.
    behind_bytes: Option<i64>,
    /// Seconds that it is behind: 0 where all is replayed, else the age of the last transaction that was.
    behind_seconds: Option<f64>,
    /// Seconds since the last transaction that was replayed here was committed; grows also while nothing happens there.
    last_transaction_seconds: Option<f64>,
    heard_seconds: Option<f64>,
    is_paused: bool,
}

/// One that streams from this server.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Replica {
    pid: i32,
    application: Option<String>,
    client: Option<String>,
    /// `streaming`; `catchup` while it catches up; `backup` for a base backup.
    state: Option<String>,
    sync_state: Option<String>,
    sent_behind_bytes: Option<i64>,
    write_behind_bytes: Option<i64>,
    flush_behind_bytes: Option<i64>,
    replay_behind_bytes: Option<i64>,
    /// Seconds from a commit here until it was written there, as last measured; `null` while nothing is to be sent.
    write_lag_seconds: Option<f64>,
    flush_lag_seconds: Option<f64>,
    replay_lag_seconds: Option<f64>,
    heard_seconds: Option<f64>,
}

/// A slot.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Slot {
    name: String,
    kind: String,
    database: Option<String>,
    is_active: bool,
    /// `reserved`, `extended` (more than `max_wal_size`), `unreserved` (about to be lost), `lost`.
    wal_status: Option<String>,
    /// Whether what its reader needs is gone: the reader must be made anew.
    is_lost: bool,
    kept_bytes: Option<i64>,
    /// Bytes that may still be written until it is lost, where `max_slot_wal_keep_size` bounds that.
    bytes_until_lost: Option<i64>,
    inactive_since: Option<String>,
}

/// Looks at both sides.
pub(super) async fn run(
    session: &mut Session,
    _: &ReplicationLag,
) -> Result<Worded<Replication>, ToolError> {
    let mut notes: Vec<String> = session.hidden().into_iter().collect();
    let upstream = match session.server.is_replica {
        true => Some(upstream(session).await?),
        false => None,
    };
    let mut replicas = replicas(session).await?;
    notes.extend(cut(&mut replicas, MAX_LISTED).map(|more| format!("Of the replicas: {more}")));
    let mut slots = slots(session).await?;
    notes.extend(cut(&mut slots, MAX_LISTED).map(|more| format!("Of the slots: {more}")));
    if upstream
        .as_ref()
        .is_some_and(|upstream| !upstream.is_receiving)
    {
        notes.push("It receives nothing from its primary now, and cannot know how far that is ahead: ask the primary, and see this server's log.".to_owned());
    }
    if upstream.as_ref().is_some_and(|upstream| upstream.is_paused) {
        notes.push("Its replay is paused: pg_wal_replay_resume() lets it go on.".to_owned());
    }
    for slot in &slots {
        let name = &slot.name;
        if slot.is_lost {
            notes.push(format!(
                "What slot `{name}` needs is gone: its reader must be made anew."
            ));
        } else if !slot.is_active {
            let kept = bytes(slot.kept_bytes);
            notes.push(format!(
                "Nobody reads from slot `{name}`, which keeps {kept}: if its reader does not come back, pg_drop_replication_slot('{name}') lets go of it."
            ));
        }
    }
    let role = if upstream.is_some() {
        "replica"
    } else {
        "primary"
    };
    let value = Replication {
        role: role.to_owned(),
        upstream,
        replicas,
        slots,
        notes,
    };
    Ok(Worded {
        words: cells::with_notes(words(&value), &value.notes),
        value,
    })
}

async fn upstream(session: &mut Session) -> Result<Upstream, ToolError> {
    // A role that may not see the receiver's columns still sees that there is one.
    let asked = question(
        "SELECT known.*, CASE WHEN known.behind_bytes = 0 AND known.is_receiving THEN 0 ELSE known.last_transaction_seconds END AS behind_seconds
         FROM (
             SELECT r.pid IS NOT NULL AND coalesce(r.status, 'streaming') = 'streaming' AS is_receiving,
                    r.sender_host || ':' || r.sender_port AS primary, nullif(r.slot_name, '') AS slot,
                    greatest(pg_wal_lsn_diff(greatest(pg_last_wal_receive_lsn(), r.latest_end_lsn), pg_last_wal_replay_lsn()), 0)::int8 AS behind_bytes,
                    extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 AS last_transaction_seconds,
                    extract(epoch FROM clock_timestamp() - r.last_msg_receipt_time)::float8 AS heard_seconds,
                    pg_is_wal_replay_paused() AS is_paused
             FROM (SELECT 1) one LEFT JOIN pg_stat_wal_receiver r ON true
         ) known",
    );
    session.row(asked).await
}

async fn replicas(session: &mut Session) -> Result<Vec<Replica>, ToolError> {
    let behind = |column: &str| {
        format!(
            "greatest(pg_wal_lsn_diff(here.lsn, r.{column}_lsn), 0)::int8 AS {column}_behind_bytes"
        )
    };
    let lag = |column: &str| {
        format!("extract(epoch FROM r.{column}_lag)::float8 AS {column}_lag_seconds")
    };
    let columns = [
        behind("sent"),
        behind("write"),
        behind("flush"),
        behind("replay"),
        lag("write"),
        lag("flush"),
        lag("replay"),
    ];
    let sql = format!(
        "SELECT r.pid, r.application_name AS application, host(r.client_addr) AS client, r.state, r.sync_state, {},
                extract(epoch FROM clock_timestamp() - r.reply_time)::float8 AS heard_seconds
         FROM pg_stat_replication r CROSS JOIN ({HERE}) here
         ORDER BY replay_behind_bytes DESC NULLS LAST, r.application_name, r.pid LIMIT {}",
        columns.join(", "),
        MAX_LISTED + 1
    );
    session.rows(question(&sql)).await
}

async fn slots(session: &mut Session) -> Result<Vec<Slot>, ToolError> {
    let sql = format!(
        "SELECT s.slot_name AS name, s.slot_type AS kind, s.database, s.active AS is_active, s.wal_status,
                coalesce(s.wal_status = 'lost', false) AS is_lost,
                greatest(pg_wal_lsn_diff(here.lsn, s.restart_lsn), 0)::int8 AS kept_bytes,
                s.safe_wal_size AS bytes_until_lost, to_jsonb(s) ->> 'inactive_since' AS inactive_since
         FROM pg_replication_slots s CROSS JOIN ({HERE}) here
         ORDER BY kept_bytes DESC NULLS LAST, s.slot_name LIMIT {}",
        MAX_LISTED + 1
    );
    session.rows(question(&sql)).await
}

fn words(found: &Replication) -> String {
    let mut words = format!("This server is a {}.\n", found.role);
    if let Some(upstream) = &found.upstream {
        let receives = match (upstream.is_receiving, upstream.primary.as_deref()) {
            (true, Some(primary)) => format!("receives from {primary}"),
            (true, None) => "receives".to_owned(),
            (false, _) => "receives nothing".to_owned(),
        };
        words.push_str(&format!(
            "It {receives}, and is behind by {} and {} s; the last transaction that it replayed is {} s old.\n",
            bytes(upstream.behind_bytes),
            seconds(upstream.behind_seconds),
            seconds(upstream.last_transaction_seconds),
        ));
    }
    let heading = [
        "REPLICA",
        "CLIENT",
        "STATE",
        "SYNC",
        "NOT SENT",
        "NOT WRITTEN",
        "NOT FLUSHED",
        "NOT REPLAYED",
        "SECONDS",
    ];
    let mut table = Table::new(heading);
    for replica in &found.replicas {
        let lag = replica.replay_lag_seconds;
        table.row([
            text(replica.application.as_deref()),
            text(replica.client.as_deref()),
            text(replica.state.as_deref()),
            text(replica.sync_state.as_deref()),
            bytes(replica.sent_behind_bytes),
            bytes(replica.write_behind_bytes),
            bytes(replica.flush_behind_bytes),
            bytes(replica.replay_behind_bytes),
            lag.map_or_else(|| text(None), |lag| format!("{lag:.3}")),
        ]);
    }
    words.push_str(&table.render("Nobody streams from it.\n"));
    let mut table = Table::new(["SLOT", "KIND", "ACTIVE", "STATUS", "KEEPS"]);
    for slot in &found.slots {
        let active = if slot.is_active { "yes" } else { "no" };
        table.row([
            slot.name.clone(),
            slot.kind.clone(),
            active.to_owned(),
            text(slot.wal_status.as_deref()),
            bytes(slot.kept_bytes),
        ]);
    }
    words.push_str(&table.render("It has no slots.\n"));
    words
}
