//! What happens to parked calls, seen from the table.

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;
use crate::front::config::TasksConfig;
use crate::front::desk::Reply;
use crate::model::client::Client;

const WAIT: Duration = Duration::from_secs(60);

fn rounds(max: usize, max_per_principal: usize) -> Arc<Rounds> {
    Rounds::with(Bounds {
        max,
        max_per_principal,
        wait: WAIT,
    })
}

fn caller(name: &str) -> Arc<Caller> {
    Arc::new(Caller {
        principal: name.into(),
        ..Caller::anonymous()
    })
}

fn profile(capabilities: Value) -> Arc<ClientProfile> {
    Arc::new(ClientProfile {
        capabilities: Json::of(&capabilities),
        ..ClientProfile::bare()
    })
}

fn asker() -> Arc<ClientProfile> {
    profile(json!({ "elicitation": {} }))
}

fn params(number: usize) -> Params {
    Params::of(&json!({ "name": "t", "arguments": { "n": number } }))
}

/// A call whose work is driven by a task.
struct Call {
    number: usize,
    caller: Arc<Caller>,
    dialogue: Arc<Dialogue>,
    cancel: CancellationToken,
    round: Option<Round>,
    driver: JoinHandle<()>,
}

impl Call {
    fn begin<W>(
        rounds: &Arc<Rounds>,
        (who, number): (&str, usize),
        work: impl FnOnce(Arc<Dialogue>) -> W,
    ) -> Self
    where
        W: Future<Output = Reply> + Send + 'static,
    {
        let (caller, cancel) = (caller(who), CancellationToken::new());
        let request = (&Method::ToolsCall, &params(number));
        let dialogue = rounds.begin(&caller, &asker(), request, None, &cancel);
        let round = dialogue.first();
        let driver = tokio::spawn(Arc::clone(&dialogue).drive(work(Arc::clone(&dialogue))));
        Self {
            number,
            caller,
            dialogue,
            cancel,
            round: Some(round),
            driver,
        }
    }

    /// The next message of the round; the round is over when it ends with this.
    async fn next(&mut self) -> Next {
        let round = self.round.as_mut().expect("a round is open");
        round.next().await
    }

    /// The question that ends the round.
    async fn asked(&mut self) -> Value {
        match self.next().await {
            Next::Parked(result) => serde_json::from_slice(&result).expect("JSON"),
            Next::Message(_) | Next::Answered(_) => panic!("no question"),
        }
    }

    async fn answered(&mut self) -> Reply {
        match self.next().await {
            Next::Answered(reply) => reply,
            Next::Message(_) | Next::Parked(_) => panic!("no answer"),
        }
    }

    fn retry(&mut self, rounds: &Rounds, asked: &Value, responses: Value) -> Result<(), RpcError> {
        let mut params = params(self.number);
        params
            .members
            .set("requestState", Json::of(&asked["requestState"]));
        params.members.set("inputResponses", Json::of(&responses));
        let received = rounds.receive(&self.caller, &asker(), &Method::ToolsCall, &mut params)?;
        self.round = Some(received.expect("the next round of this call"));
        Ok(())
    }
}

/// Asks once, answers with what it was answered.
async fn ask_once(dialogue: Arc<Dialogue>) -> Reply {
    let params = Params::of(&json!({ "message": "?" }));
    match dialogue.ask(Method::Elicit, params).await {
        Ok(answer) => Reply::Result(answer.bytes().clone()),
        Err(error) => Reply::Error(error),
    }
}

fn knows_tasks() -> Arc<ClientProfile> {
    profile(json!({ "elicitation": {}, "extensions": { "io.modelcontextprotocol/tasks": {} } }))
}

