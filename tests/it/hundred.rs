//! As many plugins as a gateway takes, each a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::Binary;
use crate::hostile::{Hostile, all_gone, call, result_of, text_of};
use crate::support::{Connection, Request};

/// How many a gateway takes unless it is told otherwise.
const MOST: usize = 100;

/// How many of them ignore the end of their input, and SIGTERM.
const DEAF: usize = 10;

/// All of them are to have started by then, on a busy machine.
const STARTED: Duration = Duration::from_secs(120);

/// The steps of stopping those that ignore it take 5 s.
const STOPPED: Duration = Duration::from_secs(8);

/// What the gateway's own process may allocate, in KiB: it takes about 31 MiB. In all it is to hold less than 60 MB. Of a
/// program built for tests the other half, 28 MiB, is its own text, which says nothing about one that is built for use.
const MOST_KIB: u64 = 44 << 10;

/// Directories with these plugins, one folder each.
fn folders(plugins: &[Hostile]) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    for (n, plugin) in plugins.iter().enumerate() {
        put(dir.path(), &format!("{n:03}"), plugin);
    }
    dir
}

fn put(dir: &Path, name: &str, plugin: &Hostile) {
    let folder = dir.join(name);
    std::fs::create_dir(&folder).expect("a folder can be made");
    std::fs::write(folder.join("plugin.toml"), plugin.manifest()).expect("it can be written");
}

async fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    let request = Request::new("GET", path);
    let answer = Connection::open(address).await.send(&request).await;
    (answer.status, answer.json())
}

/// Waits until all have started or failed.
async fn ready(address: SocketAddr) -> Value {
    let begun = Instant::now();
    loop {
        let (status, told) = get(address, "/readyz").await;
        if status == 200 {
            return told;
        }
        assert!(begun.elapsed() < STARTED, "{told}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the process has allocated of the machine's memory, in KiB.
fn allocated_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.expect("Linux tells").trim().trim_end_matches(" kB");
    number.parse().expect("a number")
}

/// J27, F11: all start and answer, the next one is refused, and ten that do not want to stop do not hold the others.
#[tokio::test]
async fn a_hundred_plugins_start_answer_and_stop_and_the_next_is_refused() {
    let plugins: Vec<Hostile> = (0..MOST)
        .map(|n| match n < DEAF {
            true => Hostile::new(&format!("p{n}"), &["--deaf"]),
            false => Hostile::new(&format!("p{n}"), &[]),
        })
        .collect();
    let dir = folders(&plugins);
    let config = format!(
        "plugin_dirs = [\"{}\"]\nserver.watch = false\n",
        dir.path().display()
    );
    let (mut binary, address) = Binary::serve(&config, &[]).await;
    let told = ready(address).await;
    let states = told["plugins"].as_array().expect("a list");
    assert_eq!(states.len(), MOST);
    let ill: Vec<_> = states.iter().filter(|p| p["state"] != "active").collect();
    assert!(ill.is_empty(), "{ill:?}");
    for n in 0..MOST {
        let result = result_of(&call(address, &format!("p{n}__count"), json!({})).await);
        assert_eq!(text_of(&result), "1", "p{n}: {result}");
    }
    let allocated = allocated_kib(binary.pid);
    assert!(allocated < MOST_KIB, "it took {allocated} KiB");

    the_next_is_refused(address, dir.path()).await;

    let begun = Instant::now();
    binary.terminate();
    let ended = tokio::time::timeout(STOPPED, binary.ended_at_last()).await;
    let took = begun.elapsed();
    assert_eq!(ended, Ok(Some(0)), "after {took:?}");
    let pids: Vec<u32> = plugins.iter().flat_map(|p| p.ledger().pids()).collect();
    assert!(pids.len() >= MOST, "{}", pids.len());
    all_gone(&pids).await;
}

/// Wherever somebody asks for it, it is said why.
async fn the_next_is_refused(address: SocketAddr, dir: &Path) {
    put(dir, "zzz", &Hostile::new("surplus", &[]));
    let says = "there are 100 plugins already";
    let request = Request::new("POST", "/api/v1/plugin/register");
    let request = request.body_of(&json!({ "id": "surplus" }));
    let answer = Connection::open(address).await.send(&request).await;
    assert!((400..500).contains(&answer.status), "{}", answer.text());
    let message = answer.json()["message"].to_string();
    assert!(
        message.contains(says) && message.contains("`max_plugins`"),
        "{message}"
    );
    let (_, told) = get(address, "/api/v1/plugin/get?id=surplus").await;
    assert_eq!(told["data"]["registered"], false, "{told}");
    let error = told["data"]["error"].as_str().expect("a sentence");
    assert!(error.contains(says), "{error}");
    let (_, list) = get(address, "/api/v1/plugin/list").await;
    let registered = list["data"]["registered"].as_array().expect("a list");
    assert_eq!(registered.len(), MOST);
}
