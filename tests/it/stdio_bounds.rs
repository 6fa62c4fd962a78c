//! Bounds on what child processes take of the machine, with cgroups where there are some, and without.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::json;
use toolgate::registry::pool::usage::Running;

use crate::binary::Binary;
use crate::hostile::{Hostile, all_gone, calling, failure_of, is_alive, result_of, text, value};
use crate::support::{TestGateway, until, within};

/// What `TOOLGATE_CGROUPS` is set to.
const WAYS: [&str; 2] = ["on", "off"];

async fn gateway_of(plugins: &[&Hostile], cgroups: &str) -> TestGateway {
    let texts: Vec<String> = plugins.iter().map(|plugin| plugin.text()).collect();
    let builder = TestGateway::builder().config(&texts.join("\n"));
    builder.variable("TOOLGATE_CGROUPS", cgroups).build().await
}

/// The instances of the plugin `id` that run.
fn running(gateway: &TestGateway, id: &str) -> Vec<Running> {
    let plugins = gateway.registry().plugins();
    let plugin = plugins
        .iter()
        .find(|plugin| plugin.manifest.id.as_str() == id);
    plugin.expect("it is there").pool.running()
}

/// The cgroups of plugins that a process is in.
fn cgroups_of(pid: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let ours = text.lines().filter(|line| line.contains("/toolgate-"));
    ours.map(str::to_owned).collect()
}

/// Calls a tool that makes the plugin exceed a bound. The call ends, says which bound and how it is changed; nothing of
/// the plugin is left; the next call is well, and so is another plugin all the while.
async fn is_stopped(plugin: Hostile, tool: &str, arguments: serde_json::Value, says: &str) {
    let other = Hostile::new("other", &[]);
    for cgroups in WAYS {
        let before = plugin.ledger().count("start");
        let gateway = gateway_of(&[&plugin, &other], cgroups).await;
        let ending = calling(&gateway, &format!("h__{tool}"), arguments.clone());
        text(&gateway, "other__count", json!({})).await;
        let result = within("the call ends", ending).await.expect("no panic");
        let (reason, words) = failure_of(&result);
        assert_eq!(reason, "upstream_exited", "{words}");
        assert!(words.contains(says), "cgroups {cgroups}: {words}");
        all_gone(&plugin.ledger().pids()).await;
        assert_eq!(text(&gateway, "h__count", json!({})).await, "1");
        assert_eq!(plugin.ledger().count("start"), before + 2);
        assert_eq!(text(&gateway, "other__count", json!({})).await, "2");
        gateway.finish().await;
        all_gone(&plugin.ledger().pids()).await;
    }
}

/// F19.
#[tokio::test]
async fn a_plugin_that_takes_too_much_memory_is_stopped_and_named() {
    let plugin = Hostile::new("h", &[]).limit("memory_bytes", 64 << 20);
    let says = "was stopped: its processes took more than 64 MiB (`limits.memory_bytes`)";
    is_stopped(plugin, "hog", json!({ "mebibytes": 256 }), says).await;
}

/// F19: what its children take is its own.
#[tokio::test]
async fn memory_that_a_grandchild_takes_counts() {
    let plugin = Hostile::new("h", &["--family"]).limit("memory_bytes", 64 << 20);
    let says = "was stopped: its processes took more than 64 MiB (`limits.memory_bytes`)";
    is_stopped(plugin, "hog_in_a_child", json!({ "mebibytes": 256 }), says).await;
}

/// F18.
#[tokio::test]
async fn a_plugin_that_multiplies_is_stopped_and_named() {
    let plugin = Hostile::new("h", &[]).limit("processes", 20);
    let says = "was stopped: it ran more than 20 processes (`limits.processes`)";
    is_stopped(plugin, "bomb", json!({ "generations": 7 }), says).await;
}

/// F20: the kernel ends it; the gateway says why.
#[tokio::test]
async fn a_plugin_that_has_used_up_its_processor_time_is_stopped_and_named() {
    let plugin = Hostile::new("h", &[])
        .key("isolation = \"shared\"")
        .limit("cpu_seconds", 1)
        .limit("nice", 0);
    let gateway = plugin.build().await;
    let hanging = calling(&gateway, "h__hang", json!({}));
    plugin.ledger().reaches("call hang", 1).await;
    text(&gateway, "h__burn", json!({ "threads": 16 })).await;
    let result = within("the call ends", hanging).await.expect("no panic");
    let (reason, words) = failure_of(&result);
    assert_eq!(reason, "upstream_exited", "{words}");
    let says = "was stopped: it used more than 1 s of processor time (`limits.cpu_seconds`)";
    assert!(words.contains(says), "{words}");
    assert_eq!(text(&gateway, "h__count", json!({})).await, "1");
    gateway.finish().await;
    all_gone(&plugin.ledger().pids()).await;
}

