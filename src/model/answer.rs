//! What a plugin answers.

use crate::wire::error::RpcError;
use crate::wire::json::Json;
use crate::wire::message::{Outcome, Reply};
use crate::wire::revision::Era;

/// A plugin's answer as it gave it, and the era it gave it in. An error of the plugin is an answer too: it reaches the
/// client unchanged.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The result or the plugin's own error.
    pub outcome: Outcome,
    /// The era of the words in it.
    pub era: Era,
}

/// What kind of result a reply is (MCP 2026-07-28, `resultType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultKind {
    /// The work is done.
    Complete,
    /// The client must answer questions and ask again.
    InputRequired,
    /// The work goes on as a task.
    Task,
}

impl Answer {
    /// A complete result in words that both eras know.
    pub fn result(result: Json, era: Era) -> Self {
        Self {
            outcome: Outcome::Result(Reply {
                result,
                result_type: None,
            }),
            era,
        }
    }

    /// An error of the plugin.
    pub fn error(error: RpcError, era: Era) -> Self {
        Self {
            outcome: Outcome::Error(error),
            era,
        }
    }
}

/// The kind that `reply` says it is; `None` for a word the protocol does not have.
pub fn kind_of(reply: &Reply) -> Option<ResultKind> {
    match reply.result_type.as_deref() {
        None | Some("complete") => Some(ResultKind::Complete),
        Some("input_required") => Some(ResultKind::InputRequired),
        Some("task") => Some(ResultKind::Task),
        Some(_) => None,
    }
}
