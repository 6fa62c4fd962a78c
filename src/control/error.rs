//! Why the operator's wish was not done.

use std::time::Duration;

use crate::manifest::problem::Problems;
use crate::model::fault::Fault;

/// Why the operator's wish was not done. Nothing was changed then, unless the message says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlError {
    /// Whose mistake it is.
    pub kind: ErrorKind,
    /// A stable word for programs.
    pub reason: &'static str,
    /// A sentence for people.
    pub message: String,
    /// When trying again may work.
    pub retry_after: Option<Duration>,
}

/// Whose mistake it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is no such plugin.
    NotFound,
    /// The plugin does not stand where this could be done.
    Conflict,
    /// The configuration or a manifest is wrong.
    Invalid,
    /// The plugin failed.
    Failed,
}

impl ControlError {
    fn new(kind: ErrorKind, reason: &'static str, message: String) -> Self {
        Self {
            kind,
            reason,
            message,
            retry_after: None,
        }
    }

    /// There is no such plugin.
    pub fn not_found(id: &str) -> Self {
        let message = format!("there is no plugin `{id}`; `toolgate plugins list` names them");
        Self::new(ErrorKind::NotFound, "not_found", message)
    }

    pub(super) fn conflict(message: String) -> Self {
        Self::new(ErrorKind::Conflict, "conflict", message)
    }

    pub(super) fn bad_config(problems: &Problems) -> Self {
        Self::new(ErrorKind::Invalid, "config_invalid", problems.to_string())
    }

    pub(super) fn bad_manifest(problems: &Problems) -> Self {
        Self::new(ErrorKind::Invalid, "manifest_invalid", problems.to_string())
    }

    pub(super) fn bad_settings(problems: &Problems) -> Self {
        Self::new(ErrorKind::Invalid, "settings_invalid", problems.to_string())
    }

    /// The plugin does not want the settings, or does not start with them.
    pub(super) fn settings_refused(fault: &Fault) -> Self {
        Self::new(ErrorKind::Invalid, "settings_refused", fault.to_string())
    }

    /// It could not be kept, and so it was not done.
    pub(super) fn not_kept(why: &str) -> Self {
        Self::new(ErrorKind::Failed, "not_kept", why.to_owned())
    }

    /// It was not done.
    pub fn failed(message: &str) -> Self {
        Self::new(ErrorKind::Failed, "failed", message.to_owned())
    }

    /// A build failed: what stands in the plugin's folder is wrong.
    pub(super) fn of_build(fault: &Fault) -> Self {
        Self::new(ErrorKind::Invalid, fault.reason, fault.to_string())
    }

    pub(super) fn of_fault(fault: &Fault) -> Self {
        Self {
            retry_after: fault.retry_after,
            ..Self::new(ErrorKind::Failed, fault.reason, fault.to_string())
        }
    }
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ControlError {}
