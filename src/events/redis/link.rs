//! The connection to Redis: made when it is needed, given up when it fails, with a bound on every wait.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisError, RedisResult, Value};

use crate::events::config::RedisUrl;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take. A server that was slow for some seconds is not asked twice.
const ANSWER: Duration = Duration::from_secs(10);

/// The first and the longest wait after a failure.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// What a server says that has nothing to do with the connection.
const ABOUT_GROUPS: [&str; 2] = ["NOGROUP", "BUSYGROUP"];

/// The connection that all commands share which do not wait.
pub(super) struct Link {
    client: Client,
    /// Shown in the log.
    place: String,
    state: Mutex<State>,
    /// Held while a connection is made.
    connecting: tokio::sync::Mutex<()>,
}

struct State {
    connection: Option<MultiplexedConnection>,
    /// Counts the connections.
    generation: u64,
    /// Why it does not answer; `None` while it does.
    error: Option<String>,
    /// Whether that has been logged.
    logged: bool,
}

/// How long to wait after failures, one after the other.
pub(super) struct Backoff(Duration);

impl Link {
    pub(super) fn new(url: &RedisUrl) -> Self {
        Self {
            client: Client::open(url.expose()).expect("the address was checked when it was read"),
            place: url.to_string(),
            state: Mutex::new(State {
                connection: None,
                generation: 0,
                error: Some("not connected yet".to_owned()),
                logged: false,
            }),
            connecting: tokio::sync::Mutex::new(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Why Redis does not answer; `None` while it does.
    pub(super) fn error(&self) -> Option<String> {
        self.state().error.clone()
    }

    /// Asks something.
    pub(super) async fn ask(&self, command: &Cmd) -> RedisResult<Value> {
        let (mut connection, generation) = self.connection().await?;
        let answered = command.query_async(&mut connection).await;
        self.note(answered, generation)
    }

    /// Does all of it or nothing.
    pub(super) async fn transact(&self, pipeline: &Pipeline) -> RedisResult<Value> {
        let (mut connection, generation) = self.connection().await?;
        let answered = pipeline.query_async(&mut connection).await;
        self.note(answered, generation)
    }

    /// A connection for whoever wants to wait on it, `longest` at the most.
    pub(super) async fn own(&self, longest: Duration) -> RedisResult<MultiplexedConnection> {
        let config = config(longest + ANSWER);
        let client = &self.client;
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    async fn connection(&self) -> RedisResult<(MultiplexedConnection, u64)> {
        let known = |state: &State| {
            let connection = state.connection.clone();
            connection.map(|connection| (connection, state.generation))
        };
        if let Some(known) = known(&self.state()) {
            return Ok(known);
        }
        let _alone = self.connecting.lock().await;
        if let Some(known) = known(&self.state()) {
            return Ok(known);
        }
        let config = config(ANSWER);
        let made = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        match made.await {
            Ok(connection) => {
                let mut state = self.state();
                state.generation += 1;
                state.connection = Some(connection.clone());
                Ok((connection, state.generation))
            }
            Err(error) => {
                self.failed(&error, None);
                Err(error)
            }
        }
    }

    fn note<T>(&self, answered: RedisResult<T>, generation: u64) -> RedisResult<T> {
        match &answered {
            Ok(_) => self.answers(),
            Err(error)
                if error
                    .code()
                    .is_some_and(|code| ABOUT_GROUPS.contains(&code)) => {}
            // Whatever it is, another server may answer under this name by now.
            Err(error) => self.failed(error, Some(generation)),
        }
        answered
    }

    fn answers(&self) {
        let mut state = self.state();
        if state.error.take().is_some() && std::mem::take(&mut state.logged) {
            tracing::info!("Redis at {} answers again", self.place);
        }
    }

    fn failed(&self, error: &RedisError, generation: Option<u64>) {
        let mut state = self.state();
        if generation == Some(state.generation) {
            state.connection = None;
        }
        let words = words(error);
        if !std::mem::replace(&mut state.logged, true) {
            tracing::warn!(
                "Redis at {} does not answer, events wait: {words}",
                self.place
            );
        }
        state.error = Some(words);
    }
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self(FIRST_WAIT)
    }

    /// Waits, longer each time.
    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_WAIT);
    }

    /// It works again.
    pub(super) fn reset(&mut self) {
        self.0 = FIRST_WAIT;
    }
}

fn config(answer: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(answer))
}

/// What went wrong, on one line.
pub(super) fn words(error: &RedisError) -> String {
    error.to_string().replace(['\r', '\n'], " ")
}
