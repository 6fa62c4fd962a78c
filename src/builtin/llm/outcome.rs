//! What came of a call: a command that was run, that would be, or that is proposed.

use schemars::JsonSchema;
use serde::Serialize;

use crate::builtin::llm::verbs::Effect;
use crate::plugin::{Finished, Kept, ToolError, Worded};

/// What came of a call.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Outcome {
    /// Whether the command was run, is proposed only, or would be run (a dry run).
    state: State,
    /// The command as it is run, with the context and the namespace that were put in.
    command: String,
    /// What it does to the cluster: `diagnostic` looks, `remediation` changes something.
    effect: Effect,
    author: Author,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Of a proposal: the `command` to call this tool with again, which asks a person first.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    success: Option<bool>,
    #[serde(flatten)]
    ran: Option<Ran>,
}

/// How a command that was run has ended.
#[derive(Debug, Serialize, JsonSchema)]
struct Ran {
    exit_code: Option<i32>,
    stdout: String,
    stderr: String,
    left_out_bytes: u64,
    took_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ran,
    Proposed,
    WouldRun,
}

/// Who wrote a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Author {
    Caller,
    ClientModel,
}

/// A command and where it came from.
pub(super) struct Told {
    /// As it is run.
    pub(super) command: String,
    /// As the tool takes it.
    pub(super) given: String,
    pub(super) effect: Effect,
    pub(super) author: Author,
    pub(super) model: Option<String>,
}

impl Told {
    /// A command that is not run.
    pub(super) fn unrun(self, state: State) -> Worded<Outcome> {
        let by = self.by();
        let proposal = (state == State::Proposed).then(|| self.given.clone());
        let (command, given) = (&self.command, &self.given);
        let words = match (state, self.effect) {
            (State::Proposed, _) => format!(
                "Proposed, not run ({by}): {command}\nIt changes things. To run it, call llm.kubectl_action again with this `command`; a person is asked first:\n{given}\n"
            ),
            (_, Effect::Remediation) if self.author == Author::ClientModel => {
                format!(
                    "Dry run ({by}): {command}\nIt changes things, so it would be proposed, not run.\n"
                )
            }
            (_, Effect::Remediation) => {
                format!(
                    "Dry run: {command}\nIt changes things; a person would have to agree first.\n"
                )
            }
            (_, Effect::Diagnostic) => {
                format!("Dry run ({by}): {command}\nIt only looks, and would be run at once.\n")
            }
        };
        let value = self.outcome(state, proposal, None);
        Worded { words, value }
    }

    /// A command that was run; an error where it did not come to its own end.
    pub(super) fn ran(self, finished: Finished) -> Result<Worded<Outcome>, ToolError> {
        let (stdout, stderr) = (finished.stdout.text(), finished.stderr.text());
        let left_out = |kept: &Kept| kept.left_out;
        let left_out_bytes = left_out(&finished.stdout) + left_out(&finished.stderr);
        if let Some(why) = finished.stopped {
            let (command, said) = (&self.command, shown(&stdout, &stderr));
            return Err(ToolError::new(format!("$ {command}\n{why}\n{said}")));
        }
        let end = match (finished.code, finished.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        };
        let took_ms = u64::try_from(finished.took.as_millis()).unwrap_or(u64::MAX);
        let (by, said) = (self.by(), shown(&stdout, &stderr));
        let words = format!("$ {}\n{end}, {took_ms} ms ({by})\n{said}", self.command);
        let ran = Ran {
            exit_code: finished.code,
            stdout,
            stderr,
            left_out_bytes,
            took_ms,
        };
        let value = self.outcome(State::Ran, None, Some(ran));
        Ok(Worded { words, value })
    }

    fn by(&self) -> String {
        match (self.author, &self.model) {
            (Author::Caller, _) => "as given".to_owned(),
            (Author::ClientModel, Some(model)) => {
                format!("written by the client's model, {}", plain(model))
            }
            (Author::ClientModel, None) => "written by the client's model".to_owned(),
        }
    }

    fn outcome(self, state: State, proposal: Option<String>, ran: Option<Ran>) -> Outcome {
        Outcome {
            state,
            command: self.command,
            effect: self.effect,
            author: self.author,
            model: self.model,
            proposal,
            success: ran.as_ref().map(|ran| ran.exit_code == Some(0)),
            ran,
        }
    }
}

/// Both streams, as text for people.
fn shown(stdout: &str, stderr: &str) -> String {
    let mut text = plain(stdout);
    if !stderr.trim().is_empty() {
        text.push_str(&format!("stderr: {}", plain(stderr)));
    }
    match text.trim().is_empty() {
        true => "It wrote nothing.\n".to_owned(),
        false => text,
    }
}

/// Without what would move the cursor of a terminal or colour it.
fn plain(text: &str) -> String {
    let letters = text
        .chars()
        .filter(|letter| !letter.is_control() || "\n\t".contains(*letter));
    letters.collect()
}
