//! Who is told that the tools have changed, and how often.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use toolgate::plugin::{NoArguments, Plugin, ToolError};

use crate::support::{Connection, LegacySession, StdioClient, TestGateway, modern, plugin, within};

/// How many plugins can be woken; the tools of each are a change.
const ASLEEP: usize = 12;

const CHANGED: &str = "notifications/tools/list_changed";

fn sleeper() -> impl Plugin {
    plugin(|tools| {
        tools.add("do", "Does", |_: NoArguments, _| {
            std::future::ready(Ok::<_, ToolError>("done"))
        });
    })
}

/// A gateway with plugins that list nothing until they are called.
async fn asleep() -> TestGateway {
    let names: Vec<String> = (0..ASLEEP).map(|at| format!("s{at}")).collect();
    let config: String = names
        .iter()
        .map(|name| format!("[plugins.{name}]\nload = \"lazy\"\n"))
        .collect();
    // Some stop the clock, and a database does not go by it.
    let config = format!("[ledger]\nurl = \"off\"\n{config}");
    let builder = TestGateway::builder().config(&config);
    names
        .iter()
        .fold(builder, |builder, name| builder.plugin(name, sleeper()))
        .build()
        .await
}

fn wake(at: usize) -> Value {
    json!({ "name": format!("s{at}__do"), "arguments": {} })
}

async fn changed(connection: &mut Connection) -> Value {
    let event = connection.event().await.expect("the stream goes on");
    assert_eq!(event["method"], CHANGED);
    event
}

/// F17, as clients see it.
#[tokio::test]
async fn http_streams_hear_of_changes_at_most_once_a_second() {
    let gateway = asleep().await;
    let session = LegacySession::open(&gateway).await;
    let mut get = gateway.connect().await;
    assert_eq!(get.begin(&session.get()).await.status, 200);
    let filter =
        json!({ "notifications": { "toolsListChanged": true, "promptsListChanged": true } });
    let mut listen = gateway.connect().await;
    let message = modern::message("sub", "subscriptions/listen", filter);
    assert!(
        listen
            .begin(&modern::request_of(&message))
            .await
            .is_stream()
    );
    let first = listen.event().await.expect("the acknowledgement");
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(
        first["params"]["notifications"],
        json!({ "toolsListChanged": true, "promptsListChanged": true })
    );
    let subscription =
        |event: &Value| event["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].clone();
    assert_eq!(subscription(&first), "sub");

    for at in 0..ASLEEP / 2 {
        assert_eq!(
            gateway
                .send(&modern::request("tools/call", wake(at)))
                .await
                .status,
            200
        );
    }
    changed(&mut get).await;
    assert_eq!(subscription(&changed(&mut listen).await), "sub");
    let told = Instant::now();
    for at in ASLEEP / 2..ASLEEP {
        assert_eq!(
            gateway
                .send(&session.request(at, "tools/call", wake(at)))
                .await
                .status,
            200
        );
    }
    changed(&mut get).await;
    // What was told just before the clock was read makes it a little less than a second.
    assert!(
        told.elapsed() > Duration::from_millis(800),
        "told again after {:?}",
        told.elapsed()
    );
    changed(&mut listen).await;
    let list = gateway
        .send(&session.request(99, "tools/list", json!({})))
        .await
        .json();
    assert_eq!(
        list["result"]["tools"].as_array().map(Vec::len),
        Some(2 + ASLEEP)
    );

    // Nothing more is owed: the streams end with what ends them.
    session.delete(&gateway).await;
    assert_eq!(get.event().await, None);
    let (left, ending) = tokio::join!(gateway.front.drain(), listen.event());
    let result = ending.expect("a graceful end is a result");
    assert_eq!(
        (left, &result["id"], &result["result"]["resultType"]),
        (0, &json!("sub"), &json!("complete"))
    );
    assert_eq!(listen.event().await, None);
    gateway.finish().await;
}

#[tokio::test]
async fn who_did_not_ask_for_tools_hears_nothing_of_them() {
    let gateway = asleep().await;
    let mut listen = gateway.connect().await;
    let filter = json!({ "notifications": { "resourceSubscriptions": [] } });
    listen
        .begin(&modern::request("subscriptions/listen", filter))
        .await;
    let first = listen.event().await.expect("the acknowledgement");
    assert_eq!(first["params"]["notifications"], json!({}));
    gateway.send(&modern::request("tools/call", wake(0))).await;
    let (_, ending) = tokio::join!(gateway.front.drain(), listen.event());
    assert_eq!(
        ending.expect("the end")["id"],
        1,
        "nothing stood before the end"
    );
    gateway.finish().await;
}

/// Reads what comes within `time`: when each message came.
async fn heard(client: &mut StdioClient, time: Duration) -> Vec<(Duration, Value)> {
    let begun = Instant::now();
    let mut messages = Vec::new();
    while let Ok(message) = tokio::time::timeout_at(begun + time, client.next()).await {
        messages.push((begun.elapsed(), message));
    }
    messages
}

fn is_change(message: &Value) -> bool {
    message["method"] == CHANGED
}

/// F17 on a pipe, with a clock that stands still while anything runs.
#[tokio::test(start_paused = true)]
async fn a_pipe_hears_of_changes_at_most_once_a_second_and_of_the_last_one() {
    let gateway = asleep().await;
    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    let registry = gateway.app.desk.registry();
    let caller = toolgate::model::caller::Caller::anonymous();
    let waking = async {
        for at in 0..ASLEEP {
            let woken = registry.wake(&format!("s{at}__do"), &caller).await;
            woken.expect("there is such a plugin").expect("it starts");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let (messages, ()) = tokio::join!(heard(&mut client, Duration::from_secs(4)), waking);
    let times: Vec<u128> = messages.iter().map(|(at, _)| at.as_millis()).collect();
    assert!(messages.iter().all(|(_, message)| is_change(message)));
    // Changes at 0, 200, … 2200 ms.
    assert_eq!(times, [0, 1000, 2000, 3000]);
    client.finish().await;
    gateway.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_subscription_on_a_pipe_hears_of_changes_until_it_is_cancelled() {
    let gateway = asleep().await;
    let mut client = StdioClient::start(&gateway);
    let filter = json!({ "notifications": { "toolsListChanged": true } });
    client
        .send(&modern::message("sub", "subscriptions/listen", filter))
        .await;
    let first = client.next().await;
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    client
        .send(&modern::message(1, "tools/call", wake(0)))
        .await;
    let (one, two) = (client.next().await, client.next().await);
    let change = if is_change(&one) { &one } else { &two };
    assert_eq!(
        change["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"],
        "sub"
    );
    client
        .tell("notifications/cancelled", json!({ "requestId": "sub" }))
        .await;
    client
        .send(&modern::message(2, "tools/call", wake(1)))
        .await;
    let rest = heard(&mut client, Duration::from_secs(3)).await;
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(rest[0].1["id"], 2);
    client.finish().await;
    gateway.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_modern_client_on_a_pipe_that_did_not_subscribe_hears_nothing() {
    let gateway = asleep().await;
    let mut client = StdioClient::start(&gateway);
    client
        .send(&modern::message(1, "tools/call", wake(0)))
        .await;
    let heard = within(
        "the time passes",
        heard(&mut client, Duration::from_secs(3)),
    )
    .await;
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].1["id"], 1);
    client.finish().await;
    gateway.finish().await;
}
