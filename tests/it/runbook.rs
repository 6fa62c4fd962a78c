//! The plugin `runbook`: what it finds, and that it notices what changes. F26

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rest::call;
use crate::support::redis::patiently;
use crate::support::{Answer, Connection, LegacySession, TestGateway, modern, within};

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

    async fn read(&self, uri: &str) -> Answer {
        let read = modern::request("resources/read", json!({ "uri": uri }));
        self.gateway.send(&read.header("mcp-name", uri)).await
    }

    /// Waits until a search finds something, or nothing any more.
    async fn finds(&self, query: &str, something: bool) {
        let what = format!("`{query}` is found: {something}");
        within(&what, async {
            while hits(&self.search(query).await).is_empty() == something {}
        })
        .await;
    }
}

/// Waits until a client is told that.
async fn told(stream: &mut Connection, method: &str) -> Value {
    within(method, async {
        loop {
            let event = stream.event().await.expect("the stream goes on");
            if event["method"] == method {
                return event["params"].clone();
            }
        }
    })
    .await
}

fn write(folder: &TempDir, path: &str, text: &str) {
    let path = folder.path().join(path);
    std::fs::create_dir_all(path.parent().expect("it is below")).expect("it is ours");
    std::fs::write(path, text).expect("it is ours");
}

fn text(answer: &Answer) -> String {
    let text = &answer.json()["content"][0]["text"];
    text.as_str().expect("a text").to_owned()
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
    let text = text(&answer);
    assert!(
        text.starts_with("db/failover.md:3 – Database > Failover\n    Promote the replica"),
        "{text}"
    );

    let read = library.read(hit["uri"].as_str().expect("a uri")).await;
    let contents = read.json()["result"]["contents"][0].clone();
    assert_eq!(
        (&contents["text"], &contents["mimeType"]),
        (&json!(FAILOVER), &json!("text/markdown"))
    );
    library.gateway.finish().await;
}

