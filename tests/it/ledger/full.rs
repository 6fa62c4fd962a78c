//! F48: a ledger that cannot be written. What changes things is refused, what looks is answered, and it recovers by itself.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::ledger::{gateway, get, post};
use crate::support::{LegacySession, TestGateway, within};

/// A file system of one megabyte, as long as it lives.
struct Small(
    PathBuf,
    #[expect(dead_code, reason = "its folder goes with it")] tempfile::TempDir,
);

impl Small {
    fn mount() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let place = folder.path().join("small");
        std::fs::create_dir(&place).expect("it is ours");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "toolgate-test"])
            .arg(&place)
            .output();
        let mounts = std::fs::read_to_string("/proc/mounts").expect("this is Linux");
        let is_there = mounts.contains(&*place.to_string_lossy());
        assert!(
            is_there,
            "this test mounts a tmpfs, which needs root: {mount:?}"
        );
        Self(place, folder)
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let filler = vec![0; 4096];
        let mut file = std::fs::File::create(self.0.join("filler")).expect("there is room");
        while std::io::Write::write_all(&mut file, &filler).is_ok() {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("it is there");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).output();
        drop(unmounted);
    }
}

async fn call(gateway: &TestGateway, tool: &str) -> (u16, Value) {
    post(gateway, &format!("/api/tools/{tool}"), json!({})).await
}

async fn is_healthy(gateway: &TestGateway) -> bool {
    get(gateway, "/api/ledger").await["healthy"] == true
}

#[tokio::test]
async fn a_full_disk_refuses_what_changes_things_until_there_is_room() {
    let small = Small::mount();
    let gateway = gateway(&super::in_file(&small.0)).await;
    assert_eq!(call(&gateway, "works__act").await.0, 200);
    small.fill();
    let refused = within("the disk is full", async {
        loop {
            let (status, told) = call(&gateway, "works__act").await;
            if status != 200 {
                return (status, told);
            }
        }
    })
    .await;
    assert_eq!(
        (refused.0, &refused.1["error"]["reason"]),
        (503, &json!("audit_unavailable"))
    );
    assert_eq!(
        call(&gateway, "works__look").await.0,
        200,
        "who looks is answered"
    );
    // A session that begins now has its incident once there is room.
    let session = LegacySession::open(&gateway).await;
    gateway
        .send(&session.call(1, "works__look", json!({})))
        .await;
    let told = get(&gateway, "/api/ledger").await;
    assert_eq!(told["healthy"], false, "{told}");
    assert!(
        told["refused"].as_u64() >= Some(1) && told["error"].is_string(),
        "{told}"
    );
    small.empty();
    within("it recovers by itself", async {
        while call(&gateway, "works__act").await.0 != 200 || !is_healthy(&gateway).await {}
    })
    .await;
    within("the session has its incident", async {
        loop {
            let incidents = get(&gateway, "/api/incidents").await;
            let mut incidents = incidents["incidents"].as_array().expect("a list").iter();
            if incidents.any(|incident| incident["session"].is_string() && incident["calls"] == 1) {
                break;
            }
        }
    })
    .await;
    session.delete(&gateway).await;
    // No part of a row: what is there can be read.
    let calls = get(&gateway, "/api/calls?tool=works__act&outcome=unavailable").await;
    let refused = calls["calls"].as_array().expect("a list");
    assert!(
        refused
            .iter()
            .all(|call| call["reason"] == "audit_unavailable"),
        "{calls}"
    );
    gateway.finish().await;
}

/// The operator may have it otherwise.
#[tokio::test]
async fn what_is_refused_is_for_the_operator_to_say() {
    for (rule, act, look) in [
        ("refuse_remediation", 503, 200),
        ("refuse_all", 503, 503),
        ("pass", 200, 200),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        // A folder is no database.
        let config = format!(
            "[ledger]\nurl = \"sqlite:{}\"\non_failure = \"{rule}\"\n",
            folder.path().display()
        );
        let gateway = gateway(&config).await;
        within("it is known to fail", async {
            while is_healthy(&gateway).await {}
        })
        .await;
        assert_eq!(call(&gateway, "works__act").await.0, act, "{rule}");
        assert_eq!(call(&gateway, "works__look").await.0, look, "{rule}");
        gateway.finish().await;
    }
}
