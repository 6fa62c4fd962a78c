//! `postgres`: looks into PostgreSQL servers, and mends a few things there.
//!
//! Callers name a connection of the settings, never an address. What looks does so in transactions that can change
//! nothing, each statement within a bound; a dry run of what mends does too. Each call has a session of its own, which
//! ends with it.

mod active_connections;

mod backends;

mod cells;

mod connections;

mod ending;

mod failure;

mod kill_deadlock;

mod lock_waits;

mod query_text;

mod replication_lag;

mod session;

mod settings;

mod slow_queries;

mod table_bloat;

mod table_name;

mod terminate_query;

mod vacuum_table;

mod wait_graph;

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::builtin::postgres::active_connections::ActiveConnections;
use crate::builtin::postgres::connections::Connections;
use crate::builtin::postgres::kill_deadlock::KillDeadlock;
use crate::builtin::postgres::lock_waits::LockWaits;
use crate::builtin::postgres::replication_lag::ReplicationLag;
use crate::builtin::postgres::session::Session;
use crate::builtin::postgres::settings::Settings;
use crate::builtin::postgres::slow_queries::SlowQueries;
use crate::builtin::postgres::table_bloat::TableBloat;
use crate::builtin::postgres::terminate_query::TerminateQuery;
use crate::builtin::postgres::vacuum_table::VacuumTable;
use crate::plugin::{
    Annotations, Category, HookResult, Plugin, PluginContext, Risk, ToolContext, ToolError,
    ToolOptions, Tools, Weight, Worded,
};
use crate::wire::json::Json;

/// The plugin.
#[derive(Default)]
pub(super) struct Postgres {
    /// Replaced when the settings change; calls that run keep those they began with.
    connections: Arc<ArcSwap<Connections>>,
}

/// Arguments that name a connection.
trait Wanted: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    fn connection(&self) -> Option<&str>;
}

macro_rules! wanted {
    ($($arguments:ty),*) => {$(
        impl Wanted for $arguments {
            fn connection(&self) -> Option<&str> {
                self.connection.as_deref()
            }
        }
    )*};
}

wanted!(
    ActiveConnections,
    KillDeadlock,
    LockWaits,
    ReplicationLag,
    SlowQueries,
    TableBloat,
    TerminateQuery,
    VacuumTable
);

/// What a tool does in its session.
type Work<A, R> = for<'a> fn(
    &'a mut Session,
    &'a A,
    &'a ToolContext,
) -> BoxFuture<'a, Result<Worded<R>, ToolError>>;

/// Finds out in a session what a call would do.
type Look<A> = for<'a> fn(&'a mut Session, &'a A) -> BoxFuture<'a, Result<Weight, ToolError>>;

#[async_trait]
impl Plugin for Postgres {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        let settings: Settings = context.settings()?;
        let connections = Connections::of(&settings);
        let connections = connections.map_err(|error| error.message().to_owned())?;
        self.connections.store(Arc::new(connections));
        Ok(())
    }

    fn tools(&self, tools: &mut Tools) {
        self.add_looks(tools);
        self.add_mends(tools);
    }

    fn instructions(&self) -> Option<String> {
        Some("To find what holds up a PostgreSQL server: `lock_waits` and `slow_queries` first, then `active_connections`. Before `terminate_query` or `kill_deadlock` try a dry run, and give `backend_start` as it was listed.".to_owned())
    }

    fn cooperative(&self) -> bool {
        true
    }
}

impl Postgres {
    fn add_looks(&self, tools: &mut Tools) {
        looks(self.add(
            tools,
            "slow_queries",
            "Lists the queries of a PostgreSQL server that have run the longest now, and from pg_stat_statements those that took longest so far. For what waits for a lock see `lock_waits`.",
            Category::Diagnostic,
            |session, wanted: &SlowQueries, _| Box::pin(slow_queries::run(session, wanted)),
        ));
        looks(self.add(
            tools,
            "lock_waits",
            "Lists who waits for a lock in a PostgreSQL server, for how long and for whom, and which sessions are at the head of all that wait.",
            Category::Diagnostic,
            |session, wanted: &LockWaits, _| Box::pin(lock_waits::run(session, wanted)),
        ));
        looks(self.add(
            tools,
            "active_connections",
            "Counts the connections of a PostgreSQL server by database, user, application and state, says how many there may be, and lists transactions that stand idle.",
            Category::Diagnostic,
            |session, wanted: &ActiveConnections, _| {
                Box::pin(active_connections::run(session, wanted))
            },
        ));
        looks(self.add(
            tools,
            "replication_lag",
            "Says how far the replicas of a PostgreSQL server are behind, or this replica behind its primary, in bytes and seconds, and what replication slots keep.",
            Category::Diagnostic,
            |session, wanted: &ReplicationLag, _| Box::pin(replication_lag::run(session, wanted)),
        ));
        looks(self.add(
            tools,
            "table_bloat",
            "Lists the tables of a PostgreSQL database with the most dead rows: sizes, when they were vacuumed, and whether autovacuum is off or behind. `vacuum_table` mends that.",
            Category::Diagnostic,
            |session, wanted: &TableBloat, _| Box::pin(table_bloat::run(session, wanted)),
        ));
    }

