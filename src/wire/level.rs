//! The levels of log messages (RFC 5424 section 6.2.1, as MCP names them).

use crate::wire::message::Params;

/// How grave a log message is, least grave first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]

pub enum LogLevel {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

impl LogLevel {
    const NAMES: [(&'static str, Self); 8] = [
        ("debug", Self::Debug),
        ("info", Self::Info),
        ("notice", Self::Notice),
        ("warning", Self::Warning),
        ("error", Self::Error),
        ("critical", Self::Critical),
        ("alert", Self::Alert),
        ("emergency", Self::Emergency),
    ];

    /// The level of that name.
    pub fn of(name: &str) -> Option<Self> {
        Self::NAMES
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, level)| level)
    }

    /// Whether a log message of these params is at least as grave. One without a level that we know is.
    pub fn lets(self, params: &Params) -> bool {
        let level = params.members.string("level");
        level
            .and_then(|name| Self::of(&name))
            .is_none_or(|level| level >= self)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_and_named() {
        assert_eq!(LogLevel::of("warning"), Some(LogLevel::Warning));
        assert_eq!(LogLevel::Emergency.as_str(), "emergency");
        assert_eq!(LogLevel::of("loud"), None);
        assert!(LogLevel::Debug < LogLevel::Error);
    }
}
