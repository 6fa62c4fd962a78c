//! What goes back to a client besides answers, and whether it wants that.

use bytes::Bytes;

use crate::wire::level::LogLevel;
use crate::wire::message::{Params, write_notification};
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
            Self::From(least) => least.lets(params),
        }
    }
}

/// The time, for a [`Pulse`](crate::model::client::Pulse).
pub(crate) fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
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