/// Progress is what a task says of itself, and its questions need no place among the calls that wait for retries.
#[tokio::test]
async fn a_task_tells_of_its_progress_and_asks_without_a_place() {
    let (rounds, tasks) = (rounds(1, 1), Tasks::new(&TasksConfig::default(), true));
    let (bob, caller, cancel) = (caller("bob"), caller("ann"), CancellationToken::new());
    let request = (&Method::ToolsCall, &params(1));
    let begin = |profile: Arc<ClientProfile>| {
        rounds.begin(
            &caller,
            &profile,
            request,
            Some(Arc::clone(&tasks)),
            &cancel,
        )
    };
    assert!(
        begin(asker()).become_task().is_none(),
        "its client knows none"
    );
    let call = begin(knows_tasks());
    let created = call.become_task().expect("there is room");
    let id = Members::of(&Json::scan(created).expect("JSON")).expect("an object");
    let id = id.string("taskId").expect("an id").into_owned();
    assert!(tasks.find(&id, &bob).is_none() && tasks.find(&id.to_uppercase(), &caller).is_none());
    let driver = tokio::spawn(Arc::clone(&call).drive(ask_once(Arc::clone(&call))));
    let progress = json!({ "progressToken": 1, "progress": 1, "message": "half" });
    call.notify(&Method::Progress, &Params::of(&progress));
    let state = || String::from_utf8(call.task().expect("known")).expect("UTF-8");
    while !state().contains(r#""status":"input_required""#) {
        tokio::task::yield_now().await;
    }
    assert!(state().contains(r#""statusMessage":"half""#), "{}", state());
    assert!(rounds.is_empty() && tasks.len() == 1);
    let answer = Members::of(&Json::literal(r#"{"q1":{"n":1}}"#)).expect("an object");
    call.update_task(&answer);
    while !state().ends_with(r#","result":{"n":1}"#) {
        tokio::task::yield_now().await;
    }
    tasks.close();
    driver.await.expect("the task ends");
    assert!(tasks.is_empty() && call.task().is_none());
}

fn is_over(refused: &RpcError) -> bool {
    refused.code == INVALID_PARAMS && refused.message.contains("used already")
}

#[tokio::test]
async fn a_thousand_calls_park_and_complete_and_leave_nothing() {
    let rounds = rounds(1000, 1000);
    let mut calls: Vec<Call> = (0..1000)
        .map(|number| Call::begin(&rounds, ("ann", number), ask_once))
        .collect();
    let mut questions = Vec::new();
    for call in &mut calls {
        questions.push(call.asked().await);
    }
    assert_eq!(rounds.len(), 1000);
    for (call, asked) in calls.iter_mut().zip(&questions).rev() {
        let answer = json!({ "q1": { "n": call.number } });
        call.retry(&rounds, asked, answer).expect("it is parked");
        match call.answered().await {
            Reply::Result(text) => assert_eq!(text, format!("{{\"n\":{}}}", call.number)),
            other => panic!("{other:?}"),
        }
    }
    assert!(rounds.is_empty() && rounds.places.table().per_principal.is_empty());
    for call in calls {
        call.driver.await.expect("the driver ends");
        assert!(!call.cancel.is_cancelled());
    }
}

#[tokio::test]
async fn over_a_bound_who_asks_is_refused() {
    let rounds = rounds(2, 1);
    let mut first = Call::begin(&rounds, ("ann", 1), ask_once);
    let asked = first.asked().await;
    let mut second = Call::begin(&rounds, ("ann", 2), ask_once);
    let reply = second.answered().await;
    assert!(
        matches!(&reply, Reply::Error(error) if error.code == INTERNAL_ERROR && error.message.contains("1 calls wait")),
        "{reply:?}"
    );
    let mut other = Call::begin(&rounds, ("bob", 1), ask_once);
    other.asked().await;
    let mut last = Call::begin(&rounds, ("eve", 1), ask_once);
    assert!(matches!(last.answered().await, Reply::Error(_)));
    first
        .retry(&rounds, &asked, json!({ "q1": {} }))
        .expect("it is parked");
    assert_eq!(rounds.len(), 1);
    let mut next = Call::begin(&rounds, ("ann", 3), ask_once);
    next.asked().await;
    assert_eq!(rounds.len(), 2);
    rounds.close();
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_client_does_not_come_back_is_cancelled() {
    let rounds = rounds(9, 9);
    let mut call = Call::begin(&rounds, ("ann", 1), ask_once);
    let asked = call.asked().await;
    tokio::time::sleep(WAIT - Duration::from_millis(1)).await;
    assert!(!call.cancel.is_cancelled() && rounds.len() == 1);
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert!(call.cancel.is_cancelled() && rounds.is_empty());
    (&mut call.driver).await.expect("the driver ends");
    let refused = call.retry(&rounds, &asked, json!({ "q1": {} }));
    assert!(refused.is_err_and(|error| error.message.contains("expired")));
}

#[tokio::test(start_paused = true)]
async fn every_round_has_its_time() {
    let rounds = rounds(9, 9);
    let mut call = Call::begin(&rounds, ("ann", 1), |dialogue| async move {
        ask_once(Arc::clone(&dialogue)).await;
        ask_once(dialogue).await
    });
    for key in ["q1", "q2"] {
        let asked = call.asked().await;
        tokio::time::sleep(WAIT / 3 * 2).await;
        call.retry(&rounds, &asked, json!({ key: {} }))
            .expect("it is parked");
    }
    assert!(matches!(call.answered().await, Reply::Result(_)));
}

/// The question is taken back while the client answers it: the client gets what the call came to instead.
#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_a_client_that_was_asked_in_vain() {
    let rounds = rounds(9, 9);
    let work = |dialogue: Arc<Dialogue>| async move {
        let asked = ask_once(dialogue);
        tokio::time::timeout(WAIT / 2, asked).await.ok();
        Reply::Result(Bytes::from_static(b"{}"))
    };
    let mut call = Call::begin(&rounds, ("ann", 1), work);
    let asked = call.asked().await;
    tokio::time::sleep(WAIT / 3 * 2).await;
    call.retry(&rounds, &asked, json!({ "q1": {} }))
        .expect("it is parked");
    assert!(matches!(call.answered().await, Reply::Result(_)));
    call.driver.await.expect("the driver ends");

    let mut call = Call::begin(&rounds, ("ann", 2), work);
    call.asked().await;
    call.driver.await.expect("the driver ends");
    assert!(rounds.is_empty());
}

#[tokio::test]
async fn a_state_is_good_once() {
    let rounds = rounds(9, 9);
    let mut call = Call::begin(&rounds, ("ann", 1), |dialogue| async move {
        ask_once(Arc::clone(&dialogue)).await;
        ask_once(dialogue).await
    });
    let first = call.asked().await;
    call.retry(&rounds, &first, json!({ "q1": {} }))
        .expect("it is parked");
    let open = call.round.take();
    let refused = call.retry(&rounds, &first, json!({ "q1": {} }));
    assert!(
        refused.is_err_and(|error| is_over(&error)),
        "not while it is open"
    );
    call.round = open;
    let second = call.asked().await;
    let refused = call.retry(&rounds, &first, json!({ "q2": {} }));
    assert!(
        refused.is_err_and(|error| is_over(&error)),
        "of an earlier round"
    );
    call.retry(&rounds, &second, json!({ "q2": {} }))
        .expect("it is parked");
    call.answered().await;
    let refused = call.retry(&rounds, &second, json!({ "q2": {} }));
    assert!(
        refused.is_err_and(|error| is_over(&error)),
        "of a call that is over"
    );
}

#[tokio::test]
async fn a_client_that_leaves_a_round_has_cancelled() {
    let rounds = rounds(9, 9);
    let mut call = Call::begin(&rounds, ("ann", 1), |dialogue| async move {
        ask_once(dialogue).await;
        std::future::pending().await
    });
    let asked = call.asked().await;
    call.round = None;
    assert!(!call.cancel.is_cancelled(), "it is parked");
    call.retry(&rounds, &asked, json!({ "q1": {} }))
        .expect("it is parked");
    call.round = None;
    assert!(call.cancel.is_cancelled());
    call.driver.await.expect("the driver ends");
    assert!(
        call.dialogue
            .ask(Method::Elicit, Params::default())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn at_the_stop_nobody_waits() {
    let rounds = rounds(9, 9);
    let mut parked = Call::begin(&rounds, ("ann", 1), ask_once);
    parked.asked().await;
    rounds.close();
    assert!(parked.cancel.is_cancelled() && rounds.is_empty());
    parked.driver.await.expect("the driver ends");
    let mut late = Call::begin(&rounds, ("ann", 2), ask_once);
    let reply = late.answered().await;
    assert!(
        matches!(&reply, Reply::Error(error) if error.message.contains("stopping")),
        "{reply:?}"
    );
}

/// What a client is asked depends on what it says of itself in the request that is open.
#[tokio::test]
async fn capabilities_are_those_of_the_round() {
    let rounds = rounds(9, 9);
    let mut call = Call::begin(&rounds, ("ann", 1), |dialogue| async move {
        ask_once(Arc::clone(&dialogue)).await;
        ask_once(dialogue).await
    });
    let asked = call.asked().await;
    let mut params = params(1);
    params
        .members
        .set("requestState", Json::of(&asked["requestState"]));
    params
        .members
        .set("inputResponses", Json::literal(r#"{"q1":{}}"#));
    let less = profile(json!({}));
    let received = rounds.receive(&call.caller, &less, &Method::ToolsCall, &mut params);
    call.round = received.expect("it is parked");
    let reply = call.answered().await;
    assert!(
        matches!(&reply, Reply::Error(error) if error.message.contains("does not offer `elicitation`")),
        "{reply:?}"
    );
    assert!(rounds.is_empty());
}

#[test]
fn only_the_state_of_a_plugin_is_rewritten() {
    let rounds = rounds(9, 9);
    let (ann, sent) = (caller("ann"), params(1));
    let subject = Subject::new(&ann, &Method::ToolsCall, &sent);
    let wrap = |text: &'static str| {
        let wrapped = rounds.wrap(&Json::literal(text), &subject);
        wrapped.map(|text| String::from_utf8_lossy(&text).into_owned())
    };
    let none = r#"{ "resultType":"input_required" , "inputRequests":{ } }"#;
    assert_eq!(wrap(none).as_deref(), Ok(none));
    let text = r#"{ "x":1e2, "request\u0053tate" : "s\u00e9" ,"resultType":"input_required","_meta":{"requestState":"s"}}"#;
    let wrapped = wrap(text).expect("a string");
    let (head, rest) = wrapped.split_once(r#"tate" : ""#).expect("the same head");
    let (sealed, tail) = rest.split_once('"').expect("a string");
    assert_eq!(format!(r#"{head}tate" : "s\u00e9"{tail}"#), text);
    let mut retry = params(1);
    retry.members.set("requestState", Json::of(sealed));
    let received = rounds.receive(&ann, &asker(), &Method::ToolsCall, &mut retry);
    assert!(received.is_ok_and(|next| next.is_none()));
    assert_eq!(retry.members.string("requestState").as_deref(), Some("sé"));
    assert!(wrap(r#"{"requestState":1}"#).is_err());
}