/// F20: a plugin that keeps all processors busy stands back behind the gateway, and others are served.
#[tokio::test]
async fn a_plugin_that_keeps_all_processors_busy_takes_nothing_from_others() {
    let (busy, well) = (
        Hostile::new("busy", &[]).key("isolation = \"shared\""),
        Hostile::new("well", &[])
            .key("isolation = \"shared\"")
            .limit("nice", 0),
    );
    let gateway = gateway_of(&[&busy, &well], "on").await;
    let own = nice(std::process::id());
    assert_eq!(nice(busy.ledger().pids()[0]), (own + 5).min(19));
    assert_eq!(nice(well.ledger().pids()[0]), own);
    text(&gateway, "busy__burn", json!({ "threads": 4 })).await;
    for n in 1..=50 {
        assert_eq!(
            text(&gateway, "well__count", json!({})).await,
            n.to_string()
        );
    }
    gateway.finish().await;
}

fn nice(pid: u32) -> i64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields = stat.rsplit_once(") ").expect("a name").1;
    let nice = fields.split(' ').nth(16).expect("a field");
    nice.parse().expect("a number")
}

/// J21: files, and no core of anything that crashes.
#[tokio::test]
async fn a_plugin_opens_no_more_files_than_it_may() {
    let plugin = Hostile::new("h", &[]).limit("open_files", 100);
    let gateway = plugin.build().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", plugin.ledger().pids()[0]));
    let limits = limits.expect("it runs");
    let of = |name: &str| -> Vec<&str> {
        let line = limits.lines().find_map(|line| line.strip_prefix(name));
        let words = line.expect("Linux tells").split_whitespace();
        words.take(2).collect()
    };
    assert_eq!(of("Max open files"), ["100", "100"]);
    assert_eq!(of("Max core file size"), ["0", "0"]);
    gateway.finish().await;
}

/// J24: who runs for whom, and what that takes.
#[tokio::test]
async fn what_runs_is_known_with_its_session_and_its_calls() {
    for cgroups in WAYS {
        let plugin = Hostile::new("h", &["--family"]);
        let gateway = gateway_of(&[&plugin], cgroups).await;
        until("all of its processes are seen", || {
            running(&gateway, "h")
                .iter()
                .any(|one| one.usage.processes == 4)
        })
        .await;
        let one = running(&gateway, "h").pop().expect("one runs");
        assert_eq!(one.usage.pid, plugin.ledger().pids()[0]);
        assert!(one.usage.memory_bytes > 0);
        assert_eq!((one.calls, one.session), (0, None));
        let session = crate::support::LegacySession::open(&gateway).await;
        let (address, id) = (gateway.address, session.id.clone());
        let hanging = {
            let call = session.call(1, "h__hang", json!({}));
            tokio::spawn(async move {
                let mut connection = crate::support::Connection::open(address).await;
                connection.send(&call).await
            })
        };
        plugin.ledger().reaches("call hang", 1).await;
        let one = running(&gateway, "h").pop().expect("one runs");
        assert_eq!((one.calls, one.session.as_deref()), (1, Some(&*id)));
        assert_eq!(session.delete(&gateway).await.status, 204);
        hanging.await.expect("no panic");
        gateway.finish().await;
        assert_eq!(running_pids(&plugin), Vec::<u32>::new());
    }
}

fn running_pids(plugin: &Hostile) -> Vec<u32> {
    let pids = plugin.ledger().pids();
    pids.into_iter().filter(|pid| is_alive(*pid)).collect()
}

/// F12: a grandchild with a session of its own and nothing in its environment.
#[tokio::test]
async fn a_stray_grandchild_does_not_survive_its_plugin() {
    for cgroups in WAYS {
        let plugin = Hostile::new("h", &[]).key("isolation = \"shared\"");
        let gateway = gateway_of(&[&plugin], cgroups).await;
        let stray = value(&gateway, "h__stray", json!({})).await["pid"].clone();
        let stray = u32::try_from(stray.as_u64().expect("a pid")).expect("a pid");
        until("it is seen", || {
            running(&gateway, "h")
                .iter()
                .any(|one| one.usage.processes == 2)
        })
        .await;
        assert!(is_alive(stray));
        gateway.finish().await;
        all_gone(&[stray]).await;
    }
}

/// J25: nothing of the cgroups is left either.
#[tokio::test]
async fn cgroups_go_with_what_was_in_them() {
    let plugin = Hostile::new("h", &["--family"]);
    let (mut binary, address) = Binary::serve(&plugin.text(), &[]).await;
    result_of(&crate::hostile::call(address, "h__pid", json!({})).await);
    let cgroups = cgroups_of(plugin.ledger().pids()[0]);
    for pid in plugin.ledger().pids() {
        assert_eq!(cgroups_of(pid), cgroups, "all of them are in the same ones");
    }
    let directories = || -> BTreeSet<PathBuf> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").expect("Linux tells");
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        let paths = cgroups.iter().filter_map(|line| line.splitn(3, ':').nth(2));
        let all = points.flat_map(|point| paths.clone().map(move |path| format!("{point}{path}")));
        all.map(PathBuf::from)
            .filter(|path| path.exists())
            .collect()
    };
    assert_eq!(directories().len(), cgroups.len());
    let parents: Vec<_> = directories()
        .iter()
        .filter_map(|directory| Some(directory.parent()?.to_owned()))
        .collect();
    binary.terminate();
    assert_eq!(binary.ended().await, Some(0));
    assert_eq!(directories(), BTreeSet::new());
    until("the guard takes away the rest", || {
        parents.iter().all(|parent| !parent.exists())
    })
    .await;
}
