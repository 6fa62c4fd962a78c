//! What a call comes to.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::plugin::{Finished, IntoToolResult, Kept, ToolError, Worded};
use crate::wire::json::Json;
use crate::wire::members::Members;

/// What came of a program.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub(super) struct Outcome {
    pub(super) dry_run: bool,
    pub(super) program: String,
    pub(super) args: Vec<String>,
    pub(super) directory: String,
    pub(super) sandbox: String,
    /// Its exit code; 0 is usually success, and what others mean is the program's own: `grep` ends with 1 when it finds nothing.
    /// Null where it did not end by itself.
    pub(super) exit_code: Option<i32>,
    pub(super) signal: Option<i32>,
    /// Why it was stopped before its own end; null where it was not. The result is an error then.
    pub(super) stopped: Option<String>,
    /// What it wrote. Where it was too much there is a line in the middle that says how many bytes were left out.
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) stdout_left_out_bytes: u64,
    pub(super) stderr_left_out_bytes: u64,
    pub(super) took_seconds: f64,
}

/// The result of a call: an error where the program was stopped.
pub(super) struct Told(pub(super) Outcome);

impl Outcome {
    /// The same with what became of it.
    pub(super) fn with(self, finished: Finished) -> Self {
        let text = |kept: &Kept| (kept.text(), kept.left_out);
        let (stdout, stdout_left_out_bytes) = text(&finished.stdout);
        let (stderr, stderr_left_out_bytes) = text(&finished.stderr);
        Self {
            exit_code: finished.code.filter(|_| finished.stopped.is_none()),
            signal: finished.signal,
            stopped: finished.stopped,
            stdout,
            stderr,
            stdout_left_out_bytes,
            stderr_left_out_bytes,
            took_seconds: (finished.took.as_secs_f64() * 1000.0).round() / 1000.0,
            ..self
        }
    }

    fn words(&self) -> String {
        let line = std::iter::once(&self.program).chain(&self.args);
        let line =
            shlex::try_join(line.map(String::as_str)).unwrap_or_else(|_| self.program.clone());
        if self.dry_run {
            return format!(
                "Dry run: nothing ran. It would be: {line}\nDirectory: {}\nSandbox: {}",
                self.directory, self.sandbox
            );
        }
        let how = match (&self.stopped, self.exit_code, self.signal) {
            (Some(why), ..) => format!("Stopped: {why}"),
            (_, Some(code), _) => format!("Exit code {code}"),
            (_, _, Some(signal)) => format!("Ended by signal {signal}"),
            _ => "Ended".to_owned(),
        };
        let mut words = format!("$ {line}\n{how}, after {} s\n", self.took_seconds);
        words.push_str(&self.stdout);
        if !self.stderr.is_empty() {
            let gap = if words.ends_with('\n') { "" } else { "\n" };
            write!(words, "{gap}[stderr]\n{}", self.stderr).expect("a text takes all");
        }
        words
    }
}

impl IntoToolResult for Told {
    fn output_schema() -> Result<Option<Map<String, Value>>, String> {
        Worded::<Outcome>::output_schema()
    }

    fn into_tool_result(self) -> Result<Json, ToolError> {
        let is_error = self.0.stopped.is_some();
        let words = self.0.words();
        let result = Worded {
            words,
            value: self.0,
        };
        let result = result.into_tool_result()?;
        let mut members = Members::of(&result).unwrap_or_default();
        if is_error {
            members.set("isError", Json::literal("true"));
        }
        Ok(members.to_json())
    }
}
