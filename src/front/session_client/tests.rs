//! What a client is asked, and how that ends.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use serde_json::json;

use super::*;
use crate::model::caller::ClientProfile;
use crate::wire::message::Message;

/// Keeps what is to go to the client.
#[derive(Debug, Clone, Default)]
struct Sent(Arc<Mutex<Vec<Value>>>);

impl Sent {
    fn all(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().expect("no holder of this lock panics"))
    }
}

impl Way for Sent {
    fn offer(&self, message: Bytes) {
        let message = serde_json::from_slice(&message).expect("messages are JSON");
        self.0
            .lock()
            .expect("no holder of this lock panics")
            .push(message);
    }

    async fn send(&self, message: Bytes) -> bool {
        self.offer(message);
        true
    }
}

fn client(capabilities: &'static str) -> (Arc<Session>, Arc<SessionClient<Sent>>, Sent) {
    let profile = ClientProfile {
        capabilities: Json::literal(capabilities),
        ..ClientProfile::bare()
    };
    let session = Session::new("s".into(), "p".into(), Arc::new(profile));
    let sent = Sent::default();
    let client = SessionClient::new(&session, 1, Logs::All, sent.clone());
    (session, client, sent)
}

fn answer(session: &Session, message: Value) -> bool {
    match Message::parse(message.to_string().into()) {
        Ok(Message::Response(response)) => session.answered(response),
        other => panic!("no response: {other:?}"),
    }
}

fn cancelled(id: u64) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } })
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_its_client_while_it_is_asked() {
    let (session, client, sent) = client(r#"{"elicitation":{}}"#);
    let params = Json::literal(r#"{"message":"?","z":1.50,"_meta":{"progressToken":"t"}}"#);
    let mut asking = client.ask(Method::Elicit, params.into());
    assert!(futures::poll!(&mut asking).is_pending());
    let expected = r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"?","z":1.50,"_meta":{"progressToken":"t"}}}"#;
    assert_eq!(
        sent.all(),
        [serde_json::from_str::<Value>(expected).expect("JSON")]
    );
    let pulse = client.pulse().expect("there is one");
    assert_eq!(pulse.read(), (None, true));
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert!(answer(
        &session,
        json!({ "jsonrpc": "2.0", "id": 1, "result": { "action": "accept" } })
    ));
    let result = asking.await.expect("a result");
    assert_eq!(result.as_str(), r#"{"action":"accept"}"#);
    assert_eq!(pulse.read(), (Some(now()), false), "an answer is a beat");
    assert_eq!(sent.all(), Vec::<Value>::new());
}

#[tokio::test]
async fn an_error_of_the_client_is_the_answer() {
    let (session, client, _) = client(r#"{"roots":{}}"#);
    let mut asking = client.ask(Method::RootsList, Params::default());
    assert!(futures::poll!(&mut asking).is_pending());
    let error = json!({ "code": -1, "message": "no", "data": { "a": 1 } });
    answer(
        &session,
        json!({ "jsonrpc": "2.0", "id": 1, "error": error }),
    );
    let refused = asking.await.expect_err("an error");
    assert_eq!(Json::of(&refused).parse::<Value>().expect("JSON"), error);
}

#[tokio::test]
async fn what_the_client_does_not_offer_is_not_asked() {
    let (_, client, sent) = client("{}");
    for method in [Method::Elicit, Method::Sample, Method::RootsList] {
        let refused = client.ask(method, Params::default()).await;
        assert!(refused.is_err());
    }
    assert_eq!(sent.all(), Vec::<Value>::new());
    assert_eq!(client.pulse().map(Pulse::read), Some((None, false)));
}

#[tokio::test]
async fn a_question_that_is_dropped_is_taken_back_once() {
    let (session, client, sent) = client(r#"{"sampling":{}}"#);
    let mut asking = client.ask(Method::Sample, Params::default());
    assert!(futures::poll!(&mut asking).is_pending());
    sent.all();
    drop(asking);
    assert_eq!(sent.all(), [cancelled(1)]);
    let late = json!({ "jsonrpc": "2.0", "id": 1, "result": {} });
    assert!(!answer(&session, late));
    drop(client.at_end());
    assert_eq!(sent.all(), Vec::<Value>::new());
}

#[tokio::test]
async fn the_end_of_a_call_takes_its_questions_back() {
    let (_, client, sent) = client(r#"{"sampling":{}}"#);
    let mut first = client.ask(Method::Sample, Params::default());
    let mut second = client.ask(Method::Sample, Params::default());
    assert!(futures::poll!(&mut first).is_pending());
    assert!(futures::poll!(&mut second).is_pending());
    sent.all();
    drop(client.at_end());
    assert_eq!(sent.all(), [cancelled(1), cancelled(2)]);
    assert!(first.await.is_err());
    drop(second);
    let late = client.ask(Method::Sample, Params::default()).await;
    assert!(late.is_err(), "the call is over");
    assert_eq!(sent.all(), Vec::<Value>::new());
}

#[tokio::test]
async fn questions_above_the_bound_are_refused() {
    let (session, client, sent) = client(r#"{"sampling":{}}"#);
    let open: Vec<_> = (0..MAX_OPEN).map(|_| session.question(2)).collect();
    assert!(open.iter().all(Option::is_some));
    let refused = client.ask(Method::Sample, Params::default()).await;
    assert_eq!(refused.map_err(|error| error.code), Err(INTERNAL_ERROR));
    assert_eq!(sent.all(), Vec::<Value>::new());
}
