//! What becomes of a task: done, asked, cancelled, forgotten.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::rounds::asker::gateway;
use crate::support::{Latch, modern, until};
use crate::tasks::client::{begin, call, done, get, is_unknown, message, reaches, task_of};
use crate::tasks::offered::AT_ONCE;

#[tokio::test]
async fn a_slow_call_goes_on_and_its_result_is_what_it_would_have_been() {
    let latch = Latch::new();
    let gateway = gateway(AT_ONCE, &latch).await;
    let begun = call(&gateway, "asker__hold").await;
    let id = task_of(&begun);
    let task = get(&gateway, &id).await;
    let mut expect = begun["result"].clone();
    expect["resultType"] = "complete".into();
    assert_eq!(task, expect);
    assert_eq!(
        (&task["ttlMs"], &task["pollIntervalMs"]),
        (&json!(3_600_000), &json!(1000))
    );
    let created = task["createdAt"].as_str().expect("a time");
    assert!(
        created.len() == 24 && created.ends_with('Z') && &created[10..11] == "T",
        "{created}"
    );
    assert_eq!(id.len(), 32);
    assert_eq!(gateway.front.active(), 0, "it does not run for the drain");
    assert!(gateway.records.all().is_empty(), "the call goes on");
    latch.open();
    reaches(&gateway, &id, "completed").await;
    let plain = gateway
        .send(&modern::call("asker__hold", json!({})))
        .await
        .text();
    let result = plain.split_once(r#""result":"#).expect("a result").1;
    let request = modern::request_of(&message(1, "tasks/get", json!({ "taskId": id })));
    let fetched = gateway.send(&request).await.text();
    assert!(
        fetched.ends_with(&format!(r#","result":{result}}}"#)),
        "{fetched}"
    );
    assert_eq!(gateway.records.count("asker__hold", "answered"), 2);
    gateway.finish().await;
}

#[tokio::test]
async fn what_is_asked_before_a_task_is_made_is_asked_by_the_answer() {
    let gateway = gateway(AT_ONCE, &Latch::new()).await;
    let plain = call(&gateway, "asker__both").await;
    // It asked before anybody could stop waiting.
    assert_eq!(plain["result"]["resultType"], "input_required");
    let mut again = json!({ "name": "asker__both", "arguments": {} });
    again["requestState"] = plain["result"]["requestState"].clone();
    again["inputResponses"] = json!({ "q1": { "a": 1 } });
    let asked = crate::tasks::client::ask(&gateway, "tools/call", again).await;
    assert_eq!(asked["result"]["resultType"], "input_required");
    gateway.front.drain().await;
    gateway.finish().await;
}

#[tokio::test]
async fn questions_of_a_task_stand_in_it_until_they_are_answered() {
    let latch = Latch::new();
    let gateway = gateway(AT_ONCE, &latch).await;
    let id = begin(&gateway, "asker__late").await;
    assert_eq!(get(&gateway, &id).await["status"], "working");
    latch.open();
    let task = reaches(&gateway, &id, "input_required").await;
    assert_eq!(task["inputRequests"]["q1"]["params"]["message"], "late?");
    let update = |responses: Value| json!({ "taskId": id, "inputResponses": responses });
    done(&gateway, "tasks/update", update(json!({ "q9": {} }))).await;
    assert_eq!(get(&gateway, &id).await["status"], "input_required");
    done(
        &gateway,
        "tasks/update",
        update(json!({ "q1": { "n": 1.50 } })),
    )
    .await;
    let task = reaches(&gateway, &id, "completed").await;
    assert_eq!(task["result"]["content"][0]["text"], r#"{"n":1.5}"#);
    let wrong = crate::tasks::client::ask(&gateway, "tasks/update", json!({ "taskId": id })).await;
    assert_eq!(wrong["error"]["code"], -32602);
    gateway.finish().await;
}

#[tokio::test]
async fn a_task_can_be_cancelled() {
    let latch = Latch::new();
    let gateway = gateway(AT_ONCE, &latch).await;
    let id = begin(&gateway, "asker__hold").await;
    latch.begun(1).await;
    done(&gateway, "tasks/cancel", json!({ "taskId": id })).await;
    latch.given_up(1).await;
    assert_eq!(get(&gateway, &id).await["status"], "cancelled");
    until("it is recorded", || {
        gateway.records.count("asker__hold", "cancelled") == 1
    })
    .await;
    done(&gateway, "tasks/cancel", json!({ "taskId": id })).await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_task_that_is_too_old_is_forgotten() {
    let latch = Latch::new();
    let config = AT_ONCE.replace("after_ms = 0", "after_ms = 0\nttl_ms = 50");
    let gateway = gateway(&config, &latch).await;
    let id = begin(&gateway, "asker__hold").await;
    until("it is forgotten", || gateway.app.desk.tasks.is_empty()).await;
    is_unknown(&gateway, &id).await;
    until("it is recorded", || {
        gateway.records.count("asker__hold", "cancelled") == 1
    })
    .await;
    latch.open();
    begin_or_done(&gateway).await;
    until("results are forgotten too", || {
        gateway.app.desk.tasks.is_empty()
    })
    .await;
    gateway.finish().await;
}

async fn begin_or_done(gateway: &crate::support::TestGateway) {
    let answer = call(gateway, "asker__hold").await;
    let kind = &answer["result"]["resultType"];
    assert!(kind == "task" || kind == "complete", "{answer}");
}

/// It may take as long as a call may take at all.
#[tokio::test]
async fn a_task_is_not_bound_by_the_time_of_a_call() {
    let latch = Latch::new();
    let config = format!("{AT_ONCE}[plugins.asker.limits]\ncall_timeout_ms = 60\n");
    let gateway = gateway(&config, &latch).await;
    let id = begin(&gateway, "asker__hold").await;
    let plain = gateway.send(&modern::call("asker__hold", json!({}))).await;
    assert!(plain.text().contains("timed out"), "{}", plain.text());
    assert_eq!(get(&gateway, &id).await["status"], "working");
    latch.open();
    reaches(&gateway, &id, "completed").await;
    gateway.finish().await;
}

/// The drain waits for no task, and ends them.
#[tokio::test]
async fn tasks_end_when_the_gateway_stops() {
    let latch = Latch::new();
    let gateway = gateway(AT_ONCE, &latch).await;
    begin(&gateway, "asker__hold").await;
    latch.begun(1).await;
    assert_eq!(gateway.front.drain().await, 0);
    latch.given_up(1).await;
    until("it is recorded", || {
        gateway.records.count("asker__hold", "cancelled") == 1
    })
    .await;
    gateway.finish().await;
}

fn token(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("[[auth.tokens]]\nname = \"{name}\"\nsha256 = \"{digits}\"\n")
}

#[tokio::test]
async fn a_task_is_known_to_its_principal_only() {
    let latch = Latch::new();
    let config = format!("{}{}{AT_ONCE}", token("ann"), token("bob"));
    let gateway = gateway(&config, &latch).await;
    let send = async |who: &str, method: &str, params: Value| {
        let request = modern::request_of(&message(1, method, params)).token(who);
        gateway.send(&request).await.json()
    };
    let hold = json!({ "name": "asker__hold", "arguments": {} });
    let id = task_of(&send("ann", "tools/call", hold).await);
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let about = |id: &str| json!({ "taskId": id, "inputResponses": {} });
        let other = send("bob", method, about(&id)).await;
        assert_eq!(other["error"]["code"], -32602, "{other}");
        let nobody = "f".repeat(32);
        let unknown = send("bob", method, about(&nobody)).await;
        assert_eq!(unknown.to_string().replace(&nobody, &id), other.to_string());
    }
    let own = send("ann", "tasks/get", json!({ "taskId": id })).await;
    assert_eq!(own["result"]["status"], "working", "{own}");
    latch.open();
    latch.done(1).await;
    gateway.finish().await;
}
