//! How the program ends with children at work, well and the hard way, and how it comes back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::Binary;
use crate::hostile::{Hostile, all_gone, call, is_alive, kill, result_of, text_of};
use crate::support::{Answer, Connection, LegacySession, Request, modern, within};

/// From its start until the program is ready again (F43 wants 1 s). A busy machine is given more.
const AGAIN: Duration = Duration::from_secs(4);

async fn send(address: SocketAddr, request: &Request) -> Answer {
    Connection::open(address).await.send(request).await
}

/// Waits until `/readyz` answers so.
async fn readiness(address: SocketAddr, status: u16) {
    let ready = Request::new("GET", "/readyz");
    within(&format!("/readyz answers {status}"), async {
        while send(address, &ready).await.status != status {}
    })
    .await;
}

/// F41 with children, which are stopped only when their calls are over, dependents first.
#[tokio::test]
async fn the_program_finishes_the_calls_of_its_children_and_stops_dependents_first() {
    const EACH: usize = 50;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("ledger");
    let path = path.to_str().expect("temporary folders are UTF-8");
    let ids = ["base", "middle", "top"];
    // Their names do not say who depends on whom, nor does their order in the file.
    let needs = ["", "depends_on = [\"base\"]", "depends_on = [\"middle\"]"];
    let plugins = [1, 2, 0].map(|n| {
        let plugin = Hostile::new(ids[n], &["--ledger", path]);
        plugin.key("isolation = \"shared\"").key(needs[n])
    });
    let config = plugins.each_ref().map(Hostile::text).concat();
    let (mut binary, address) = Binary::serve(&config, &[]).await;
    readiness(address, 200).await;
    let mut pids = Vec::new();
    for id in ids {
        let told = result_of(&call(address, &format!("{id}__pid"), json!({})).await);
        pids.push(text_of(&told));
    }
    let release = folder.path().join("release");
    let mut calls = Vec::new();
    for n in 0..2 * EACH {
        let tool = ["base__hold", "top__hold"][n % 2];
        let request = modern::call(tool, json!({ "until": release }));
        let mut connection = Connection::open(address).await;
        connection.write(&request.bytes(address)).await;
        calls.push(connection);
    }
    let ledger = || std::fs::read_to_string(path).unwrap_or_default();
    let count = |word: &str| ledger().lines().filter(|l| l.starts_with(word)).count();
    crate::support::until("all calls run", || count("call hold") == 2 * EACH).await;
    binary.terminate();
    readiness(address, 503).await;
    for request in [
        modern::call("middle__pid", json!({})),
        LegacySession::initialize("2025-11-25"),
    ] {
        let answer = send(address, &request).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, "1"),
            "{}",
            answer.text()
        );
    }
    assert_eq!(count("eof"), 0, "nobody is stopped while calls run");
    std::fs::write(&release, "").expect("the folder is there");
    for mut connection in calls {
        let answer = connection.answer().await;
        assert_eq!(text_of(&result_of(&answer)), "let go");
    }
    assert_eq!(binary.ended().await, Some(0));
    let ended: Vec<_> = ledger()
        .lines()
        .filter_map(|line| Some(line.strip_prefix("eof ")?.to_owned()))
        .collect();
    pids.reverse();
    assert_eq!(ended, pids, "{}", ledger());
}

/// F43, F13: what is left of a gateway that was killed does not get into the way of the next one, and its clients find
/// their way.
#[tokio::test]
async fn a_gateway_that_was_killed_comes_back_and_its_clients_begin_anew() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let home = [("TMPDIR", home.path().to_str().expect("UTF-8"))];
    let (tame, deaf) = (
        Hostile::new("tame", &["--family"]),
        Hostile::new("deaf", &["--deaf"]),
    );
    let config = [tame.text(), deaf.text()].concat();
    let (binary, address) = Binary::serve(&config, &home).await;
    let opened = send(address, &LegacySession::initialize("2025-11-25")).await;
    let session = opened.header("mcp-session-id").to_owned();
    let asked = |address: SocketAddr, session: String, method: &'static str| async move {
        let message = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": {} });
        let request = Request::message(message.to_string())
            .header("mcp-session-id", &session)
            .header("mcp-protocol-version", "2025-11-25");
        send(address, &request).await
    };
    let answer = asked(address, session.clone(), "tools/list").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for tool in ["tame__pid", "deaf__pid"] {
        result_of(&call(address, tool, json!({})).await);
    }
    let pids = [tame.ledger().pids(), deaf.ledger().pids()].concat();
    assert!(pids.iter().all(|pid| is_alive(*pid)), "{pids:?}");
    kill(binary.pid);

    let begun = Instant::now();
    let (mut again, address) = Binary::serve(&config, &home).await;
    readiness(address, 200).await;
    assert!(begun.elapsed() < AGAIN, "{:?}", begun.elapsed());
    all_gone(&pids).await;
    let answer = asked(address, session, "tools/list").await;
    assert_eq!(answer.status, 404, "{}", answer.text());
    let opened = send(address, &LegacySession::initialize("2025-11-25")).await;
    let session = opened.header("mcp-session-id").to_owned();
    let answer = asked(address, session, "tools/list").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let list: Value = answer.json();
    assert!(list.to_string().contains("tame__pid"), "{list}");
    // A modern client has nothing to begin.
    let result = result_of(&call(address, "deaf__count", json!({})).await);
    assert_eq!(text_of(&result), "1");
    again.terminate();
    assert_eq!(again.ended_at_last().await, Some(0));
}
