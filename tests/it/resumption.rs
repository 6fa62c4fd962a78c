//! Streams that a legacy client comes back to with `Last-Event-ID` (MCP 2025-11-25, transports, resumability).

use std::time::Duration;

use serde_json::{Value, json};
use toolgate::model::caller::Caller;
use toolgate::plugin::{NoArguments, Plugin, ToolContext, ToolError};
use toolgate::session::Session;
use toolgate::wire::level::LogLevel;
use toolgate::wire::message::Params;
use toolgate::wire::method::Method;

use crate::support::{Connection, Event, Latch, LegacySession, TestGateway, asker, plugin, until};

/// A tool that says `begun`, waits, says `going`, and answers.
fn talker(latch: &Latch) -> impl Plugin {
    let latch = latch.clone();
    plugin(move |tools| {
        let latch = latch.clone();
        tools.add(
            "talk",
            "Talks",
            move |_: NoArguments, context: ToolContext| {
                let latch = latch.clone();
                async move {
                    context.log(LogLevel::Error, None, "begun");
                    latch.hold().await;
                    context.log(LogLevel::Error, None, "going");
                    Ok::<_, ToolError>("over")
                }
            },
        );
    })
}

async fn talking(latch: &Latch, config: &str) -> TestGateway {
    TestGateway::builder()
        .config(config)
        .plugin("slow", talker(latch))
        .build()
        .await
}

/// Reads a stream to its end.
async fn rest(connection: &mut Connection) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = connection.whole_event().await {
        events.push(event);
    }
    events
}

/// What the messages of events say, in short.
fn said(events: &[Event]) -> Vec<String> {
    let messages = events.iter().filter_map(|event| event.message.as_ref());
    messages.map(short).collect()
}

fn short(message: &Value) -> String {
    let data = &message["params"]["data"];
    let text = &message["result"]["content"][0]["text"];
    let said = [data, text, &message["method"]].map(Value::as_str);
    said.into_iter().flatten().next().unwrap_or("?").to_owned()
}

async fn next(connection: &mut Connection) -> Event {
    connection.whole_event().await.expect("the stream goes on")
}

#[tokio::test]
async fn only_the_newest_legacy_revision_gets_an_event_without_data() {
    let latch = Latch::new();
    latch.open();
    let gateway = talking(&latch, "").await;
    for (version, primed) in [
        ("2025-03-26", false),
        ("2025-06-18", false),
        ("2025-11-25", true),
    ] {
        let session = LegacySession::open_as(&gateway, version, None).await;
        let mut connection = gateway.connect().await;
        let call = session.call(1, "slow__talk", json!({}));
        assert!(connection.begin(&call).await.is_stream());
        let events = rest(&mut connection).await;
        let opening: Vec<_> = events
            .iter()
            .filter(|event| event.message.is_none())
            .collect();
        assert_eq!(opening.len(), usize::from(primed), "{version}");
        if primed {
            assert_eq!((&events[0], events[0].retry), (opening[0], Some(1000)));
        }
        assert_eq!(said(&events), ["begun", "going", "over"]);
        let mut ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
        assert!(ids.iter().all(|id| !id.is_empty()));
        ids.dedup();
        assert_eq!(ids.len(), events.len(), "ids come once");
        // The standalone stream begins in the same way.
        let mut get = gateway.connect().await;
        get.begin(&session.get()).await;
        let told = of(&gateway, &session).tell(&Method::LogMessage, &log("first"));
        assert!(told);
        let first = next(&mut get).await;
        assert_eq!(
            (first.message.is_none(), first.retry.is_some()),
            (primed, primed)
        );
        session.delete(&gateway).await;
    }
    gateway.finish().await;
}

/// The gateway's side of a session.
fn of(gateway: &TestGateway, session: &LegacySession) -> std::sync::Arc<Session> {
    let found = gateway
        .front
        .sessions()
        .get(&session.id, &Caller::anonymous());
    found.expect("the session is open")
}

fn log(data: &str) -> Params {
    Params::of(&json!({ "level": "error", "data": data }))
}

