//! What a session's client was asked and has not answered yet.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::session::Session;
use crate::wire::message::{Id, Outcome, Response};

/// The most questions that are open in one session.
pub const MAX_OPEN: usize = 256;

/// The open questions of a session. Their ids are ours and never used again in it.
#[derive(Debug, Default)]
pub(super) struct Questions {
    last: u64,
    open: HashMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    call: u64,
    answer: oneshot::Sender<Outcome>,
}

/// A question that is open until it is answered or forgotten.
#[derive(Debug)]
pub struct Question {
    /// What the client is to answer under.
    pub id: u64,
    /// Its answer; an error when it was forgotten.
    pub answer: oneshot::Receiver<Outcome>,
}

impl Questions {
    fn take(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        if self.open.is_empty() {
            self.open.shrink_to_fit();
        }
        Some(open)
    }
}

impl Session {
    /// Opens a question of the call `call`. `None` when [`MAX_OPEN`] are open.
    pub fn question(&self, call: u64) -> Option<Question> {
        let mut live = self.live();
        let questions = live.questions.get_or_insert_default();
        if questions.open.len() >= MAX_OPEN {
            return None;
        }
        questions.last += 1;
        let id = questions.last;
        let (sender, answer) = oneshot::channel();
        let open = Open {
            call,
            answer: sender,
        };
        questions.open.insert(id, open);
        Some(Question { id, answer })
    }

    /// Takes note of an answer. `false` when it answers nothing: the question was taken back, or never put.
    pub fn answered(&self, response: Response) -> bool {
        let id = response.id.as_ref().and_then(Id::as_number);
        let mut live = self.live();
        live.last_used = std::time::Instant::now();
        let questions = live.questions.as_mut();
        let Some(question) = id
            .zip(questions)
            .and_then(|(id, questions)| questions.take(id))
        else {
            return false;
        };
        drop(live);
        question.answer.send(response.outcome).is_ok()
    }

    /// Forgets a question; `false` when it was not open any more.
    pub fn forget(&self, id: u64) -> bool {
        let mut live = self.live();
        let questions = live.questions.as_mut();
        questions.is_some_and(|questions| questions.take(id).is_some())
    }

    /// Forgets the questions of a call; says which those were.
    pub fn forget_all(&self, call: u64) -> Vec<u64> {
        let mut live = self.live();
        let Some(questions) = &mut live.questions else {
            return Vec::new();
        };
        let of_call = questions.open.extract_if(|_, open| open.call == call);
        let mut ids: Vec<u64> = of_call.map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::caller::ClientProfile;
    use crate::wire::message::Message;

    fn session() -> Arc<Session> {
        Session::new("s".into(), "p".into(), Arc::new(ClientProfile::bare()))
    }

    fn response(text: &'static str) -> Response {
        match Message::parse(text.as_bytes().into()) {
            Ok(Message::Response(response)) => response,
            other => panic!("no response: {other:?}"),
        }
    }

    #[tokio::test]
    async fn an_answer_reaches_the_question_of_its_id_in_its_session_once() {
        let (one, two) = (session(), session());
        let (first, second) = (one.question(7), one.question(7));
        let other = two.question(7).expect("room");
        let (first, second) = first.zip(second).expect("room");
        assert_eq!((first.id, second.id, other.id), (1, 2, 1));
        let answer = || response(r#"{"jsonrpc":"2.0","id":2,"result":{"a":1}}"#);
        assert!(one.answered(answer()));
        assert!(!one.answered(answer()), "it is answered");
        assert!(!two.answered(answer()), "nothing of that id is asked");
        match second.answer.await {
            Ok(Outcome::Result(reply)) => assert_eq!(reply.result.as_str(), r#"{"a":1}"#),
            other => panic!("no result: {other:?}"),
        }
        assert!(one.forget(first.id) && two.forget(other.id));
        assert!(first.answer.await.is_err() && other.answer.await.is_err());
    }

    #[test]
    fn what_answers_nothing_is_dropped() {
        let session = session();
        let open = session.question(1).expect("room");
        for text in [
            r#"{"jsonrpc":"2.0","id":"1","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":-1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":99999999999999999999,"result":{}}"#,
            r#"{"jsonrpc":"2.0","error":{"code":1,"message":"x"}}"#,
        ] {
            assert!(!session.answered(response(text)), "{text}");
        }
        assert!(session.forget(open.id));
    }

    #[test]
    fn questions_are_bounded_and_end_with_their_call() {
        let session = session();
        let open: Vec<_> = (0..MAX_OPEN as u64)
            .map(|at| session.question(at % 2).expect("room"))
            .collect();
        assert!(session.question(0).is_none());
        assert_eq!(session.forget_all(0).len(), MAX_OPEN / 2);
        assert!(session.question(0).is_some());
        assert!(!session.forget(open[0].id) && session.forget(open[1].id));
        assert!(session.forget_all(7).is_empty());
    }
}