    fn add_mends(&self, tools: &mut Tools) {
        let kill = self.add(
            tools,
            "kill_deadlock",
            "Ends the PostgreSQL session at the head of those that wait for locks, and rolls back its transaction, so that the others go on. `lock_waits` shows which that is.",
            Category::Remediation,
            |session, wanted: &KillDeadlock, context| {
                Box::pin(kill_deadlock::run(session, wanted, context))
            },
        );
        kill.remediation()
            .risk(Risk::High)
            .requires_approval()
            .touches("one session and what it has not committed; those that wait for it go on");
        reaches_out(kill, (true, false));
        self.weigh(kill, |session, wanted: &KillDeadlock| {
            Box::pin(kill_deadlock::weigh(session, wanted))
        });
        let terminate = self.add(
            tools,
            "terminate_query",
            "Cancels one query of a PostgreSQL server, or ends its session, by the process that `slow_queries`, `lock_waits` or `active_connections` list.",
            Category::Remediation,
            |session, wanted: &TerminateQuery, context| {
                Box::pin(terminate_query::run(session, wanted, context))
            },
        );
        terminate
            .remediation()
            .risk(Risk::High)
            .requires_approval()
            .touches("one query, or one session and what it has not committed");
        reaches_out(terminate, (true, false));
        self.weigh(terminate, |session, wanted: &TerminateQuery| {
            Box::pin(terminate_query::weigh(session, wanted))
        });
        let vacuum = self.add(
            tools,
            "vacuum_table",
            "Vacuums one table of a PostgreSQL database, up to ten minutes: dead rows make room for new ones, and statistics are gathered anew. Only what is free at its end goes back to the disk; others go on using the table meanwhile.",
            Category::Remediation,
            |session, wanted: &VacuumTable, context| {
                Box::pin(vacuum_table::run(session, wanted, context))
            },
        );
        vacuum
            .category(Category::Remediation)
            .risk(Risk::Medium)
            .touches("one table, which is read as a whole at most; the disk is busy meanwhile");
        reaches_out(vacuum, (false, true));
    }

    /// Says of each call of the tool what it would do, before anybody is asked whether it may be made.
    fn weigh<A: Wanted>(&self, tool: &mut ToolOptions, look: Look<A>) {
        let connections = Arc::clone(&self.connections);
        tool.weigh(move |arguments| {
            let weighing = weigh(connections.load_full(), arguments, look);
            async move { weighing.await.unwrap_or_else(Weight::Refused) }
        });
    }

    /// Adds a tool that works in a session of its own with the connection that its arguments name.
    fn add<'t, A: Wanted, R: Serialize + JsonSchema + Send + 'static>(
        &self,
        tools: &'t mut Tools,
        name: &str,
        says: &str,
        does: Category,
        work: Work<A, R>,
    ) -> &'t mut ToolOptions {
        let connections = Arc::clone(&self.connections);
        let mends = does == Category::Remediation;
        tools.add(name, says, move |wanted: A, context: ToolContext| {
            let connections = connections.load_full();
            async move {
                let database = connections.find(wanted.connection())?;
                let mut session = match mends && !context.is_dry_run() {
                    true => Session::act(&database).await?,
                    false => Session::look(&database).await?,
                };
                let done = work(&mut session, &wanted, &context).await;
                session.end().await;
                done
            }
        })
    }
}

/// What a call would do, seen in a session that changes nothing.
async fn weigh<A: Wanted>(
    connections: Arc<Connections>,
    arguments: Json,
    look: Look<A>,
) -> Result<Weight, ToolError> {
    let wanted: A = arguments.parse()?;
    let database = connections.find(wanted.connection())?;
    let mut session = Session::look(&database).await?;
    let weight = look(&mut session, &wanted).await;
    session.end().await;
    weight
}

/// What all tools that look have in common.
fn looks(tool: &mut ToolOptions) {
    tool.category(Category::Diagnostic)
        .risk(Risk::Low)
        .annotations(Annotations {
            read_only: Some(true),
            open_world: Some(true),
            idempotent: Some(true),
            ..Annotations::default()
        });
}

/// What clients may assume of a tool that changes something: whether what it changes is lost, and whether calling it again
/// changes more.
fn reaches_out(tool: &mut ToolOptions, (destructive, idempotent): (bool, bool)) {
    tool.annotations(Annotations {
        read_only: Some(false),
        destructive: Some(destructive),
        idempotent: Some(idempotent),
        open_world: Some(true),
    });
}
