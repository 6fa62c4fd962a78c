//! What a plugin asks the client of a legacy session, and how the answer finds it.

use std::time::Duration;

use serde_json::{Value, json};
use toolgate::plugin::{NoArguments, Plugin, ToolContext, ToolError};
use toolgate::wire::message::Params;
use toolgate::wire::method::Method;

use crate::support::{
    Connection, Latch, LegacySession, StdioClient, TestGateway, able, asker, plugin, until,
};

const VERSIONS: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

async fn asking() -> TestGateway {
    TestGateway::builder().plugin("ask", asker()).build().await
}

fn question(method: &str, params: Value) -> Value {
    json!({ "method": method, "params": params })
}

/// The next message that is no change of a list.
async fn event(connection: &mut Connection) -> Value {
    connection.event().await.expect("the stream goes on")
}

fn text(answer: &Value) -> &str {
    let text = answer["result"]["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("no text: {answer}"))
}

#[tokio::test]
async fn a_question_goes_on_the_stream_of_its_call_and_the_answer_comes_by_itself() {
    let gateway = asking().await;
    for version in VERSIONS {
        let session = LegacySession::open_able(&gateway, version).await;
        let params =
            json!({ "message": "?", "requestedSchema": { "type": "object" }, "_meta": { "a": 1 } });
        let mut connection = gateway.connect().await;
        let call = session.call(
            5,
            "ask__ask",
            question("elicitation/create", params.clone()),
        );
        assert!(connection.begin(&call).await.is_stream());
        let asked = event(&mut connection).await;
        assert_eq!(
            (&asked["method"], &asked["params"]),
            (&json!("elicitation/create"), &params)
        );
        let result = json!({ "action": "accept", "content": { "z": 1, "a": 2 }, "unknown": true });
        let answered = gateway
            .send(&session.answer(&asked["id"], result.clone()))
            .await;
        assert_eq!((answered.status, answered.body.len()), (202, 0));
        let answer = event(&mut connection).await;
        assert_eq!(answer["id"], 5);
        assert_eq!(
            serde_json::from_str::<Value>(text(&answer)).expect("JSON"),
            result
        );
        assert_eq!(connection.event().await, None);
    }
    gateway.finish().await;
}

#[tokio::test]
async fn numbers_and_order_of_questions_and_answers_are_kept() {
    let gateway = asking().await;
    let mut client = StdioClient::initialized_with(&gateway, "2025-11-25", able()).await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask__ask","arguments":{"method":"roots/list","params":{"z":1.50,"a":12345678901234567890123}}}}"#;
    client.write(format!("{call}\n").as_bytes()).await;
    let asked = client.line().await.expect("a question");
    assert_eq!(
        asked,
        r#"{"jsonrpc":"2.0","id":1,"method":"roots/list","params":{"z":1.50,"a":12345678901234567890123}}"#
    );
    let result = r#"{"roots":[],"z":1.50,"a":12345678901234567890123}"#;
    client
        .write(format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{result}}}\n").as_bytes())
        .await;
    assert_eq!(text(&client.next().await), result);
    client.finish().await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_pipe_asks_between_its_other_messages() {
    let gateway = asking().await;
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut client = StdioClient::initialized_with(&gateway, version, able()).await;
        let call =
            |method: &str| json!({ "name": "ask__ask", "arguments": question(method, json!({})) });
        let first = client
            .ask(1, "tools/call", call("sampling/createMessage"))
            .await;
        let second = client.ask(2, "tools/call", call("roots/list")).await;
        assert_eq!(first["method"], "sampling/createMessage");
        assert_eq!(second["method"], "roots/list");
        assert_ne!(first["id"], second["id"]);
        let error = json!({ "code": -1, "message": "User rejected" });
        client
            .send(&json!({ "jsonrpc": "2.0", "id": second["id"], "error": error }))
            .await;
        let answer = client.next().await;
        assert_eq!(
            (&answer["id"], text(&answer)),
            (&json!(2), "-1: User rejected")
        );
        client
            .send(
                &json!({ "jsonrpc": "2.0", "id": first["id"], "result": { "role": "assistant" } }),
            )
            .await;
        let answer = client.next().await;
        assert_eq!(
            (&answer["id"], text(&answer)),
            (&json!(1), r#"{"role":"assistant"}"#)
        );
        client.finish().await;
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_client_is_not_asked_what_it_does_not_offer() {
    let gateway = asking().await;
    let bare = LegacySession::open(&gateway).await;
    let mut piped = StdioClient::initialized(&gateway, "2025-11-25").await;
    for method in ["elicitation/create", "sampling/createMessage", "roots/list"] {
        let arguments = question(method, json!({}));
        let answer = gateway
            .send(&bare.call(1, "ask__ask", arguments.clone()))
            .await;
        assert!(!answer.is_stream(), "{}", answer.text());
        assert!(text(&answer.json()).contains("does not offer"));
        let call = json!({ "name": "ask__ask", "arguments": arguments });
        let answer = piped.ask(1, "tools/call", call).await;
        assert!(text(&answer).contains("does not offer"));
    }
    piped.finish().await;
    gateway.finish().await;
}

/// S10: the answer to a question comes from who was asked.
#[tokio::test]
async fn an_answer_of_another_session_or_principal_reaches_no_question() {
    let tokens = ["ann", "bob"].map(|name| {
        let digest = digest_of(name);
        format!("[[auth.tokens]]\nname = \"{name}\"\nsha256 = \"{digest}\"\n")
    });
    let gateway = TestGateway::builder()
        .config(&tokens.concat())
        .plugin("ask", asker())
        .build()
        .await;
    let open = async |name: &str| {
        let token = long(name);
        LegacySession::open_with(&gateway, "2025-11-25", Some(&token), able()).await
    };
    let (one, two, foreign) = (open("ann").await, open("ann").await, open("bob").await);
    let (mut first, mut second) = (gateway.connect().await, gateway.connect().await);
    let arguments = question("roots/list", json!({}));
    first
        .begin(&one.call(1, "ask__ask", arguments.clone()))
        .await;
    second.begin(&two.call(1, "ask__ask", arguments)).await;
    let (asked, also) = (event(&mut first).await, event(&mut second).await);
    assert_eq!(asked["id"], also["id"], "ids are a matter of one session");
    // Bob answers in his session, in Ann's, and Ann in her other one under an id that is asked in none.
    let roots = |name: &str| json!({ "roots": [{ "uri": format!("file:///{name}") }] });
    let answer = foreign.answer(&asked["id"], roots("bob"));
    assert_eq!(gateway.send(&answer).await.status, 202);
    let stolen = one.answer(&asked["id"], roots("bob")).token(&long("bob"));
    assert_eq!(gateway.send(&stolen).await.status, 404);
    let unasked = two.answer(&json!(99), roots("ann"));
    assert_eq!(gateway.send(&unasked).await.status, 202);
    for (session, connection, name) in [(&one, &mut first, "one"), (&two, &mut second, "two")] {
        gateway
            .send(&session.answer(&asked["id"], roots(name)))
            .await;
        let answer = event(connection).await;
        assert_eq!(text(&answer), roots(name).to_string());
        let again = session.answer(&asked["id"], roots("late"));
        assert_eq!(gateway.send(&again).await.status, 202, "late is no offence");
    }
    gateway.finish().await;
}

/// A token of a test: long enough to be one.
fn long(name: &str) -> String {
    format!("{name}-{}", "0123456789abcdef".repeat(3))
}

fn digest_of(name: &str) -> String {
    use sha2::{Digest, Sha256};

    let digest = Sha256::digest(long(name));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_question_is_taken_back_when_its_call_is_cancelled() {
    let gateway = asking().await;
    let session = LegacySession::open_able(&gateway, "2025-11-25").await;
    let arguments = question("elicitation/create", json!({}));
    let mut connection = gateway.connect().await;
    connection
        .begin(&session.call(1, "ask__ask", arguments.clone()))
        .await;
    let asked = event(&mut connection).await;
    let cancel = session.notification("notifications/cancelled", json!({ "requestId": 1 }));
    gateway.send(&cancel).await;
    let told = event(&mut connection).await;
    assert_eq!(told["method"], "notifications/cancelled");
    assert_eq!(told["params"]["requestId"], asked["id"]);
    assert_eq!(connection.event().await, None, "no answer is owed");
    let late = session.answer(&asked["id"], json!({}));
    assert_eq!(gateway.send(&late).await.status, 202);

    let mut piped = StdioClient::initialized_with(&gateway, "2025-06-18", able()).await;
    let call = json!({ "name": "ask__ask", "arguments": arguments });
    let asked = piped.ask("x", "tools/call", call).await;
    piped
        .tell("notifications/cancelled", json!({ "requestId": "x" }))
        .await;
    let told = piped.next().await;
    assert_eq!(told["method"], "notifications/cancelled");
    assert_eq!(told["params"]["requestId"], asked["id"]);
    piped
        .send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": {} }))
        .await;
    assert_eq!(piped.finish().await, Vec::<Value>::new());
    gateway.finish().await;
}

/// A tool that asks, and does not wait for the answer.
fn impatient(latch: &Latch) -> impl Plugin {
    let latch = latch.clone();
    plugin(move |tools| {
        let latch = latch.clone();
        tools.add(
            "ask",
            "Asks",
            move |_: NoArguments, context: ToolContext| {
                let latch = latch.clone();
                async move {
                    tokio::select! {
                        _ = context.ask(Method::RootsList, Params::default()) => Err(ToolError::new("answered")),
                        () = latch.hold() => Ok("did not wait"),
                    }
                }
            },
        );
    })
}

#[tokio::test]
async fn a_question_that_the_plugin_gives_up_is_taken_back() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("hasty", impatient(&latch))
        .build()
        .await;
    let session = LegacySession::open_able(&gateway, "2025-11-25").await;
    let mut connection = gateway.connect().await;
    connection
        .begin(&session.call(1, "hasty__ask", json!({})))
        .await;
    let asked = event(&mut connection).await;
    latch.open();
    let told = event(&mut connection).await;
    assert_eq!(told["params"]["requestId"], asked["id"]);
    assert_eq!(text(&event(&mut connection).await), "did not wait");
    gateway.finish().await;
}

#[tokio::test]
async fn the_end_of_a_session_ends_its_questions() {
    let gateway = asking().await;
    let session = LegacySession::open_able(&gateway, "2025-11-25").await;
    let mut connection = gateway.connect().await;
    let call = session.call(1, "ask__ask", question("roots/list", json!({})));
    connection.begin(&call).await;
    event(&mut connection).await;
    assert_eq!(session.delete(&gateway).await.status, 204);
    let told = event(&mut connection).await;
    assert_eq!(told["method"], "notifications/cancelled");
    assert_eq!(connection.event().await, None);
    gateway.finish().await;
}

#[tokio::test]
async fn a_gateway_that_stops_still_takes_the_answers_that_its_calls_wait_for() {
    let gateway = asking().await;
    let session = LegacySession::open_able(&gateway, "2025-11-25").await;
    let mut connection = gateway.connect().await;
    let call = session.call(1, "ask__ask", question("roots/list", json!({})));
    connection.begin(&call).await;
    let asked = event(&mut connection).await;
    let answering = async {
        until("the gateway is about to stop", || {
            gateway.front.is_draining()
        })
        .await;
        let refused = gateway.send(&session.request(2, "ping", json!({}))).await;
        assert_eq!(refused.status, 503);
        let answer = session.answer(&asked["id"], json!({ "roots": [] }));
        assert_eq!(gateway.send(&answer).await.status, 202);
        event(&mut connection).await
    };
    let (left, answer) = tokio::join!(gateway.front.drain(), answering);
    assert_eq!((left, text(&answer)), (0, r#"{"roots":[]}"#));
    gateway.finish().await;
}

/// The time of a call does not run while its client thinks, up to a bound that nothing moves.
#[tokio::test(start_paused = true)]
async fn the_deadline_stands_still_while_the_client_is_asked() {
    // A database does not go by a clock that is stopped.
    let config = "[ledger]\nurl = \"off\"\n[plugins.ask.limits]\ncall_timeout_ms = 1000\nmax_call_ms = 60000";
    let gateway = TestGateway::builder()
        .config(config)
        .plugin("ask", asker())
        .build()
        .await;
    let mut client = StdioClient::initialized_with(&gateway, "2025-11-25", able()).await;
    let call = json!({ "name": "ask__ask", "arguments": question("roots/list", json!({})) });
    let asked = client.ask(1, "tools/call", call.clone()).await;
    tokio::time::sleep(Duration::from_secs(50)).await;
    client
        .send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": { "roots": [] } }))
        .await;
    assert_eq!(text(&client.next().await), r#"{"roots":[]}"#);

    let asked = client.ask(2, "tools/call", call).await;
    tokio::time::sleep(Duration::from_secs(61)).await;
    let told = client.next().await;
    assert_eq!(told["params"]["requestId"], asked["id"]);
    let answer = client.next().await;
    assert_eq!(
        (&answer["id"], &answer["result"]["isError"]),
        (&json!(2), &json!(true))
    );
    client.finish().await;
    gateway.finish().await;
}

/// Who is gone for good before there was a stream to come back to is not asked.
#[tokio::test]
async fn a_client_that_went_away_before_it_had_a_stream_is_not_asked() {
    let latch = Latch::new();
    let asking = latch.clone();
    let later = plugin(move |tools| {
        let latch = asking.clone();
        tools.add(
            "ask",
            "Waits, then asks",
            move |_: NoArguments, context: ToolContext| {
                let latch = latch.clone();
                async move {
                    latch.hold().await;
                    let told = context.ask(Method::RootsList, Params::default()).await;
                    assert!(told.is_err(), "the client has gone");
                    Ok::<_, ToolError>("asked nobody")
                }
            },
        );
    });
    let gateway = TestGateway::builder().plugin("later", later).build().await;
    let idle = gateway.app.desk.supervisor.len();
    let session = LegacySession::open_able(&gateway, "2025-06-18").await;
    let mut connection = gateway.connect().await;
    let call = session.call(1, "later__ask", json!({}));
    connection.write(&call.bytes(gateway.address)).await;
    latch.begun(1).await;
    drop(connection);
    let tasks = || gateway.app.desk.supervisor.len();
    until("only the call is left", || tasks() == idle + 1).await;
    latch.open();
    until("the call ends", || gateway.front.active() == 0).await;
    gateway.finish().await;
}

#[tokio::test]
async fn ids_of_the_two_directions_are_nothing_to_each_other() {
    let gateway = TestGateway::builder().plugin("ask", asker()).build().await;
    let mut client = StdioClient::initialized_with(&gateway, "2025-11-25", able()).await;
    let call = json!({ "name": "ask__ask", "arguments": { "method": "roots/list" } });
    let asked = client.ask(1, "tools/call", call).await;
    assert_eq!(client.ask("a", "ping", json!({})).await["id"], "a");
    let answer = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": {} });
    client.send(&answer).await;
    assert_eq!(client.next().await["id"], 1);
    client.finish().await;
    gateway.finish().await;
}
