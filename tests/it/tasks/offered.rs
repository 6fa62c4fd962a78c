//! Which calls become tasks, for which clients, and when.

use serde_json::{Value, json};

use crate::rounds::asker::{gateway, text};
use crate::support::{Latch, LegacySession, modern};
use crate::tasks::client::{begin, call, done, extension, reaches};

/// Calls become tasks at once.
pub(super) const AT_ONCE: &str = "[server.tasks]\nafter_ms = 0\n[plugins.asker]\ntasks = true\n";

async fn announced(config: &str) -> Value {
    let gateway = gateway(config, &Latch::new()).await;
    let request = modern::request("server/discover", json!({}));
    let answer = gateway.send(&request).await.json();
    gateway.finish().await;
    answer["result"]["capabilities"]["extensions"].clone()
}

#[tokio::test]
async fn the_extension_is_announced_where_a_tool_makes_tasks() {
    assert_eq!(announced("").await, Value::Null);
    assert_eq!(announced(AT_ONCE).await, extension());
    let one = "[plugins.asker]\n[[plugins.asker.tools]]\nname = \"hold\"\ntasks = true\n";
    assert_eq!(announced(one).await, extension());
}

#[tokio::test]
async fn only_clients_that_know_tasks_get_them() {
    let latch = Latch::new();
    latch.open();
    let gateway = gateway(AT_ONCE, &latch).await;
    let plain = gateway.send(&modern::call("asker__hold", json!({}))).await;
    assert_eq!(text(&plain.json()), "let go");
    let session = LegacySession::open(&gateway).await;
    let plain = gateway
        .send(&session.call(1, "asker__hold", json!({})))
        .await;
    assert_eq!(plain.json()["result"]["content"][0]["text"], "let go");
    let id = json!({ "taskId": "0".repeat(32) });
    let refused = gateway
        .send(&modern::request_of(&modern::message(1, "tasks/get", id)))
        .await;
    assert_eq!((refused.status, refused.code()), (400, -32021));
    gateway.finish().await;
}

#[tokio::test]
async fn a_tool_may_make_none_where_its_plugin_does() {
    let config = format!("{AT_ONCE}[[plugins.asker.tools]]\nname = \"hold\"\ntasks = false\n");
    let latch = Latch::new();
    let gateway = gateway(&config, &latch).await;
    let opening = async {
        latch.begun(1).await;
        latch.open();
    };
    let (answer, ()) = futures::join!(call(&gateway, "asker__hold"), opening);
    assert_eq!(text(&answer), "let go");
    gateway.finish().await;
}

/// What is done in time is answered as ever, and what asks in time asks by its answer.
#[tokio::test]
async fn quick_calls_are_answered_as_ever() {
    let latch = Latch::new();
    latch.open();
    let config = "[server.tasks]\nafter_ms = 3600000\n[plugins.asker]\ntasks = true\n";
    let gateway = gateway(config, &latch).await;
    assert_eq!(text(&call(&gateway, "asker__hold").await), "let go");
    let asked = call(&gateway, "asker__once").await;
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    assert!(gateway.app.desk.tasks.is_empty());
    gateway.front.drain().await;
    gateway.finish().await;
}

/// Over the bound a call is a plain one.
#[tokio::test]
async fn tasks_are_bounded() {
    let config = AT_ONCE.replace("after_ms = 0", "after_ms = 0\nmax = 1");
    let latch = Latch::new();
    let gateway = gateway(&config, &latch).await;
    let id = begin(&gateway, "asker__hold").await;
    let opening = async {
        latch.begun(2).await;
        latch.open();
    };
    let (plain, ()) = futures::join!(call(&gateway, "asker__hold"), opening);
    assert_eq!(text(&plain), "let go");
    reaches(&gateway, &id, "completed").await;
    done(&gateway, "tasks/cancel", json!({ "taskId": id })).await;
    assert_eq!(gateway.app.desk.tasks.len(), 1);
    gateway.finish().await;
}
