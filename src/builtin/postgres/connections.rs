//! The databases that the settings name. A model names one of them; it never says where it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::builtin::postgres::failure;
use crate::builtin::postgres::settings::Settings;
use crate::plugin::ToolError;

/// How long a connection may take to be there, and a call waits for its turn.
const CONNECT: Duration = Duration::from_secs(5);

/// The most connections to one database at a time. None is kept: an idle session is one that others cannot have.
const MAX_CONNECTIONS: usize = 4;

/// The databases.
#[derive(Default)]
pub(super) struct Connections(BTreeMap<String, Arc<Database>>);

/// One of them.
pub(super) struct Database {
    /// What callers call it.
    pub(super) name: String,
    /// Milliseconds that one statement may take.
    pub(super) statement_timeout_ms: u32,
    /// Whether the texts of queries are shown.
    pub(super) show_query_text: bool,
    options: PgConnectOptions,
    slots: Arc<Semaphore>,
}

impl Connections {
    /// The databases of these settings. Connects to none of them.
    pub(super) fn of(settings: &Settings) -> Result<Self, ToolError> {
        if settings.connections.is_empty() {
            return Err(ToolError::new(
                "no database is configured: give one as `connections.NAME.url` in the plugin's `config`",
            ));
        }
        let databases = settings.connections.iter().map(|(name, connection)| {
            let shown = connection.show_query_text;
            let database = Database {
                name: name.clone(),
                statement_timeout_ms: connection.statement_timeout_ms.max(1),
                show_query_text: shown.unwrap_or(settings.show_query_text),
                options: connection.options(name)?,
                slots: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            };
            Ok::<_, ToolError>((name.clone(), Arc::new(database)))
        });
        Ok(Self(databases.collect::<Result<_, _>>()?))
    }

    /// The database of that name; without a name the only one.
    pub(super) fn find(&self, name: Option<&str>) -> Result<Arc<Database>, ToolError> {
        let names = || {
            let names: Vec<_> = self.0.keys().map(|name| format!("`{name}`")).collect();
            names.join(", ")
        };
        match (name, self.0.values().next()) {
            (Some(name), _) => self.0.get(name).map(Arc::clone).ok_or_else(|| {
                ToolError::new(format!(
                    "there is no connection `{name}`; there are: {}",
                    names()
                ))
            }),
            (None, Some(only)) if self.0.len() == 1 => Ok(Arc::clone(only)),
            (None, _) => Err(ToolError::new(format!(
                "say which `connection`; there are: {}",
                names()
            ))),
        }
    }
}

impl Database {
    /// A new connection, and the place it takes among those that there may be.
    pub(super) async fn connect(&self) -> Result<(PgConnection, OwnedSemaphorePermit), ToolError> {
        let name = &self.name;
        let slot = tokio::time::timeout(CONNECT, Arc::clone(&self.slots).acquire_owned()).await;
        let Ok(Ok(slot)) = slot else {
            return Err(ToolError::new(format!(
                "other calls use all {MAX_CONNECTIONS} connections to `{name}`; try again when they have ended"
            )));
        };
        match tokio::time::timeout(CONNECT, self.options.connect()).await {
            Ok(Ok(connection)) => Ok((connection, slot)),
            Ok(Err(error)) => Err(failure::said(name, &error)),
            Err(_) => Err(failure::said(name, &failure::silent(CONNECT))),
        }
    }
}
