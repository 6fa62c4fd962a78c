//! Tasks over standard input and output.

use serde_json::{Value, json};

use crate::rounds::asker::gateway;
use crate::support::{Latch, StdioClient, until, within};
use crate::tasks::client::{message, task_of};
use crate::tasks::offered::AT_ONCE;

async fn ask(client: &mut StdioClient, id: u32, method: &str, params: Value) -> Value {
    client.send(&message(id, method, params)).await;
    let answer = client.next().await;
    assert_eq!(answer["id"], id, "{answer}");
    answer
}

#[tokio::test]
async fn a_slow_call_goes_on_as_a_task_over_a_pipe_too() {
    let latch = Latch::new();
    let gateway = gateway(AT_ONCE, &latch).await;
    let mut client = StdioClient::start(&gateway);
    let hold = json!({ "name": "asker__hold", "arguments": {} });
    let first = task_of(&ask(&mut client, 1, "tools/call", hold.clone()).await);
    // The id of the request is free again, and the call cannot be reached by it.
    client
        .tell("notifications/cancelled", json!({ "requestId": 1 }))
        .await;
    let second = task_of(&ask(&mut client, 1, "tools/call", hold).await);
    latch.begun(2).await;
    ask(&mut client, 2, "tasks/cancel", json!({ "taskId": second })).await;
    latch.given_up(1).await;
    latch.open();
    latch.done(1).await;
    let about = json!({ "taskId": first });
    let completed = async {
        loop {
            let task = ask(&mut client, 3, "tasks/get", about.clone()).await;
            if task["result"]["status"] != "working" {
                return task;
            }
        }
    };
    let task = within("the task is done", completed).await;
    assert_eq!(
        task["result"]["result"]["content"][0]["text"], "let go",
        "{task}"
    );
    assert!(client.finish().await.is_empty());
    until("both are recorded", || gateway.records.all().len() == 2).await;
    gateway.finish().await;
}
