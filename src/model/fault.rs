//! Failures of the gateway, as opposed to answers of plugins.

use std::error::Error;
use std::time::Duration;

/// What went wrong, in the terms a front needs to tell its callers. Every front decides on every kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// No such tool, prompt or resource, or not for this caller.
    NotFound,
    /// The arguments do not fit the schema.
    BadInput,
    /// The caller may not do this.
    Denied,
    /// A limit is reached; later may work.
    Busy,
    /// The deadline passed.
    Timeout,
    /// The plugin cannot be reached or does not run.
    Unavailable,
    /// The plugin broke the protocol.
    Broken,
    /// The caller no longer wants it.
    Cancelled,
}

impl FaultKind {
    /// One word for records and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::BadInput => "bad_input",
            Self::Denied => "denied",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Broken => "broken",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A failure on its way up to a front.
#[derive(Debug)]
pub struct Fault {
    /// What a front decides by.
    pub kind: FaultKind,
    /// One sentence that is safe to show to the caller.
    pub message: String,
    /// A stable word for programs: `upstream_exited`, `line_too_large`, `overloaded` and the like.
    pub reason: &'static str,
    /// When trying again may work.
    pub retry_after: Option<Duration>,
    /// The scope that the caller would need, where that is all that is missing.
    pub scope: Option<Box<str>>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A failure whose reason is its kind.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            reason: kind.as_str(),
            retry_after: None,
            scope: None,
            source: None,
        }
    }

    /// The caller lacks `scope`; nothing else stands in its way.
    pub fn lacking(scope: &str, message: impl Into<String>) -> Self {
        Self {
            scope: Some(scope.into()),
            ..Self::new(FaultKind::Denied, message).because("insufficient_scope")
        }
    }

    /// Names the reason more precisely than the kind does.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.reason = reason;
        self
    }

    /// Says when trying again may work.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Keeps the cause, for the log only.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same failure for another waiter. The cause stays behind.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            kind: self.kind,
            message: self.message.clone(),
            reason: self.reason,
            retry_after: self.retry_after,
            scope: self.scope.clone(),
            source: None,
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
