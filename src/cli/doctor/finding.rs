//! One thing that was looked at, and what was found.

use std::fmt;

use serde::Serialize;

use crate::config::resolve::ResolvedPlugin;
use crate::manifest::problem::Problem;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) subject: String,
    /// How it is.
    pub(super) mark: Mark,
    /// What was found, a sentence without a dot.
    pub(super) message: String,
    /// What to do about it.
    pub(super) mend: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mark {
    /// Well.
    Ok,
    /// It works, and may not be what is wanted.
    Warn,
    /// Something does not work.
    Problem,
}

impl Mark {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Problem => "problem",
        }
    }
}

impl Finding {
    fn new(mark: Mark, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            mark,
            message: message.into(),
            mend: None,
        }
    }

    pub(super) fn ok(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Mark::Ok, subject, message)
    }

    pub(super) fn warn(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Mark::Warn, subject, message)
    }

    pub(super) fn problem(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Mark::Problem, subject, message)
    }

    /// A problem of a file, with its place.
    pub(super) fn of(mark: Mark, subject: impl Into<String>, problem: &Problem) -> Self {
        let text = Problem {
            mend: None,
            ..problem.clone()
        };
        let text = text.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        Self {
            mend: problem.mend.clone(),
            ..Self::new(mark, subject, lines.join(", "))
        }
    }

    #[must_use]
    pub(super) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }
}

/// The subject of what is found about a plugin.
pub(super) fn about(plugin: &ResolvedPlugin) -> String {
    format!("plugin {}", plugin.manifest.id)
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mark, message) = (
            self.mark.as_str(),
            self.message.replace('\n', "\n         "),
        );
        write!(f, "{mark:<8} {}: {message}", self.subject)?;
        match &self.mend {
            Some(mend) => write!(f, "\n         mend: {mend}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_how_what_and_the_mend() {
        let finding = Finding::problem("plugin p", "it\nfails").mend("do this");
        assert_eq!(
            finding.to_string(),
            "problem  plugin p: it\n         fails\n         mend: do this"
        );
        let problem = Problem::at(&Default::default(), &["a".to_owned()], "no").mend("yes");
        let finding = Finding::of(Mark::Warn, "configuration", &problem);
        assert_eq!(
            finding.to_string(),
            "warn     configuration: no, at /a\n         mend: yes"
        );
    }
}
