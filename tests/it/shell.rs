//! The plugin `shell`: which programs run, what is refused and how that is said, what the sandbox holds, what is left. F24, F25

mod bounds;

mod calls;

mod ends;

mod refusals;

mod sandbox;

mod setup;

mod swaps;

mod writing;

use std::path::Path;

use serde_json::{Value, json};

use crate::hostile::{call, result_of, text_of};
use crate::support::{Request, TestGateway, until};

/// A program that does what a test says: the sandbox is what holds it.
const PERL: &str = "perl = { i_know_it_runs_code = true }";

/// A gateway with the plugin, and a directory that programs may read.
struct Place {
    gateway: TestGateway,
    folder: tempfile::TempDir,
    /// Whether this kernel can confine programs.
    is_confined: bool,
}

fn config(settings: &str) -> String {
    format!("[plugins.shell]\nenabled = true\n[plugins.shell.config]\n{settings}")
}

#[expect(
    clippy::print_stdout,
    reason = "who reads what the tests say must see it"
)]
fn note(why: &str) {
    println!("this kernel cannot confine programs, which the plugin says: {why}");
}

/// The state of the plugin and why it is in it.
async fn state(gateway: &TestGateway) -> (String, String) {
    let list = gateway
        .send(&Request::new("GET", "/api/v1/plugin/list"))
        .await
        .json();
    let all = list["data"]["registered"]
        .as_array()
        .expect("a list")
        .clone();
    let shell = all
        .iter()
        .find(|one| one["id"] == "shell")
        .expect("it is there");
    let text = |key: &str| shell[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("error"))
}

impl Place {
    /// One whose settings are these besides the directory `readable` of its folder, with the file `known`; `DIR` in them stands for
    /// the folder. Where this kernel cannot confine programs, the plugin must say so; then it does without.
    async fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        for name in ["readable", "writable", "outside"] {
            std::fs::create_dir(folder.path().join(name)).expect("made");
        }
        std::fs::write(folder.path().join("readable/known"), "one\ntwo\n").expect("written");
        std::fs::write(folder.path().join("outside/secret"), "hidden words").expect("written");
        let root = folder.path().canonicalize().expect("it is there");
        let settings = format!("directories = [\"DIR/readable\"]\n{settings}");
        let settings = settings.replace("DIR", &root.display().to_string());
        let gateway = TestGateway::builder()
            .config(&config(&settings))
            .build()
            .await;
        let (_, why) = state(&gateway).await;
        if why.is_empty() {
            return Self {
                gateway,
                folder,
                is_confined: true,
            };
        }
        assert!(
            why.contains("there is no sandbox that holds") && why.contains("best_effort"),
            "{why}"
        );
        note(&why);
        gateway.finish().await;
        let settings = format!("sandbox = \"best_effort\"\n{settings}");
        let gateway = TestGateway::builder()
            .config(&config(&settings))
            .build()
            .await;
        Self {
            gateway,
            folder,
            is_confined: false,
        }
    }

    fn path(&self, name: &str) -> String {
        let root = self.folder.path().canonicalize().expect("it is there");
        root.join(name).display().to_string()
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// The result of a call of `shell.exec`.
    async fn exec(&self, arguments: Value) -> Value {
        result_of(&call(self.gateway.address, "shell.exec", arguments).await)
    }

    /// What came of a program that was not stopped.
    async fn run(&self, arguments: Value) -> Value {
        let result = self.exec(arguments).await;
        assert_ne!(result["isError"], true, "{result}");
        result["structuredContent"].clone()
    }

    /// What came of a script of Perl.
    async fn perl(&self, script: &str) -> Value {
        self.run(json!({ "program": "perl", "args": ["-e", script] }))
            .await
    }

    /// What is said of a call that is refused.
    async fn refused(&self, arguments: Value) -> String {
        let result = self.exec(arguments).await;
        assert_eq!(result["isError"], true, "{result}");
        assert!(result["structuredContent"].is_null(), "it ran: {result}");
        text_of(&result)
    }
}

/// The processes that have `token` among their arguments.
fn alive(token: &str) -> usize {
    let entries = std::fs::read_dir("/proc").expect("Linux").flatten();
    let has = |path: &Path| {
        let words = std::fs::read(path.join("cmdline")).unwrap_or_default();
        words
            .split(|byte| *byte == 0)
            .any(|word| word == token.as_bytes())
    };
    entries.filter(|entry| has(&entry.path())).count()
}

async fn gone(token: &str) {
    until("its processes are gone", || alive(token) == 0).await;
}

/// A word that no other process has among its arguments.
fn token(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}
