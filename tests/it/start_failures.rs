//! Five plugins that cannot be used, each in its own way, beside two that are well.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::binary::Binary;
use crate::hostile::{Hostile, call, result_of, text_of};
use crate::support::{Connection, Request, modern, within};

/// How long the first list may take, from the start of the program (F31). A busy machine is given as much again.
const LISTED: Duration = Duration::from_secs(4);

/// What is said of each: its id, its state, and a part of its sentence that no other has.
const SAID: [(&str, &str, &str); 5] = [
    ("hangs", "error", "did not start within"),
    ("exits", "error", "exit code 3"),
    ("broken", "incomplete", "at /version"),
    ("unbuilt", "source_only", "could not be built"),
    ("remote", "unavailable", "nobody listens there"),
];

fn folder(dir: &Path, name: &str, files: &[(&str, &str)]) {
    for (file, text) in files {
        let path = dir.join(name).join(file);
        let parent = path.parent().expect("it lies in a folder");
        std::fs::create_dir_all(parent).expect("a folder can be made");
        std::fs::write(path, text).expect("it can be written");
    }
}

/// An address at which nobody listens.
async fn nowhere() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    listener.local_addr().expect("it has an address")
}

async fn get(address: std::net::SocketAddr, path: &str) -> Value {
    let request = Request::new("GET", path);
    Connection::open(address).await.send(&request).await.json()
}

/// The member of a list that is about `id`.
fn of(list: &Value, id: &str) -> Option<Value> {
    let list = list.as_array().expect("a list");
    let is_named = |one: &&Value| one["id"].as_str().is_some_and(|known| known.ends_with(id));
    list.iter().find(is_named).cloned()
}

fn sentence(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// F04, F05, F28, F31, O35.
#[tokio::test]
async fn five_plugins_that_fail_take_nothing_from_the_others_and_each_says_why() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    folder(
        dir.path(),
        "broken",
        &[("plugin.toml", "id = \"broken\"\nversion = 7\n")],
    );
    let manifest = "id = \"unbuilt\"\nversion = \"1.0.0\"\nruntime = \"mcp_stdio\"\nmcp_stdio.command = [\"bin/server\"]\n";
    folder(
        dir.path(),
        "unbuilt",
        &[
            ("plugin.toml", manifest),
            ("scripts/build.sh", "echo no compiler; exit 2\n"),
        ],
    );
    let hangs = Hostile::new("hangs", &["--start", "hang"])
        .limit("start_timeout_ms", 4_000)
        .key("restart.max = 0");
    let exits = Hostile::new("exits", &["--start", "exit:3"]);
    let well = ["one", "two"].map(|id| Hostile::new(id, &[]));
    let remote = format!(
        "[plugins.remote]\nruntime = \"mcp_http\"\nmcp_http.url = \"http://{}/mcp\"\n",
        nowhere().await
    );
    let [one, two] = &well;
    let texts = [hangs.text(), exits.text(), one.text(), two.text(), remote];
    let dirs = format!("plugin_dirs = [\"{}\"]\n", dir.path().display());
    let begun = Instant::now();
    let (mut binary, address) = Binary::serve(&format!("{dirs}{}", texts.concat()), &[]).await;
    for id in ["one", "two"] {
        let result = result_of(&call(address, &format!("{id}__count"), json!({})).await);
        assert_eq!(text_of(&result), "1", "{result}");
    }
    let list = modern::request("tools/list", json!({}));
    let list = Connection::open(address).await.send(&list).await.text();
    assert!(begun.elapsed() < LISTED, "{:?}", begun.elapsed());
    for name in ["one__echo", "two__echo"] {
        assert!(list.contains(name), "{list}");
    }
    for (id, _, _) in SAID {
        assert!(!list.contains(&format!("{id}__")), "{list}");
    }
    // The one that hangs is still waited for, and holds nobody.
    let ready = get(address, "/readyz").await;
    assert_eq!(ready["status"], "starting", "{ready}");

    within("all have failed", async {
        while get(address, "/readyz").await["status"] != "ready" {}
    })
    .await;
    each_has_its_sentence(address).await;
    binary.terminate();
    assert_eq!(binary.ended().await, Some(0));
}

/// In the list of plugins; and those that are registered in the report, and where it is asked whether the gateway is ready.
async fn each_has_its_sentence(address: std::net::SocketAddr) {
    let list = get(address, "/api/v1/plugin/list").await["data"].clone();
    let report = get(address, "/api/v1/plugin/report").await["data"]["plugins"].clone();
    let ready = get(address, "/readyz").await["plugins"].clone();
    let mut said = Vec::new();
    for (id, state, words) in SAID {
        let known = of(&list["registered"], id).or_else(|| of(&list["unregistered"], id));
        let known = known.unwrap_or_else(|| panic!("{id} is missing: {list}"));
        assert_eq!(known["state"], state, "{known}");
        let error = sentence(&known["error"]).to_owned();
        assert!(error.contains(words), "{id}: {error}");
        if known["registered"] == true {
            let told = of(&report, id).unwrap_or_else(|| panic!("{id} is missing: {report}"));
            assert_eq!(sentence(&told["error"]), error);
            let told = of(&ready, id).unwrap_or_else(|| panic!("{id} is missing: {ready}"));
            assert_eq!(sentence(&told["reason"]), error);
        }
        said.push((id, error));
    }
    for (id, _, words) in SAID {
        let others = said.iter().filter(|(other, _)| *other != id);
        for (other, error) in others {
            assert!(
                !error.contains(words),
                "{other} says what {id} says: {error}"
            );
        }
    }
    for id in ["one", "two"] {
        let told = of(&ready, id).expect("it is there");
        assert_eq!(told["state"], "active", "{told}");
    }
}
