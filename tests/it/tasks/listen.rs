//! `notifications/tasks` on `subscriptions/listen`.

use serde_json::json;

use crate::rounds::asker::gateway;
use crate::support::{Latch, modern};
use crate::tasks::client::{begin, get, message};
use crate::tasks::offered::AT_ONCE;

#[tokio::test]
async fn a_subscription_hears_of_the_tasks_that_it_names() {
    let latch = Latch::new();
    let gateway = gateway(AT_ONCE, &latch).await;
    let id = begin(&gateway, "asker__hold").await;
    let filter = json!({ "notifications": { "taskIds": [id, "0".repeat(32), "x"] } });
    let listen = modern::request_of(&message("sub", "subscriptions/listen", filter));
    let mut stream = gateway.connect().await;
    assert!(stream.begin(&listen).await.is_stream());
    let first = stream.event().await.expect("the acknowledgement");
    assert_eq!(first["params"]["notifications"], json!({ "taskIds": [id] }));
    let now = stream.event().await.expect("how it is now");
    assert_eq!(
        (&now["method"], &now["params"]["status"]),
        (&json!("notifications/tasks"), &json!("working"))
    );
    latch.open();
    let mut end = stream.event().await.expect("its end");
    let meta = end["params"]["_meta"].take();
    assert_eq!(meta["io.modelcontextprotocol/subscriptionId"], "sub");
    let mut task = get(&gateway, &id).await;
    task["_meta"] = json!(null);
    task.as_object_mut().expect("a task").remove("resultType");
    assert_eq!(end["params"], task);
    assert_eq!(task["status"], "completed");
    drop(stream);
    gateway.finish().await;
}

#[tokio::test]
async fn a_client_that_does_not_know_tasks_is_told_so() {
    let gateway = gateway(AT_ONCE, &Latch::new()).await;
    let filter = json!({ "notifications": { "taskIds": [] } });
    let listen = modern::request("subscriptions/listen", filter);
    let refused = gateway.send(&listen).await;
    assert_eq!((refused.status, refused.code()), (400, -32021));
    gateway.finish().await;
}
