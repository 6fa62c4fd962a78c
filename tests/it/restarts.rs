//! Children that are killed again and again: what others notice of it, when it is given up, who may begin anew.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::binary::Binary;
use crate::hostile::{Hostile, all_gone, call, failure_of, is_alive, kill, result_of, text_of};
use crate::support::{Connection, Program, Request, modern, until, within};

/// A call every so often makes about fifty per second.
const PACE: Duration = Duration::from_millis(20);

/// How long a plugin may be away after it was killed for the first time.
const BACK: Duration = Duration::from_secs(2);

/// Calls that go on and on.
struct Load {
    well: Arc<AtomicUsize>,
    ill: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    work: JoinHandle<()>,
}

impl Load {
    fn on(address: SocketAddr, tool: &'static str) -> Self {
        let (well, ill, stop) = (Arc::default(), Arc::default(), Arc::default());
        let load = |(well, ill, stop): (Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicBool>)| async move {
            let mut pace = tokio::time::interval(PACE);
            let mut connection = Connection::open(address).await;
            while !stop.load(Ordering::SeqCst) {
                pace.tick().await;
                let answer = connection.send(&modern::call(tool, json!({}))).await;
                let failed = result_of(&answer)["isError"] == true;
                let count = if failed { &ill } else { &well };
                count.fetch_add(1, Ordering::SeqCst);
            }
        };
        let work = load((Arc::clone(&well), Arc::clone(&ill), Arc::clone(&stop)));
        Self {
            well,
            ill,
            stop,
            work: tokio::spawn(work),
        }
    }

    fn well(&self) -> usize {
        self.well.load(Ordering::SeqCst)
    }

    /// Ends it: how many calls were well, and how many failed.
    async fn ends(self) -> (usize, usize) {
        self.stop.store(true, Ordering::SeqCst);
        within("the load ends", self.work).await.expect("no panic");
        (
            self.well.load(Ordering::SeqCst),
            self.ill.load(Ordering::SeqCst),
        )
    }
}

/// A plugin that all share.
fn shared(id: &str) -> Hostile {
    Hostile::new(id, &[]).key("isolation = \"shared\"")
}

async fn post(address: SocketAddr, what: &str, id: &str) -> Value {
    let request = Request::new("POST", &format!("/api/v1/plugin/{what}"));
    let request = request.body_of(&json!({ "id": id }));
    Connection::open(address).await.send(&request).await.json()
}

async fn info(address: SocketAddr, id: &str) -> Value {
    let request = Request::new("GET", &format!("/api/v1/plugin/get?id={id}"));
    let answer = Connection::open(address).await.send(&request).await.json();
    answer["data"].clone()
}

async fn is_in(address: SocketAddr, id: &str, state: &str) -> Value {
    within(&format!("`{id}` comes to be {state}"), async {
        loop {
            let info = info(address, id).await;
            if info["state"] == state {
                return info;
            }
        }
    })
    .await
}

/// The process that runs of a plugin.
async fn pid(address: SocketAddr, id: &str) -> u32 {
    let pid = within("it runs", async {
        loop {
            let pid = info(address, id).await["process_id"].clone();
            if let Some(pid) = pid.as_str().and_then(|pid| pid.parse().ok()) {
                return pid;
            }
        }
    });
    pid.await
}

/// J22, F01, F05, J4: a plugin is killed six times under load. The other one is not disturbed; the killed one comes back
/// five times, and then it is said why it does not; a start by hand is a new beginning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_is_killed_again_and_again_is_given_up_and_can_be_started_by_hand() {
    let (killed, other) = (shared("killed"), shared("other"));
    let config = [killed.text(), other.text()].concat();
    let (mut binary, address) = Binary::serve(&config, &[]).await;
    let (pounded, undisturbed) = (
        Load::on(address, "killed__pid"),
        Load::on(address, "other__pid"),
    );
    for round in 1..=6 {
        let before = pid(address, "killed").await;
        if round == 6 {
            let words = json!({ "text": "tired of life" });
            result_of(&call(address, "killed__sigh", words).await);
        }
        let well = pounded.well();
        let begun = Instant::now();
        kill(before);
        if round == 6 {
            break;
        }
        until("it answers again", || pounded.well() > well + 1).await;
        if round == 1 {
            assert!(begun.elapsed() < BACK, "after {:?}", begun.elapsed());
        }
        assert_ne!(pid(address, "killed").await, before);
    }
    let info = is_in(address, "killed", "error").await;
    let error = info["error"].as_str().expect("a sentence");
    assert!(error.contains("signal: 9"), "{error}");
    assert!(error.contains("tired of life"), "{error}");
    let refused = result_of(&call(address, "killed__pid", json!({})).await);
    let (_, words) = failure_of(&refused);
    for part in ["6 times within 60 s", "signal: 9", "tired of life"] {
        assert!(words.contains(part), "{words}");
    }
    assert_eq!(killed.ledger().count("start"), 6);
    let (_, ill) = pounded.ends().await;
    assert!(ill > 0, "the sixth end was noticed");
    let (well, ill) = undisturbed.ends().await;
    assert_eq!(ill, 0, "the other plugin is not disturbed");
    assert!(well > 50, "{well} calls");
    assert_eq!(other.ledger().count("start"), 1);
    until("the ended ones are waited for", || binary.zombies() == 0).await;
    all_gone(&killed.ledger().pids()).await;

    let started = post(address, "start", "killed").await;
    assert_eq!(started["data"]["state"], "active", "{started}");
    assert_eq!(started["data"]["error"], Value::Null, "{started}");
    kill(pid(address, "killed").await);
    // As if nothing had failed before: the seventh end would not be forgiven.
    killed.ledger().reaches("start", 8).await;
    let result = result_of(&call(address, "killed__count", json!({})).await);
    assert_eq!(text_of(&result), "1");
    assert_eq!(info_state(address).await, "active");
    binary.terminate();
    assert_eq!(binary.ended().await, Some(0));
    let pids = [killed.ledger().pids(), other.ledger().pids()].concat();
    assert!(!pids.iter().any(|pid| is_alive(*pid)), "no orphan");
}

async fn info_state(address: SocketAddr) -> String {
    let info = info(address, "killed").await;
    info["state"].as_str().expect("a word").to_owned()
}

/// J22: the same by the command line, where not even one restart is allowed.
#[tokio::test]
async fn the_command_line_starts_what_was_given_up() {
    let plugin = shared("h").key("restart.max = 0");
    let (mut binary, address) = Binary::serve(&plugin.text(), &[]).await;
    let gateway = format!("http://{address}");
    let start = ["plugins", "start", "h", "--gateway", &gateway];
    for round in 1..=2 {
        kill(pid(address, "h").await);
        is_in(address, "h", "error").await;
        assert_eq!(plugin.ledger().count("start"), round);
        let (code, said) = Program::run(&start, "").await;
        assert!(code == 0 && said.contains("h: active"), "{said}");
    }
    let (code, said) = Program::run(&start, "").await;
    assert!(code == 1 && said.contains("Cannot start plugin"), "{said}");
    binary.terminate();
    assert_eq!(binary.ended().await, Some(0));
}
