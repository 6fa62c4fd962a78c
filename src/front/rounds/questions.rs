//! The questions of one call that its client has not answered yet.

use tokio::sync::oneshot;

use crate::model::caller::ClientProfile;
use crate::model::offer;
use crate::wire::error::{INTERNAL_ERROR, RpcError};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::Params;
use crate::wire::method::Method;

/// The most questions of one call that are open at one time.
const MAX_OPEN: usize = 32;

/// The most bytes in their params, unless a single one is larger.
const MAX_BYTES: usize = 4 << 20;

/// What comes back to who asked.
pub(super) type Answer = Result<Json, RpcError>;

/// Open questions, oldest first.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// How many were asked so far.
    asked: u64,
    open: Vec<Question>,
}

#[derive(Debug)]
struct Question {
    /// Unique in the call, so that an answer that comes twice is for nothing else.
    number: u64,
    method: Method,
    params: Params,
    bytes: usize,
    answer: oneshot::Sender<Answer>,
}

impl Questions {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Notes a question: its number, and where its answer will come.
    pub(super) fn add(
        &mut self,
        method: Method,
        params: Params,
    ) -> Result<(u64, oneshot::Receiver<Answer>), RpcError> {
        let bytes = params.to_json().bytes().len();
        let waiting: usize = self.open.iter().map(|question| question.bytes).sum();
        if self.open.len() >= MAX_OPEN || (waiting + bytes > MAX_BYTES && !self.open.is_empty()) {
            let text = format!(
                "this call waits for {} answers of its client already",
                self.open.len()
            );
            return Err(RpcError::new(INTERNAL_ERROR, text));
        }
        self.asked += 1;
        let (answer, receiver) = oneshot::channel();
        self.open.push(Question {
            number: self.asked,
            method,
            params,
            bytes,
            answer,
        });
        Ok((self.asked, receiver))
    }

    /// Takes a question back.
    pub(super) fn withdraw(&mut self, number: u64) {
        self.open.retain(|question| question.number != number);
    }

    /// Refuses those that the client, as it describes itself now, cannot answer.
    pub(super) fn refuse_what_is_not_offered(&mut self, profile: &ClientProfile) {
        let open = std::mem::take(&mut self.open);
        for question in open {
            match offer::check(profile, &question.method, &question.params) {
                Ok(()) => self.open.push(question),
                Err(error) => drop(question.answer.send(Err(error))),
            }
        }
    }

    /// Hands the answers in. Those to other questions than are open are ignored.
    pub(super) fn answer(&mut self, responses: &Members) {
        let open = std::mem::take(&mut self.open);
        for question in open {
            match responses.get(&key(question.number)) {
                // The request that it came in must not stay alive with it.
                Some(answer) => drop(question.answer.send(Ok(answer.detached()))),
                None => self.open.push(question),
            }
        }
    }

    /// Answers all with an error.
    pub(super) fn refuse_all(&mut self, error: &RpcError) {
        for question in self.open.drain(..) {
            question.answer.send(Err(error.clone())).ok();
        }
    }

    /// Writes them as the `inputRequests` of an answer.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (at, question) in self.open.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(format!("\"{}\"", key(question.number)).as_bytes());
            out.extend_from_slice(br#":{"method":""#);
            out.extend_from_slice(question.method.as_str().as_bytes());
            out.push(b'"');
            if !question.params.members.is_empty() {
                out.extend_from_slice(br#","params":"#);
                question.params.write(out);
            }
            out.push(b'}');
        }
        out.push(b'}');
    }
}

fn key(number: u64) -> String {
    format!("q{number}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(questions: &mut Questions, message: &str) -> oneshot::Receiver<Answer> {
        let params = Params::of(&json!({ "message": message }));
        let asked = questions.add(Method::Elicit, params);
        asked.expect("there is room").1
    }

    fn responses(value: serde_json::Value) -> Members {
        Members::of(&Json::of(&value)).expect("an object")
    }

    #[test]
    fn each_answer_reaches_its_question_once() {
        let mut questions = Questions::default();
        let (mut one, mut two) = (ask(&mut questions, "one"), ask(&mut questions, "two"));
        let mut text = Vec::new();
        questions.write(&mut text);
        let expect = r#"{"q1":{"method":"elicitation/create","params":{"message":"one"}},"q2":{"method":"elicitation/create","params":{"message":"two"}}}"#;
        assert_eq!(String::from_utf8_lossy(&text), expect);
        questions.answer(&responses(json!({ "q2": { "a": 1 }, "q9": 1, "other": 2 })));
        assert!(one.try_recv().is_err());
        let answer = two.try_recv().expect("answered").expect("a result");
        assert_eq!(answer.as_str(), r#"{"a":1}"#);
        questions.answer(&responses(json!({ "q1": {}, "q2": {} })));
        assert!(one.try_recv().is_ok() && questions.is_empty());
        questions
            .add(Method::RootsList, Params::default())
            .expect("there is room");
        let mut text = Vec::new();
        questions.write(&mut text);
        assert_eq!(text, br#"{"q3":{"method":"roots/list"}}"#);
    }

    #[test]
    fn a_client_that_offers_less_by_now_is_not_asked() {
        let mut questions = Questions::default();
        let mut one = ask(&mut questions, "one");
        questions.refuse_what_is_not_offered(&ClientProfile::bare());
        assert!(questions.is_empty());
        let refused = one.try_recv().expect("answered");
        assert!(refused.is_err_and(|error| error.message.contains("elicitation")));
    }

    #[test]
    fn open_questions_are_bounded() {
        let mut questions = Questions::default();
        let kept: Vec<_> = (0..MAX_OPEN).map(|_| ask(&mut questions, "x")).collect();
        assert!(questions.add(Method::Elicit, Params::default()).is_err());
        questions.withdraw(1);
        assert!(questions.add(Method::Elicit, Params::default()).is_ok());
        drop(kept);
    }
}
