//! A gateway in this process, from the text of a configuration.

use std::collections::{BTreeMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use toolgate::app::files::Origin;
use toolgate::app::{App, Runtimes, compiled_in, launcher};
use toolgate::builtin;
use toolgate::config::{Env, load, resolve};
use toolgate::dispatch::audit::Sink;
use toolgate::front::http::HttpFront;
use toolgate::model::plugin_id::PluginId;
use toolgate::plugin::{Factory, Plugin};
use toolgate::registry::Registry;
use toolgate::runtime::in_process::InProcess;

use crate::support::records::Records;
use crate::support::{Answer, Connection, Request, until, within};

/// A running gateway. It must be finished, so that what it leaves behind is seen.
pub(crate) struct TestGateway {
    pub(crate) app: Arc<App>,
    pub(crate) front: Arc<HttpFront>,
    pub(crate) address: SocketAddr,
    /// One record per call.
    pub(crate) records: Arc<Records>,
    folder: TempDir,
    finished: bool,
}

/// What a gateway is made of.
pub(crate) struct Builder {
    config: String,
    variables: BTreeMap<String, String>,
    manifests: Vec<(PluginId, String)>,
    in_process: InProcess,
    unsettled: bool,
    without_helper: bool,
}

impl TestGateway {
    pub(crate) fn builder() -> Builder {
        let builtins = builtin::all();
        let mut variables = BTreeMap::new();
        if let Ok(path) = std::env::var("PATH") {
            variables.insert("PATH".to_owned(), path);
        }
        Builder {
            config: String::new(),
            variables,
            manifests: builtins
                .iter()
                .map(|builtin| (id(builtin.id), builtin.manifest_toml.to_owned()))
                .collect(),
            in_process: compiled_in(&builtins),
            unsettled: false,
            without_helper: false,
        }
    }

    /// A gateway with the plugin `echo` and nothing else.
    pub(crate) async fn plain() -> Self {
        Self::builder().build().await
    }

    /// Its plugins.
    pub(crate) fn registry(&self) -> &Registry {
        self.app.desk.registry()
    }

    /// A folder of its own, the one its configuration lies in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(self.address).await
    }

    /// Opens a connection of a client with little room for what it does not read.
    pub(crate) async fn narrow(&self) -> Connection {
        Connection::open_narrow(self.address).await
    }

    /// Sends a request on a connection of its own and reads the whole answer.
    pub(crate) async fn send(&self, request: &Request) -> Answer {
        self.connect().await.send(request).await
    }

    /// The plugin of that id.
    pub(crate) fn plugin(&self, id: &str) -> Arc<toolgate::registry::plugin::Plugin> {
        let mut named = self.registry().named(id);
        named.pop().expect("it is there")
    }

    /// Whether no call is anywhere in it.
    fn is_quiet(&self) -> bool {
        let gates_are_empty = self
            .registry()
            .plugins()
            .iter()
            .all(|plugin| plugin.gate.in_flight() == 0 && plugin.gate.queued() == 0);
        self.front.active() == 0 && gates_are_empty
    }

    /// Stops it and looks for what it leaves behind.
    pub(crate) async fn finish(mut self) {
        self.finished = true;
        until("calls end when their clients are done", || self.is_quiet()).await;
        let ended_early = within("the front drains", self.front.drain()).await;
        assert_eq!(ended_early, 0, "calls ran when the gateway stopped");
        let tasks = within("the gateway stops", self.app.stop()).await;
        assert_eq!(tasks, Vec::<String>::new(), "tasks are left");
        let supervisor = &self.app.desk.supervisor;
        assert!(
            supervisor.is_empty(),
            "{} tasks without a name are left",
            supervisor.len()
        );
        assert!(self.front.sessions().is_empty(), "sessions are left");
        let records = self.records.all();
        let calls: HashSet<u64> = records.iter().map(|record| record.call).collect();
        assert_eq!(
            calls.len(),
            records.len(),
            "a call has two records: {records:?}"
        );
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        assert!(
            self.finished || std::thread::panicking(),
            "a test gateway must be finished: `gateway.finish().await`"
        );
    }
}

