//! Plugins that are loaded at their first use.

use serde_json::json;
use toolgate::registry::life::State;

use crate::ext::{get, status};
use crate::support::{Site, TestGateway, modern};

const CONFIG: &str = "[plugins.x]\nload = \"lazy\"\nrequests = [\"ROUTES\", \"TOOLS\"]\n";

/// O9: fifty first hits at once load it once.
#[tokio::test]
async fn the_first_hits_of_a_route_load_it_once() {
    let site = Site::new();
    let gateway = TestGateway::builder()
        .config(CONFIG)
        .plugin("x", site.clone())
        .build()
        .await;
    assert_eq!(status(&gateway, "x").await["state"], "loaded");
    assert_eq!(get(&gateway, "/ext/x/health").await.status, 200);
    assert_eq!(*site.starts.borrow(), 0);
    let hits = (0..50).map(|_| get(&gateway, "/ext/x/greet"));
    for answer in futures::future::join_all(hits).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(*site.starts.borrow(), 1);
    assert_eq!(gateway.plugin("x").life.state(), State::Active);
    gateway.finish().await;
}

/// O9: a list is a use of a plugin whose tools nobody has declared; of others it is not.
#[tokio::test]
async fn the_first_list_loads_what_declares_no_tool() {
    let (undeclared, declared) = (Site::new(), Site::new());
    let more = "[plugins.y]\nload = \"lazy\"\n[[plugins.y.tools]]\nname = \"it\"\ninput_schema = { type = \"object\" }\n";
    let gateway = TestGateway::builder()
        .config(&format!("{CONFIG}{more}"))
        .plugin("x", undeclared.clone())
        .plugin("y", declared.clone())
        .build()
        .await;
    let lists = (0..20).map(|_| async {
        let list = gateway
            .send(&modern::request("tools/list", json!({})))
            .await;
        list.text()
    });
    for list in futures::future::join_all(lists).await {
        assert!(list.contains("x__it") && list.contains("y__it"), "{list}");
    }
    assert_eq!(
        (*undeclared.starts.borrow(), *declared.starts.borrow()),
        (1, 0)
    );
    let called = gateway.send(&modern::call("y__it", json!({}))).await;
    assert_eq!(called.json()["result"]["content"][0]["text"], "here");
    assert_eq!(*declared.starts.borrow(), 1);
    gateway.finish().await;
}