#[tokio::test]
async fn a_stream_goes_on_where_its_client_lost_it_in_the_middle_of_the_call() {
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let latch = Latch::new();
        let gateway = talking(&latch, "").await;
        let session = LegacySession::open_as(&gateway, version, None).await;
        let mut first = gateway.connect().await;
        first.begin(&session.call(1, "slow__talk", json!({}))).await;
        let mut seen = next(&mut first).await;
        if seen.message.is_none() {
            seen = next(&mut first).await;
        }
        assert_eq!(said(std::slice::from_ref(&seen)), ["begun"]);
        drop(first);
        latch.begun(1).await;
        let mut second = gateway.connect().await;
        let head = second.begin(&session.resume(&seen.id)).await;
        assert_eq!(
            (head.status, head.header("content-type")),
            (200, "text/event-stream")
        );
        latch.open();
        assert_eq!(said(&rest(&mut second).await), ["going", "over"]);
        assert_eq!(latch.counts(), (1, 0, 1), "the call ran once");
        gateway.finish().await;
    }
}

/// F32: what was answered while the client was away waits for it.
#[tokio::test]
async fn an_answer_waits_for_a_client_that_was_away() {
    let latch = Latch::new();
    let gateway = talking(&latch, "").await;
    let session = LegacySession::open(&gateway).await;
    let mut first = gateway.connect().await;
    first.begin(&session.call(1, "slow__talk", json!({}))).await;
    let opening = next(&mut first).await;
    drop(first);
    latch.begun(1).await;
    latch.open();
    until("the call is over", || gateway.front.active() == 0).await;
    for _ in 0..2 {
        // From the very beginning, as often as it is asked for.
        let mut back = gateway.connect().await;
        back.begin(&session.resume(&opening.id)).await;
        assert_eq!(said(&rest(&mut back).await), ["begun", "going", "over"]);
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_client_that_comes_back_early_takes_the_stream_over() {
    let latch = Latch::new();
    let gateway = talking(&latch, "").await;
    let session = LegacySession::open(&gateway).await;
    let (mut first, mut second) = (gateway.connect().await, gateway.connect().await);
    first.begin(&session.call(1, "slow__talk", json!({}))).await;
    let opening = next(&mut first).await;
    assert_eq!(
        short(&next(&mut first).await.message.expect("a message")),
        "begun"
    );
    second.begin(&session.resume(&opening.id)).await;
    assert_eq!(first.whole_event().await, None, "one reads at a time");
    latch.open();
    assert_eq!(said(&rest(&mut second).await), ["begun", "going", "over"]);
    gateway.finish().await;
}

/// Each stream is its own: what was said on another is not said again.
#[tokio::test]
async fn nothing_of_another_stream_is_replayed() {
    let latch = Latch::new();
    let gateway = talking(&latch, "").await;
    let session = LegacySession::open(&gateway).await;
    let (mut one, mut two) = (gateway.connect().await, gateway.connect().await);
    one.begin(&session.call(1, "slow__talk", json!({}))).await;
    let opening = next(&mut one).await;
    two.begin(&session.call(2, "slow__talk", json!({}))).await;
    let mut get = gateway.connect().await;
    get.begin(&session.get()).await;
    assert!(of(&gateway, &session).tell(&Method::LogMessage, &log("aside")));
    latch.begun(2).await;
    latch.open();
    assert_eq!(said(&rest(&mut two).await), ["begun", "going", "over"]);
    drop(one);
    let mut back = gateway.connect().await;
    back.begin(&session.resume(&opening.id)).await;
    let events = rest(&mut back).await;
    assert_eq!(said(&events), ["begun", "going", "over"]);
    let answer = events.last().and_then(|event| event.message.as_ref());
    assert_eq!(answer.expect("an answer")["id"], 1);
    assert_eq!(next(&mut get).await.message, None);
    assert_eq!(said(&[next(&mut get).await]), ["aside"]);
    session.delete(&gateway).await;
    gateway.finish().await;
}

#[tokio::test]
async fn the_standalone_stream_goes_on_and_keeps_what_nobody_heard() {
    let gateway = TestGateway::plain().await;
    let session = LegacySession::open(&gateway).await;
    let mine = of(&gateway, &session);
    assert!(mine.tell(&Method::LogMessage, &log("before")));
    let mut first = gateway.connect().await;
    first.begin(&session.get()).await;
    let opening = next(&mut first).await;
    assert_eq!((opening.retry, &opening.message), (Some(1000), &None));
    let before = next(&mut first).await;
    assert!(mine.tell(&Method::LogMessage, &log("lost")));
    assert_eq!(
        said(&[before.clone(), next(&mut first).await]),
        ["before", "lost"]
    );
    drop(first);
    until("the gateway sees that it went away", || mine.is_idle()).await;
    assert!(mine.tell(&Method::LogMessage, &log("away")));
    let mut second = gateway.connect().await;
    second.begin(&session.resume(&before.id)).await;
    assert_eq!(
        next(&mut second).await.id,
        before.id,
        "where it goes on from"
    );
    let missed = [next(&mut second).await, next(&mut second).await];
    assert_eq!(said(&missed), ["lost", "away"]);
    assert!(mine.tell(&Method::LogMessage, &log("live")));
    assert_eq!(said(&[next(&mut second).await]), ["live"]);
    // A fresh one begins behind what was heard.
    let mut third = gateway.connect().await;
    third.begin(&session.get()).await;
    assert_eq!(next(&mut third).await.message, None);
    assert!(mine.tell(&Method::LogMessage, &log("new")));
    assert_eq!(said(&[next(&mut third).await]), ["new"]);
    assert_eq!(second.whole_event().await, None);
    drop(mine);
    session.delete(&gateway).await;
    assert_eq!(third.whole_event().await, None);
    gateway.finish().await;
}

/// S10.
#[tokio::test]
async fn an_event_that_is_not_there_is_a_clear_answer() {
    let latch = Latch::new();
    latch.open();
    let gateway = talking(&latch, "").await;
    let (mine, other) = (
        LegacySession::open(&gateway).await,
        LegacySession::open(&gateway).await,
    );
    let mut connection = gateway.connect().await;
    connection
        .begin(&mine.call(1, "slow__talk", json!({})))
        .await;
    let events = rest(&mut connection).await;
    // The other session has a stream of that number too.
    let mut connection = gateway.connect().await;
    connection
        .begin(&other.call(1, "slow__talk", json!({})))
        .await;
    rest(&mut connection).await;
    let foreign = &events[0].id;
    let later = format!("{}9", events.last().expect("events").id);
    for (session, id) in [
        (&other, foreign.as_str()),
        (&mine, &later),
        (&mine, "0"),
        (&mine, ""),
        (&mine, "00000000.0.0"),
        (&mine, "x.y.z"),
    ] {
        let answer = gateway.send(&session.resume(id)).await;
        assert_eq!((answer.status, answer.code()), (400, -32600), "{id}");
    }
    let twice = mine.resume(foreign).header("last-event-id", foreign);
    assert_eq!(gateway.send(&twice).await.status, 400);
    let end = &events.last().expect("events").id;
    let nothing_more = gateway.send(&mine.resume(end)).await;
    assert_eq!(said_in(&nothing_more.text()), 0);
    gateway.finish().await;
}

fn said_in(text: &str) -> usize {
    text.matches("jsonrpc").count()
}

#[tokio::test]
async fn what_is_kept_is_bounded() {
    let latch = Latch::new();
    latch.open();
    let config = "[server.sessions]\nreplay_messages = 4";
    let gateway = talking(&latch, config).await;
    let session = LegacySession::open(&gateway).await;
    let mut openings = Vec::new();
    for id in 1..=3 {
        let mut connection = gateway.connect().await;
        connection
            .begin(&session.call(id, "slow__talk", json!({})))
            .await;
        openings.push(rest(&mut connection).await[0].id.clone());
    }
    assert_eq!(of(&gateway, &session).streams().held().0, 4);
    let oldest = gateway.send(&session.resume(&openings[0])).await;
    assert_eq!(oldest.status, 400, "it made room for others");
    let newest = gateway.send(&session.resume(&openings[2])).await;
    assert_eq!(said_in(&newest.text()), 3);
    gateway.finish().await;
}

/// F32: what nobody comes for is dropped in time.
#[tokio::test]
async fn what_nobody_comes_for_is_forgotten() {
    let latch = Latch::new();
    latch.open();
    let config = "[server.sessions]\nreplay_ms = 0";
    let gateway = talking(&latch, config).await;
    let session = LegacySession::open(&gateway).await;
    let mut connection = gateway.connect().await;
    connection
        .begin(&session.call(1, "slow__talk", json!({})))
        .await;
    assert_eq!(
        said(&rest(&mut connection).await),
        ["begun", "going", "over"]
    );
    gateway.front.sessions().sweep();
    assert_eq!(of(&gateway, &session).streams().held(), (0, 0));
    gateway.finish().await;
}

/// JSON cannot be come back to, so a request that takes long becomes a stream.
#[tokio::test]
async fn a_request_that_takes_long_becomes_a_stream_its_client_can_come_back_to() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let older = LegacySession::open_as(&gateway, "2025-06-18", None).await;
    let mut waiting = gateway.connect().await;
    let call = older.call(1, "held__wait", json!({}));
    waiting.write(&call.bytes(gateway.address)).await;
    let session = LegacySession::open(&gateway).await;
    let mut first = gateway.connect().await;
    let call = session.call(1, "held__wait", json!({}));
    let begun = tokio::time::Instant::now();
    assert!(first.begin(&call).await.is_stream());
    assert!(begun.elapsed() > Duration::from_millis(900));
    let opening = next(&mut first).await;
    assert_eq!((opening.retry, &opening.message), (Some(1000), &None));
    drop(first);
    let mut second = gateway.connect().await;
    second.begin(&session.resume(&opening.id)).await;
    latch.open();
    assert_eq!(said(&rest(&mut second).await), ["let go"]);
    let answer = waiting.answer().await;
    assert!(!answer.is_stream(), "older clients could not come back");
    gateway.finish().await;
}

/// A question waits on the stream for its client, like everything that is needed.
#[tokio::test]
async fn a_client_that_comes_back_is_asked() {
    let gateway = TestGateway::builder().plugin("ask", asker()).build().await;
    let session = LegacySession::open_able(&gateway, "2025-11-25").await;
    let mut first = gateway.connect().await;
    let arguments = json!({ "method": "roots/list", "params": {} });
    first.begin(&session.call(1, "ask__ask", arguments)).await;
    let opening = next(&mut first).await;
    drop(first);
    let mut second = gateway.connect().await;
    second.begin(&session.resume(&opening.id)).await;
    assert_eq!(next(&mut second).await.id, opening.id);
    let asked = next(&mut second).await.message.expect("a question");
    assert_eq!(asked["method"], "roots/list");
    gateway
        .send(&session.answer(&asked["id"], json!({ "roots": [] })))
        .await;
    assert_eq!(said(&rest(&mut second).await), [r#"{"roots":[]}"#]);
    gateway.finish().await;
}

/// F39: a stream that nobody reads holds up no other of its session.
#[tokio::test]
async fn a_stream_that_is_not_read_delays_no_other_of_its_session() {
    let latch = Latch::new();
    let flooding = latch.clone();
    let flood = plugin(move |tools| {
        let latch = flooding.clone();
        tools.add(
            "flood",
            "Tells much",
            move |_: NoArguments, context: ToolContext| {
                let latch = latch.clone();
                async move {
                    let text = "x".repeat(16 << 10);
                    for _ in 0..1_000 {
                        context.log(LogLevel::Error, None, &text);
                        tokio::task::yield_now().await;
                    }
                    latch.hold().await;
                    Ok::<_, ToolError>("told")
                }
            },
        );
    });
    let talking = Latch::new();
    talking.open();
    let gateway = TestGateway::builder()
        .config("[server]\nwrite_timeout_ms = 60000")
        .plugin("flood", flood)
        .plugin("slow", talker(&talking))
        .build()
        .await;
    let session = LegacySession::open(&gateway).await;
    let mut unread = gateway.narrow().await;
    let call = session.call(1, "flood__flood", json!({}));
    unread
        .write(&call.header("connection", "close").bytes(gateway.address))
        .await;
    latch.begun(1).await;
    let streams = of(&gateway, &session);
    assert!(streams.streams().dropped() > 0, "it could not all be kept");
    for id in 2..5 {
        let mut other = gateway.connect().await;
        other
            .begin(&session.call(id, "slow__talk", json!({})))
            .await;
        assert_eq!(said(&rest(&mut other).await), ["begun", "going", "over"]);
    }
    let (messages, bytes) = streams.streams().held();
    assert!(messages <= 512 && bytes <= 3 << 20, "{messages} {bytes}");
    latch.open();
    let read = unread.rest().await;
    assert!(String::from_utf8_lossy(&read).contains(r#""text":"told""#));
    drop(streams);
    gateway.finish().await;
}