impl Builder {
    /// The text of its `toolgate.toml`. The plugin `echo` and those of the test are in it whether named or not.
    pub(crate) fn config(mut self, text: &str) -> Self {
        self.config = text.to_owned();
        self
    }

    /// Sets a variable of its environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Does not wait for the plugins to start.
    pub(crate) fn unsettled(mut self) -> Self {
        self.unsettled = true;
        self
    }

    /// Has no program that could confine others.
    pub(crate) fn without_helper(mut self) -> Self {
        self.without_helper = true;
        self
    }

    /// Adds a plugin of the test.
    pub(crate) fn plugin(self, name: &str, plugin: impl Plugin) -> Self {
        let plugin: Arc<dyn Plugin> = Arc::new(plugin);
        self.with_entry(name, |in_process, entry| {
            let factory: Factory = Arc::new(move || Arc::clone(&plugin));
            in_process.with(entry, factory)
        })
    }

    fn with_entry(mut self, name: &str, add: impl FnOnce(InProcess, String) -> InProcess) -> Self {
        let entry = format!("builtin:{name}");
        let manifest = format!(
            "id = \"{name}\"\nversion = \"1.0.0\"\nruntime = \"in_process\"\n[in_process]\nentry = \"{entry}\"\n"
        );
        self.manifests.push((id(name), manifest));
        self.in_process = add(self.in_process, entry);
        self
    }

    fn config_text(&self) -> String {
        let mut text = self.config.clone();
        let known = builtin::all();
        let own = self.manifests.iter().skip(known.len());
        let names = own.map(|(id, _)| id.as_str()).chain(["echo"]);
        for name in names {
            let heading = format!("[plugins.{name}]");
            if !text.contains(&heading) {
                text.push_str(&format!("\n{heading}\nenabled = true\n"));
            }
        }
        text
    }

    /// Starts it: listens on a free port, its plugins started.
    pub(crate) async fn build(self) -> TestGateway {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("toolgate.toml");
        std::fs::write(&file, self.config_text()).expect("the configuration can be written");
        let homes = folder.path().to_string_lossy().into_owned();
        let variables = [("TMPDIR".to_owned(), homes)]
            .into_iter()
            .chain(self.variables);
        let env = Env::new(variables).with_cwd(folder.path());
        let loaded = load(Some(&file), &env).expect("the configuration of the test is sound");
        let manifests: Vec<(PluginId, &str)> = self
            .manifests
            .iter()
            .map(|(id, text)| (id.clone(), text.as_str()))
            .collect();
        let resolution = resolve(&loaded, &manifests).expect("the plugins of the test are sound");
        assert!(
            resolution.left_out.is_empty(),
            "plugins are left out: {:?}",
            resolution.left_out
        );
        let helper =
            cfg!(target_os = "linux").then(|| PathBuf::from(env!("CARGO_BIN_EXE_toolgate")));
        let helper = helper.filter(|_| !self.without_helper);
        let origin = Origin {
            config: Some(file),
            runtimes: Runtimes::new(self.in_process, launcher(&env, helper)),
            env,
            builtins: self.manifests,
        };
        let records = Arc::new(Records::default());
        let app = Arc::new(App::new(
            &loaded,
            resolution,
            origin,
            Arc::clone(&records) as Arc<dyn Sink>,
        ));
        app.recall().await;
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (front, address) = app.open_http(any_port).await.expect("a port is free");
        app.start();
        let gateway = TestGateway {
            app,
            front,
            address,
            records,
            folder,
            finished: false,
        };
        if !self.unsettled {
            until("the plugins start", || gateway.registry().is_settled()).await;
            // What they offer is known now, and need not be listed yet.
            gateway.app.desk.registry().rebuilt_catalog();
        }
        gateway
    }
}

fn id(name: &str) -> PluginId {
    name.parse().expect("a plugin id")
}
