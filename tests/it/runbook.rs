//! The plugin `runbook`: what it finds, and that it notices what changes. F26

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rest::call;
use crate::support::{Answer, LegacySession, TestGateway, modern, within};

const FAILOVER: &str = "# Database\n\n## Failover\nPromote the replica with `pg_ctl promote`, then move the address.\n";

struct Library {
    gateway: TestGateway,
    folder: TempDir,
}

impl Library {
    /// A gateway with one runbook.
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write(&folder, "db/failover.md", FAILOVER);
        let dir = folder.path().display();
        let config = format!("[plugins.runbook]\nenabled = true\nconfig = {{ dir = '{dir}' }}\n");
        let gateway = TestGateway::builder().config(&config).build().await;
        Self { gateway, folder }
    }

    async fn search(&self, query: &str) -> Answer {
        let arguments = json!({ "query": query }).to_string();
        self.gateway.send(&call("runbook.search", &arguments)).await
    }
}

fn write(folder: &TempDir, path: &str, text: &str) {
    let path = folder.path().join(path);
    std::fs::create_dir_all(path.parent().expect("it is below")).expect("it is ours");
    std::fs::write(path, text).expect("it is ours");
}

fn hits(answer: &Answer) -> Vec<Value> {
    let hits = &answer.json()["structuredContent"]["hits"];
    hits.as_array().expect("a list").clone()
}

#[tokio::test]
async fn places_are_found_with_their_headings_and_can_be_read_whole() {
    let library = Library::open().await;
    let answer = library.search("how to promote replicas").await;
    let hit = &hits(&answer)[0];
    assert_eq!(hit["path"], "db/failover.md");
    assert_eq!(hit["headings"], json!(["Database", "Failover"]));
    assert_eq!(hit["line"], 3);
    let text = answer.json()["content"][0]["text"].clone();
    let text = text.as_str().expect("a text");
    assert!(
        text.starts_with("db/failover.md:3 – Database > Failover\n    Promote the replica"),
        "{text}"
    );

    let read = modern::request("resources/read", json!({ "uri": hit["uri"] }));
    let read = library.gateway.send(&read).await;
    let contents = read.json()["result"]["contents"][0].clone();
    assert_eq!(
        (&contents["text"], &contents["mimeType"]),
        (&json!(FAILOVER), &json!("text/markdown"))
    );
    library.gateway.finish().await;
}

#[tokio::test]
async fn what_comes_and_changes_is_found_and_told() {
    let library = Library::open().await;
    let session = LegacySession::open(&library.gateway).await;
    let mut stream = library.gateway.connect().await;
    assert_eq!(stream.begin(&session.get()).await.status, 200);
    assert!(hits(&library.search("quarantine").await).is_empty());
    write(
        &library.folder,
        "web/quarantine.md",
        "# Quarantine a node\nCordon it.\n",
    );
    within("the new runbook is found", async {
        while hits(&library.search("quarantine").await).is_empty() {}
    })
    .await;
    within("clients are told", async {
        loop {
            let event = stream.event().await.expect("the stream goes on");
            if event["method"] == "notifications/resources/list_changed" {
                break;
            }
        }
    })
    .await;
    write(
        &library.folder,
        "web/quarantine.md",
        "# Isolate a node\nDrain it.\n",
    );
    within("the change is found", async {
        while hits(&library.search("drain").await).is_empty() {}
    })
    .await;
    session.delete(&library.gateway).await;
    library.gateway.finish().await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let config = "[plugins.runbook]\nenabled = true\nconfig = { dir = '/nowhere/at/all' }\n";
    let gateway = TestGateway::builder().config(config).build().await;
    let answer = gateway
        .send(&call("runbook.search", r#"{"query":"x"}"#))
        .await;
    let text = answer.text();
    assert!(
        text.contains("/nowhere/at/all") || answer.status == 404,
        "{text}"
    );
    let error = gateway.plugin("runbook").life.snapshot().error;
    assert!(
        error.is_some_and(|why| why.contains("`/nowhere/at/all` (`dir` in the plugin's config)"))
    );
    gateway.finish().await;
}