#[tokio::test]
async fn the_text_of_an_error_finds_what_is_written_of_it() {
    let library = Library::open().await;
    let oom = "# OOMKilled\nExit code 137: the memory limit is too low. Roll back, or raise the flag memory.\n";
    write(&library.folder, "oom.md", oom);
    library.finds("OOMKilled", true).await;
    for query in [
        "OOMKilled: exit code -137",
        "error: flag --memory out of memory",
        "memory limit - roll back",
    ] {
        let answer = library.search(query).await;
        assert_eq!(hits(&answer)[0]["path"], "oom.md", "{query}");
        assert_eq!(
            answer.json()["structuredContent"]["exclusions_ignored"],
            false
        );
    }
    assert!(hits(&library.search("memory -quarantine").await).len() == 1);
    let answer = library.search("OOMKilled -memory").await;
    assert_eq!(hits(&answer)[0]["path"], "oom.md");
    assert_eq!(
        answer.json()["structuredContent"]["exclusions_ignored"],
        true
    );
    let text = text(&answer);
    assert!(
        text.starts_with(
            "No place fits without the words after `-`; these are with them:\noom.md:1"
        ),
        "{text}"
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
    let uri = "runbook:///web/quarantine.md";
    assert_eq!(library.read(uri).await.code(), -32602);
    let text = "# Quarantine a node\nCordon it.\n";
    write(&library.folder, "web/quarantine.md", text);
    library.finds("quarantine", true).await;
    told(&mut stream, "notifications/resources/list_changed").await;
    let subscribe = session.request(7, "resources/subscribe", json!({ "uri": uri }));
    assert_eq!(
        library.gateway.send(&subscribe).await.json()["result"],
        json!({})
    );
    let text = "# Isolate a node\nDrain it.\n";
    write(&library.folder, "web/quarantine.md", text);
    assert_eq!(
        told(&mut stream, "notifications/resources/updated").await["uri"],
        uri
    );
    library.finds("drain", true).await;
    assert!(hits(&library.search("cordon").await).is_empty());
    let read = library.read(uri).await;
    assert_eq!(read.json()["result"]["contents"][0]["text"], text);

    std::fs::remove_dir_all(library.folder.path().join("web")).expect("it is ours");
    told(&mut stream, "notifications/resources/list_changed").await;
    library.finds("drain", false).await;
    assert_eq!(library.read(uri).await.code(), -32602);
    session.delete(&library.gateway).await;
    library.gateway.finish().await;
}

#[tokio::test]
async fn a_folder_that_goes_is_said_and_is_found_again_when_it_comes_back() {
    let library = Library::open().await;
    let (path, away) = (
        library.folder.path(),
        library.folder.path().with_extension("away"),
    );
    std::fs::rename(path, &away).expect("it is ours");
    within("it is said that the folder is gone", async {
        while library.search("promote").await.json()["structuredContent"]["trouble"].is_null() {}
    })
    .await;
    let answer = library.search("promote").await;
    assert_eq!(hits(&answer).len(), 1, "what was known is still found");
    assert!(
        text(&answer).contains("as they were: the folder `"),
        "{}",
        answer.text()
    );
    std::fs::create_dir(path).expect("it is ours");
    library.finds("promote", false).await;
    write(&library.folder, "new.md", "# New\nQuarantine it.\n");
    library.finds("quarantine", true).await;
    // It is watched again.
    write(&library.folder, "below/other.md", "# Other\nEvict it.\n");
    library.finds("evict", true).await;
    assert!(library.search("evict").await.json()["structuredContent"]["trouble"].is_null());
    std::fs::remove_dir_all(away).expect("it is ours");
    library.gateway.finish().await;
}

#[cfg(unix)]
#[tokio::test]
async fn what_lies_outside_or_is_no_text_is_not_read_and_is_counted() {
    let library = Library::open().await;
    let outside = tempfile::tempdir().expect("a folder");
    write(&outside, "secret.md", "# Hidden treasure\n");
    let link = library.folder.path().join("link.md");
    std::os::unix::fs::symlink(outside.path().join("secret.md"), link).expect("it is ours");
    write(&library.folder, "nul.md", "treasure\0");
    write(&library.folder, "huge.md", &"treasure ".repeat(200_000));
    write(&library.folder, "last.md", "# Last\nthe last one\n");
    library.finds("last", true).await;
    let answer = library.search("treasure").await;
    assert!(hits(&answer).is_empty(), "{}", answer.text());
    assert_eq!(answer.json()["structuredContent"]["left_out"], 3);
    assert!(
        text(&answer).contains("3 files could not be read"),
        "{}",
        answer.text()
    );
    for uri in [
        "runbook:///link.md",
        "runbook:///../secret.md",
        "runbook:///db/../../etc/passwd",
        "runbook:////etc/passwd",
    ] {
        assert_eq!(library.read(uri).await.code(), -32602, "{uri}");
    }
    library.gateway.finish().await;
}

#[tokio::test]
async fn ten_thousand_runbooks_are_searched_and_each_can_be_read() {
    let library = Library::open().await;
    for number in 0..10_000 {
        let path = format!("{}/alert-{number}.md", number / 500);
        let text = format!("# Alert {number}\nLook at host{number} first.\n");
        write(&library.folder, &path, &text);
    }
    patiently("all are read", async {
        while library.search("host9999").await.json()["structuredContent"]["runbooks"] != 10_001 {}
    })
    .await;
    let answer = library.search("host9999").await;
    assert_eq!(hits(&answer)[0]["path"], "19/alert-9999.md");
    assert_eq!(
        library.search("alert").await.json()["structuredContent"]["total"],
        10_000
    );
    let read = library.read("runbook:///19/alert-9999.md").await;
    let contents = &read.json()["result"]["contents"][0]["text"];
    assert_eq!(contents, "# Alert 9999\nLook at host9999 first.\n");
    library.gateway.finish().await;
}

#[tokio::test]
async fn what_is_no_query_is_refused_in_words() {
    let library = Library::open().await;
    for (query, part) in [
        ("", "query"),
        ("  ", "`query` is empty"),
        (&*"(".repeat(501), "500"),
    ] {
        let answer = library.search(query).await;
        assert!(answer.text().contains(part), "{}", answer.text());
        assert!(
            answer.json()["structuredContent"].is_null(),
            "{}",
            answer.text()
        );
    }
    assert!(hits(&library.search(&"(".repeat(500)).await).is_empty());
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
