//! `startup = "strict"`: all plugins or nothing.

use std::path::Path;

use serde_json::json;

use crate::binary::Binary;
use crate::hostile::{Hostile, all_gone, call, result_of, text_of};
use crate::support::{Piped, Program};

const STRICT: &str = "startup = \"strict\"\n";

/// Each needs the one before; the last ends at once.
fn chain() -> [Hostile; 3] {
    [
        Hostile::new("a", &[]),
        Hostile::new("b", &[]).key("depends_on = [\"a\"]"),
        Hostile::new("c", &["--start", "exit:3"])
            .key("depends_on = [\"b\"]\nera = \"legacy\"\nrestart.backoff_initial_ms = 5000"),
    ]
}

fn config(plugins: &[Hostile]) -> String {
    let texts: Vec<_> = plugins.iter().map(Hostile::text).collect();
    format!("{STRICT}{}", texts.concat())
}

async fn nothing_is_left(plugins: &[Hostile]) {
    for plugin in plugins {
        all_gone(&plugin.ledger().pids()).await;
        let said = plugin.ledger().lines();
        // The last one is not tried again either.
        assert_eq!(plugin.ledger().count("start"), 1, "{said:?}");
    }
}

/// D1–D4, D21–D24: the first failure is named, what ran is stopped, and the exit code says so.
#[tokio::test]
async fn a_strict_gateway_starts_with_all_plugins_or_not_at_all() {
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["stdio"]] {
        let plugins = chain();
        let (code, said) = Program::run(command, &config(&plugins)).await;
        assert_eq!(code, 1, "{said}");
        for part in [
            "`startup = \"strict\"`",
            "plugin `c` was not set up",
            "exit code 3",
            "cannot find the database",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("listening on"), "{said}");
        nothing_is_left(&plugins).await;
        let [a, b, _] = &plugins;
        assert_eq!(
            (a.ledger().count("eof"), b.ledger().count("eof")),
            (1, 1),
            "they were not killed"
        );
    }
}

/// D22, D23: dependents before what they depend on.
#[tokio::test]
async fn what_a_strict_gateway_had_started_is_stopped_in_reverse() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("ledger");
    let path = path.to_str().expect("temporary folders are UTF-8");
    let plugin = |id| Hostile::new(id, &["--ledger", path]);
    let plugins = [
        plugin("a"),
        plugin("b").key("depends_on = [\"a\"]"),
        Hostile::new("c", &["--start", "exit:3"]).key("depends_on = [\"b\"]"),
    ];
    let command = ["serve", "--listen", "127.0.0.1:0"];
    let (code, said) = Program::run(&command, &config(&plugins)).await;
    assert_eq!(code, 1, "{said}");
    let ledger = std::fs::read_to_string(path).expect("it was written");
    let of = |word: &str| -> Vec<String> {
        let lines = ledger.lines().filter_map(|line| line.strip_prefix(word));
        lines.map(str::to_owned).collect()
    };
    let mut begun = of("start ");
    begun.reverse();
    assert_eq!(of("eof "), begun, "{ledger}");
    assert_eq!(begun.len(), 2, "{ledger}");
}

fn broken_folder(within: &Path) {
    let folder = within.join("custom_plugins/broken");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let manifest = "id = \"broken\"\nversion = \"one\"\n";
    std::fs::write(folder.join("plugin.toml"), manifest).expect("it can be written");
}

/// D1–D4: a folder whose manifest is wrong is passed over, and is not where all plugins are wanted.
#[tokio::test]
async fn a_strict_gateway_does_not_pass_over_a_broken_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    broken_folder(folder.path());
    let dirs = format!(
        "plugin_dirs = [\"{}\"]\n",
        folder.path().join("custom_plugins").display()
    );
    let plugin = Hostile::new("h", &[]);
    let text = plugin.text();
    let command = ["serve", "--listen", "127.0.0.1:0"];
    let (code, said) = Program::run(&command, &format!("{dirs}{STRICT}{text}")).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("broken/plugin.toml"), "{said}");
    assert_eq!(plugin.ledger().count("start"), 0);
    // A folder that the operator does not want stops nobody.
    let off = "[plugins.broken]\nenabled = false\n";
    for startup in [format!("{STRICT}{text}{off}"), text.clone()] {
        let (mut binary, address) = Binary::serve(&format!("{dirs}{startup}"), &[]).await;
        let result = result_of(&call(address, "h__count", json!({})).await);
        assert_eq!(text_of(&result), "1");
        binary.terminate();
        assert_eq!(binary.ended().await, Some(0));
    }
}

/// One whose plugins are all well does not differ from any other.
#[tokio::test]
async fn a_strict_gateway_whose_plugins_are_well_serves() {
    let [a, b, _] = chain();
    let c = Hostile::new("c", &[]).key("depends_on = [\"b\"]");
    let plugins = [a, b, c];
    let (mut binary, address) = Binary::serve(&config(&plugins), &[]).await;
    for tool in ["a__count", "b__count", "c__count"] {
        let result = result_of(&call(address, tool, json!({})).await);
        assert_eq!(text_of(&result), "1");
    }
    binary.terminate();
    assert_eq!(binary.ended().await, Some(0));
    nothing_is_left(&plugins).await;

    let mut piped = Piped::start(&config(&plugins));
    let ping = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    piped.write(ping).await;
    assert!(piped.line().await.contains("\"id\":1"));
    let (code, _) = piped.finish().await;
    assert_eq!(code, 0);
}
