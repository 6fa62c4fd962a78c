//! `postgres`: looks into PostgreSQL servers, and mends a few things there.
//!
//! Callers name a connection of the settings, never an address. What looks does so in transactions that can change
//! nothing, each statement within a bound.

mod activity;

mod connections;

mod mends;

mod storage;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;

use crate::builtin::postgres::activity::{Of, SlowQueries};
use crate::builtin::postgres::connections::Connections;
use crate::builtin::postgres::mends::{KillDeadlock, TerminateQuery, VacuumTable};
use crate::builtin::postgres::storage::TableBloat;
use crate::plugin::{
    Annotations, Category, HookResult, Plugin, PluginContext, ToolContext, ToolOptions, Tools,
};

/// How long a table may be vacuumed.
const VACUUM: Duration = Duration::from_secs(600);

/// The plugin.
#[derive(Default)]
pub(super) struct Postgres {
    /// Replaced when the settings change.
    connections: Arc<ArcSwap<Connections>>,
}

#[async_trait]
impl Plugin for Postgres {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        let connections = Connections::of(context.settings()?);
        let connections = connections.map_err(|error| error.message().to_owned())?;
        let before = self.connections.swap(Arc::new(connections));
        before.close().await;
        Ok(())
    }

    async fn on_stop(&self) -> HookResult {
        self.connections.load().close().await;
        Ok(())
    }

    fn tools(&self, tools: &mut Tools) {
        self.add_looks(tools);
        self.add_mends(tools);
    }

    fn cooperative(&self) -> bool {
        true
    }
}

/// Adds a tool that finds its connection by the argument of that name.
macro_rules! tool {
    ($plugin:ident, $tools:ident, $name:literal, $says:literal, |$database:ident, $wanted:ident: $arguments:ty| $work:expr) => {{
        let connections = Arc::clone(&$plugin.connections);
        let handler = move |$wanted: $arguments, _: ToolContext| {
            let connections = connections.load_full();
            async move {
                let $database = connections.find($wanted.connection.as_deref())?;
                $work.await
            }
        };
        $tools.add($name, $says, handler)
    }};
}

impl Postgres {
    fn add_looks(&self, tools: &mut Tools) {
        looks(tool!(
            self,
            tools,
            "slow_queries",
            "Lists the queries that run for the longest time now, and those that took longest on the average so far",
            |database, wanted: SlowQueries| activity::slow_queries(database, &wanted)
        ));
        looks(tool!(
            self,
            tools,
            "lock_waits",
            "Lists who waits for a lock, for how long, and who holds it",
            |database, wanted: Of| activity::lock_waits(database)
        ));
        looks(tool!(
            self,
            tools,
            "active_connections",
            "Counts connections by database, user, application and state, and how many there may be",
            |database, wanted: Of| activity::active_connections(database)
        ));
        looks(tool!(
            self,
            tools,
            "replication_lag",
            "Says how far replicas are behind, in bytes and seconds, and what slots keep",
            |database, wanted: Of| storage::replication_lag(database)
        ));
        looks(tool!(
            self,
            tools,
            "table_bloat",
            "Lists the tables with the most dead rows, and when they were vacuumed",
            |database, wanted: TableBloat| storage::table_bloat(database, &wanted)
        ));
    }

    fn add_mends(&self, tools: &mut Tools) {
        mends(tool!(
            self,
            tools,
            "kill_deadlock",
            "Ends the session that others wait for the longest; its transaction is rolled back",
            |database, wanted: KillDeadlock| mends::kill_deadlock(database, &wanted)
        ));
        mends(tool!(
            self,
            tools,
            "terminate_query",
            "Ends a query, or the session it belongs to, by its process",
            |database, wanted: TerminateQuery| mends::terminate_query(database, &wanted)
        ));
        let vacuum = tool!(
            self,
            tools,
            "vacuum_table",
            "Vacuums one table: frees what dead rows take, and gathers statistics",
            |database, wanted: VacuumTable| mends::vacuum_table(database, &wanted)
        );
        vacuum.timeout(VACUUM);
        vacuum
            .category(Category::Remediation)
            .annotations(Annotations {
                read_only: Some(false),
                destructive: Some(false),
                idempotent: Some(true),
                open_world: Some(true),
            });
    }
}

fn looks(tool: &mut ToolOptions) {
    tool.category(Category::Diagnostic)
        .annotations(Annotations {
            read_only: Some(true),
            open_world: Some(true),
            ..Annotations::default()
        });
}

fn mends(tool: &mut ToolOptions) {
    tool.category(Category::Remediation)
        .annotations(Annotations {
            read_only: Some(false),
            destructive: Some(true),
            idempotent: Some(false),
            open_world: Some(true),
        });
}
