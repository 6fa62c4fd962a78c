//! What came of trying a plugin.

use serde_json::{Value, json};

/// What came of trying a plugin: a verdict per check, in the order they were made. What comes after a check that nothing
/// can be tried without is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its id, or its folder where the manifest cannot be read.
    pub plugin: String,
    /// The checks that were made.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was tried, in a word or two.
    pub what: &'static str,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds; with what was seen.
    Ok(String),
    /// It does not hold.
    Failed {
        /// What was seen instead.
        reason: String,
        /// What to do about it, where the reason does not say so already.
        mend: Option<String>,
    },
    /// It cannot be tried on this plugin, and why.
    NotApplicable(String),
}

impl Report {
    /// Whether nothing failed.
    pub fn is_ok(&self) -> bool {
        let failed = |check: &Check| matches!(check.verdict, Verdict::Failed { .. });
        !self.checks.iter().any(failed)
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let checks = self.checks.iter().map(Check::json);
        json!({
            "plugin": self.plugin,
            "ok": self.is_ok(),
            "checks": checks.collect::<Vec<_>>(),
        })
    }

    pub(super) fn add(&mut self, what: &'static str, verdict: Verdict) -> bool {
        let goes_on = !matches!(verdict, Verdict::Failed { .. });
        self.checks.push(Check { what, verdict });
        goes_on
    }
}

impl Check {
    fn json(&self) -> Value {
        let (verdict, detail, mend) = match &self.verdict {
            Verdict::Ok(seen) => ("ok", seen, None),
            Verdict::Failed { reason, mend } => ("failed", reason, mend.as_ref()),
            Verdict::NotApplicable(why) => ("not_applicable", why, None),
        };
        json!({ "check": self.what, "verdict": verdict, "detail": detail, "mend": mend })
    }
}

impl Verdict {
    pub(super) fn ok(seen: impl Into<String>) -> Self {
        Self::Ok(seen.into())
    }

    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed {
            reason: reason.into(),
            mend: None,
        }
    }

    pub(super) fn mend(self, what: impl Into<String>) -> Self {
        match self {
            Self::Failed { reason, .. } => Self::Failed {
                reason,
                mend: Some(what.into()),
            },
            other => other,
        }
    }
}

/// A line per check, what goes with it in a column of its own.
impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = self.checks.iter().map(|check| check.what.len()).max();
        let width = width.unwrap_or_default();
        let indent = format!("\n{:1$}", "", 14 + width + 2);
        for check in &self.checks {
            let (word, text, mend) = match &check.verdict {
                Verdict::Ok(seen) => ("ok", seen, None),
                Verdict::Failed { reason, mend } => ("FAILED", reason, mend.as_ref()),
                Verdict::NotApplicable(why) => ("not applicable", why, None),
            };
            let text = text.replace('\n', &indent);
            writeln!(f, "{word:14}  {:width$}  {text}", check.what)?;
            if let Some(mend) = mend {
                let mend = mend.replace('\n', &indent);
                writeln!(f, "{:1$}mend: {mend}", "", 14 + 2 + width + 2)?;
            }
        }
        let verdict = if self.is_ok() {
            "keeps the contract"
        } else {
            "does not keep the contract"
        };
        write!(f, "{} {verdict}", self.plugin)
    }
}
