//! The questions of one plugin that are being answered, so that it can take them back.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio_util::sync::CancellationToken;

use crate::model::client::Farewell;
use crate::wire::message::{Id, Params};

/// The most questions of one plugin that are answered at the same time.
const MAX_OPEN: usize = 256;

/// How many questions are remembered after their answer: a plugin may take one back before it has read that.
const MAX_ANSWERED: usize = 32;

/// The questions of one plugin.
#[derive(Debug, Default, Clone)]
pub(crate) struct Questions(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Those that are open, by the plugin's ids.
    open: HashMap<Id, (CancellationToken, Farewell)>,
    /// The latest that are not any more, the oldest first.
    answered: VecDeque<(Id, Farewell)>,
}

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
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// Notes a question; `None` when one of its id is open, or too many are.
    pub(crate) fn begin(&self, id: &Id) -> Option<Question> {
        let mut known = self.known();
        if known.open.len() >= MAX_OPEN || known.open.contains_key(id) {
            return None;
        }
        let (cancel, farewell) = (CancellationToken::new(), Farewell::default());
        known.answered.retain(|(answered, _)| answered != id);
        known
            .open
            .insert(id.clone(), (cancel.clone(), farewell.clone()));
        Some(Question {
            questions: self.clone(),
            id: id.clone(),
            cancel,
            farewell,
        })
    }

    /// The plugin takes back the question that the params of its `notifications/cancelled` name.
    pub(crate) fn taken_back(&self, params: &Params) {
        let Some(id) = params.members.get("requestId").and_then(Id::of) else {
            return;
        };
        let (cancel, farewell) = {
            let mut known = self.known();
            let open = known.open.get(&id).cloned();
            let mut answered = known.answered.iter();
            match (open, answered.position(|(answered, _)| *answered == id)) {
                (Some((cancel, farewell)), _) => (Some(cancel), farewell),
                (None, Some(at)) => match known.answered.remove(at) {
                    Some((_, farewell)) => (None, farewell),
                    None => return,
                },
                (None, None) => return,
            }
        };
        farewell.say(params);
        if let Some(cancel) = cancel {
            cancel.cancel();
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let mut known = self.questions.known();
        known.open.remove(&self.id);
        if known.answered.len() >= MAX_ANSWERED {
            known.answered.pop_front();
        }
        known
            .answered
            .push_back((self.id.clone(), self.farewell.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_can_be_taken_back_that_was_answered_just_now() {
        let questions = Questions::default();
        let question = questions.begin(&Id::number(7)).expect("room");
        let (said, farewell) = (Arc::new(Mutex::new(0)), question.farewell.clone());
        let count = Arc::clone(&said);
        farewell.then(move |_| *count.lock().expect("no holder panics") += 1);
        drop(question);
        for _ in 0..2 {
            questions.taken_back(&Params::of(&serde_json::json!({ "requestId": 7 })));
        }
        assert_eq!(*said.lock().expect("no holder panics"), 1);
    }

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
