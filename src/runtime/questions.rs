//! The questions of one plugin that are being answered, so that it can take them back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio_util::sync::CancellationToken;

use crate::model::client::Farewell;
use crate::wire::message::{Id, Params};

/// The most questions of one plugin that are answered at the same time.
const MAX_OPEN: usize = 256;

/// The open questions by the plugin's ids.
#[derive(Debug, Default, Clone)]
pub(crate) struct Questions(Arc<Mutex<HashMap<Id, (CancellationToken, Farewell)>>>);

/// A question while it is being answered. Dropping it ends that.
#[derive(Debug)]
pub(crate) struct Question {
    questions: Questions,
    id: Id,
    /// Cancelled when the plugin no longer wants the answer.
    pub(crate) cancel: CancellationToken,
    /// What it says then.
    pub(crate) farewell: Farewell,
}

impl Questions {
    fn open(&self) -> MutexGuard<'_, HashMap<Id, (CancellationToken, Farewell)>> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// Notes a question; `None` when one of its id is open, or too many are.
    pub(crate) fn begin(&self, id: &Id) -> Option<Question> {
        let mut open = self.open();
        if open.len() >= MAX_OPEN || open.contains_key(id) {
            return None;
        }
        let (cancel, farewell) = (CancellationToken::new(), Farewell::default());
        open.insert(id.clone(), (cancel.clone(), farewell.clone()));
        Some(Question {
            questions: self.clone(),
            id: id.clone(),
            cancel,
            farewell,
        })
    }

    /// The plugin takes back the question that the params of its `notifications/cancelled` name.
    pub(crate) fn taken_back(&self, params: &Params) {
        let id = params.members.get("requestId").and_then(Id::of);
        if let Some((cancel, farewell)) = id.and_then(|id| self.open().get(&id).cloned()) {
            farewell.say(params);
            cancel.cancel();
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.questions.open().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_can_be_taken_back_while_it_is_open() {
        let questions = Questions::default();
        let question = questions.begin(&Id::number(7)).expect("room");
        assert!(questions.begin(&Id::number(7)).is_none());
        let params = |id: u64| Params::of(&serde_json::json!({ "requestId": id }));
        questions.taken_back(&params(8));
        assert!(!question.cancel.is_cancelled());
        questions.taken_back(&params(7));
        assert!(question.cancel.is_cancelled());
        drop(question);
        assert!(questions.begin(&Id::number(7)).is_some());
    }
}
