//! Rounds over HTTP: questions, answers, what is told between them, and who goes away.

use serde_json::{Value, json};

use crate::rounds::asker::{again, gateway, keys, params, request, retry, send, text};
use crate::support::{Latch, TestGateway, until};

/// Three questions in three rounds, each retry on a connection of its own.
#[tokio::test]
async fn a_call_asks_its_client_as_often_as_it_needs() {
    let gateway = gateway("", &Latch::new()).await;
    let params = params("thrice");
    let first = send(&gateway, 1, &params).await;
    assert_eq!(keys(&first), ["q1"]);
    let question = &first["result"]["inputRequests"]["q1"];
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(question["params"]["message"], "name?");
    assert_eq!(gateway.front.active(), 0, "a parked call does not run");
    let second = retry(
        &gateway,
        2,
        (&params, &first),
        json!({ "q1": { "big": 1.50 } }),
    )
    .await;
    assert_eq!(keys(&second), ["q2"]);
    let question = &second["result"]["inputRequests"]["q2"];
    assert_eq!(question["method"], "sampling/createMessage");
    let third = retry(&gateway, 3, (&params, &second), json!({ "q2": { "m": 1 } })).await;
    assert_eq!(keys(&third), ["q3"]);
    let last = retry(&gateway, 4, (&params, &third), json!({ "q3": { "c": [] } })).await;
    assert_eq!(text(&last), r#"{"big":1.5} {"m":1} {"c":[]}"#);
    assert!(gateway.app.desk.rounds.is_empty());
    assert_eq!(gateway.records.count("asker__thrice", "answered"), 1);
    gateway.finish().await;
}

#[tokio::test]
async fn questions_at_once_stand_in_one_answer_and_what_is_missing_is_asked_again() {
    let gateway = gateway("", &Latch::new()).await;
    let params = params("both");
    let first = send(&gateway, 1, &params).await;
    assert_eq!(keys(&first), ["q1", "q2"]);
    assert_eq!(
        first["result"]["inputRequests"]["q2"]["method"],
        "roots/list"
    );
    let responses = json!({ "q2": { "roots": [] }, "q7": {}, "other": {} });
    let second = retry(&gateway, 2, (&params, &first), responses).await;
    assert_eq!(keys(&second), ["q1"]);
    assert_ne!(
        second["result"]["requestState"],
        first["result"]["requestState"]
    );
    let third = send(&gateway, 3, &without_responses(&params, &second)).await;
    assert_eq!(keys(&third), ["q1"]);
    let last = retry(
        &gateway,
        4,
        (&params, &third),
        json!({ "q1": { "action": "decline" } }),
    )
    .await;
    assert_eq!(text(&last), r#"{"action":"decline"} {"roots":[]}"#);
    gateway.finish().await;
}

fn without_responses(params: &Value, asked: &Value) -> Value {
    let mut params = again(params, asked, json!({}));
    params
        .as_object_mut()
        .expect("params")
        .remove("inputResponses");
    params
}

#[tokio::test]
async fn only_what_the_client_offers_is_asked() {
    let gateway = gateway("", &Latch::new()).await;
    let mut params = params("thrice");
    let key = "io.modelcontextprotocol/clientCapabilities";
    params["_meta"][key] = json!({ "sampling": {} });
    let answer = send(&gateway, 1, &params).await;
    assert!(
        text(&answer).contains("does not offer `elicitation`"),
        "{answer}"
    );
    params["_meta"][key] = json!({ "elicitation": {} });
    let first = send(&gateway, 2, &params).await;
    let second = retry(&gateway, 3, (&params, &first), json!({ "q1": {} })).await;
    assert!(
        text(&second).contains("does not offer `sampling`"),
        "{second}"
    );
    gateway.finish().await;
}

fn with_meta(mut params: Value, meta: &Value) -> Value {
    for (key, value) in meta.as_object().expect("an object") {
        params["_meta"][key] = value.clone();
    }
    params
}

#[tokio::test]
async fn what_is_told_between_rounds_goes_out_in_the_next_one() {
    let latch = Latch::new();
    let gateway = gateway("", &latch).await;
    let plain = params("told");
    let level = "io.modelcontextprotocol/logLevel";
    let first = with_meta(
        plain.clone(),
        &json!({ "progressToken": "one", level: "debug" }),
    );
    let first = gateway.send(&request(1, &first)).await.events();
    let [before, asked] = &first[..] else {
        panic!("two messages: {first:?}")
    };
    assert_eq!(before["params"]["progressToken"], "one");
    assert_eq!(asked["id"], 1);
    assert_eq!(keys(asked), ["q1"]);
    latch.open();
    latch.done(2).await;
    let second = again(&plain, asked, json!({ "q1": {} }));
    let second = with_meta(second, &json!({ "progressToken": 2, level: "error" }));
    let second = gateway.send(&request(2, &second)).await.events();
    let [between, log, after, answer] = &second[..] else {
        panic!("four messages: {second:?}")
    };
    assert_eq!(
        between["params"],
        json!({ "progressToken": 2, "progress": 2, "message": "between" })
    );
    assert_eq!(log["params"], json!({ "level": "error", "data": "much" }));
    assert_eq!(after["params"]["progressToken"], 2);
    assert_eq!(text(answer), "{}");
    gateway.finish().await;
}

#[tokio::test]
async fn a_round_without_a_token_gets_no_progress() {
    let latch = Latch::new();
    latch.open();
    let gateway = gateway("", &latch).await;
    let plain = params("told");
    let first = with_meta(plain.clone(), &json!({ "progressToken": "one" }));
    let first = gateway.send(&request(1, &first)).await.events();
    let asked = first.last().expect("an answer");
    let answer = retry(&gateway, 2, (&plain, asked), json!({ "q1": {} })).await;
    assert_eq!(text(&answer), "{}");
    gateway.finish().await;
}

async fn parked(gateway: &TestGateway) -> (Value, Value) {
    let params = params("wait");
    let asked = send(gateway, 1, &params).await;
    (params, asked)
}

/// F32: also a later round of a call is cancelled by closing its connection.
#[tokio::test]
async fn a_client_that_closes_in_the_middle_of_a_round_has_cancelled() {
    let latch = Latch::new();
    let gateway = gateway("", &latch).await;
    let (params, asked) = parked(&gateway).await;
    let mut connection = gateway.connect().await;
    let next = request(2, &again(&params, &asked, json!({ "q1": {} })));
    connection.write(&next.bytes(gateway.address)).await;
    latch.begun(1).await;
    drop(connection);
    latch.given_up(1).await;
    until("nothing is in flight", || gateway.front.active() == 0).await;
    until("it is recorded", || {
        gateway.records.count("asker__wait", "cancelled") == 1
    })
    .await;
    assert!(gateway.app.desk.rounds.is_empty());
    gateway.finish().await;
}

/// The connection that was answered with a question is only a connection.
#[tokio::test]
async fn a_client_that_closes_while_its_call_is_parked_has_not() {
    let latch = Latch::new();
    latch.open();
    let gateway = gateway("", &latch).await;
    let (params, asked) = parked(&gateway).await;
    assert_eq!(gateway.records.all().len(), 0, "the call goes on");
    let answer = retry(&gateway, 2, (&params, &asked), json!({ "q1": { "v": 1 } })).await;
    assert_eq!(text(&answer), r#"{"v":1}"#);
    gateway.finish().await;
}
