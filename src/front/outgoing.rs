//! The way back to a client on the stream of its request.

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::json;

use crate::model::client::{Client, Pulse};
use crate::session::outbox::Outbox;
use crate::wire::error::{METHOD_NOT_FOUND, RpcError};
use crate::wire::json::Json;
use crate::wire::level::LogLevel;
use crate::wire::message::{Id, Params, write_notification};
use crate::wire::meta;
use crate::wire::method::Method;

/// Which log messages a client gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logs {
    /// None: a modern request that named no level.
    None,
    /// Those from this level on.
    From(LogLevel),
    /// All that the plugin sends: a legacy client that set no level.
    All,
}

impl Logs {
    /// The level that was named, if one was.
    pub(crate) fn level(self) -> Option<LogLevel> {
        match self {
            Self::From(level) => Some(level),
            Self::None | Self::All => None,
        }
    }

    /// Whether a message of these params goes through.
    fn lets(self, params: &Params) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::From(least) => {
                let level = params
                    .members
                    .string("level")
                    .and_then(|name| LogLevel::of(&name));
                level.is_none_or(|level| level >= least)
            }
        }
    }
}

/// The stream of one request.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) outbox: Outbox,
    logs: Logs,
    pulse: Pulse,
}

impl Outgoing {
    pub(crate) fn new(logs: Logs) -> Self {
        Self {
            outbox: Outbox::default(),
            logs,
            pulse: Pulse::default(),
        }
    }
}

/// The time, for a [`Pulse`].
pub(crate) fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}

impl Client for Outgoing {
    fn notify(&self, method: &Method, params: &Params) {
        if *method == Method::Progress {
            self.pulse.beat(now());
        }
        if let Some(message) = notification(self.logs, method, params)
            && !self.outbox.push(message)
        {
            tracing::debug!("Dropped a notification for a client that does not read");
        }
    }

    fn ask(&self, method: Method, _: Params) -> BoxFuture<'_, Result<Json, RpcError>> {
        let error = RpcError::new(METHOD_NOT_FOUND, format!("the client offers no `{method}`"));
        Box::pin(std::future::ready(Err(error)))
    }

    fn pulse(&self) -> Option<&Pulse> {
        Some(&self.pulse)
    }
}

/// The text of a notification, if the client wants it.
pub(crate) fn notification(logs: Logs, method: &Method, params: &Params) -> Option<Bytes> {
    if *method == Method::LogMessage && !logs.lets(params) {
        return None;
    }
    let mut text = Vec::with_capacity(256);
    write_notification(&mut text, method, params);
    Some(text.into())
}

/// Params that every message of a subscription carries (MCP 2026-07-28, subscriptions).
pub(crate) fn subscription_params(id: &Id) -> Params {
    let mut params = Params::default();
    params.meta.set(meta::SUBSCRIPTION_ID, id.json().clone());
    params
}

/// The answer that ends a subscription.
pub(crate) fn subscription_result(id: &Id) -> Json {
    Json::of(&json!({ "resultType": "complete", "_meta": { meta::SUBSCRIPTION_ID: id.json() } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_messages_below_the_level_stay_out() {
        let params = |level: &str| Params::of(&serde_json::json!({ "level": level, "data": 1 }));
        let sent = |logs, level| notification(logs, &Method::LogMessage, &params(level)).is_some();
        assert!(!sent(Logs::None, "emergency"));
        assert!(sent(Logs::All, "debug"));
        assert!(sent(Logs::From(LogLevel::Warning), "error"));
        assert!(!sent(Logs::From(LogLevel::Warning), "info"));
        assert!(notification(Logs::None, &Method::Progress, &Params::default()).is_some());
    }
}
