//! A gateway for the tests of a plugin: no configuration file, no port.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::app::files::Origin;
use crate::app::{App, Runtimes, launcher};
use crate::config::load::Loaded;
use crate::config::plugin_entry::PluginEntry;
use crate::config::resolve::resolve;
use crate::config::{Config, Env};
use crate::dispatch::CallError;
use crate::dispatch::audit::NoSink;
use crate::dispatch::subject::Subject;
use crate::manifest::Grant;
use crate::manifest::document::Node;
use crate::manifest::problem::{Place, Problem, Problems};
use crate::model::caller::ClientProfile;
use crate::model::client::Deaf;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::plugin::{Factory, Plugin};
use crate::runtime::CallContext;
use crate::runtime::in_process::InProcess;
use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::method::Method;

/// A gateway with the plugins of a test and nothing else, all of them started.
pub struct TestGateway {
    app: App,
}

/// What a [`TestGateway`] is made of.
#[derive(Default)]
pub struct Builder {
    manifests: Vec<(String, String)>,
    folders: Vec<PathBuf>,
    grants: BTreeMap<String, BTreeSet<Grant>>,
    in_process: InProcess,
    env: Option<Env>,
}

impl TestGateway {
    /// A gateway without plugins so far.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The tools as clients see them.
    pub fn tools(&self) -> Vec<Value> {
        let catalog = self.app.desk.registry().rebuilt_catalog();
        let entries = catalog.entries(self.app.callers.anonymous());
        let tools = entries.map(|entry| entry.definition.parse());
        tools.filter_map(Result::ok).collect()
    }

    /// Calls a tool by the name it is listed under, with an object as `arguments`; takes the way of every call. What the
    /// tool says itself, `isError` included, is `Ok`.
    pub async fn call(&self, tool: &str, arguments: Value) -> Result<Value, CallError> {
        let desk = &self.app.desk;
        let mut params = Params::default();
        params.members.set("name", Json::of(tool));
        params.members.set("arguments", Json::of(&arguments));
        let context = CallContext {
            id: desk.dispatcher.next_call(),
            caller: Arc::clone(self.app.callers.anonymous()),
            profile: Arc::new(ClientProfile::bare()),
            session: None,
            log_level: None,
            timeout: None,
            cancel: CancellationToken::new(),
            farewell: None,
            client: Arc::new(Deaf),
        };
        let subject = Subject::Tool(tool.to_owned());
        let called = desk
            .dispatcher
            .request(Method::ToolsCall, &subject, params, context);
        let reply = called.await?;
        reply.result.parse().map_err(|err| {
            let message = format!("the result of `{tool}` cannot be read: {err}");
            CallError::Fault(Fault::new(FaultKind::Broken, message))
        })
    }

    /// The gateway itself, for what is not offered here.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Stops the plugins. Says which tasks did not end.
    pub async fn stop(self) -> Vec<String> {
        self.app.stop().await
    }
}

impl Builder {
    /// Adds a plugin under an id, with a manifest that says no more than that.
    #[must_use]
    pub fn plugin(self, id: &str, plugin: impl Plugin) -> Self {
        let manifest = format!(
            "id = \"{id}\"\nversion = \"1.0.0\"\nruntime = \"in_process\"\n[in_process]\nentry = \"builtin:{id}\"\n"
        );
        self.plugin_with_manifest(id, &manifest, plugin)
    }

    /// Adds a plugin with the text of its `plugin.toml`, where its id is `id` and its entry `builtin:{id}`.
    #[must_use]
    pub fn plugin_with_manifest(mut self, id: &str, manifest: &str, plugin: impl Plugin) -> Self {
        let plugin: Arc<dyn Plugin> = Arc::new(plugin);
        let factory: Factory = Arc::new(move || Arc::clone(&plugin));
        self.in_process = self.in_process.with(format!("builtin:{id}"), factory);
        self.manifests.push((id.to_owned(), manifest.to_owned()));
        self
    }

    /// Adds the plugin that lies in a folder, of whatever runtime. It is built if it has to be.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folders.push(folder.into());
        self
    }

    /// What a plugin is granted, of what its manifest requests. Without this it is what the gateway grants by default.
    #[must_use]
    pub fn grants(mut self, id: &str, grants: impl IntoIterator<Item = Grant>) -> Self {
        self.grants
            .insert(id.to_owned(), grants.into_iter().collect());
        self
    }

    /// What variables of manifests are filled in from, and what child processes may be handed; the test's own
    /// environment when left out.
    #[must_use]
    pub fn env(mut self, env: Env) -> Self {
        self.env = Some(env);
        self
    }

    /// Starts the plugins. `Err` holds every problem of their manifests, or why they do not start.
    pub async fn build(self) -> Result<TestGateway, Problems> {
        let env = self.env.unwrap_or_else(Env::from_process);
        let mut loaded = Loaded::nothing(&env);
        loaded.config.plugin_dirs = self.folders;
        // What a test does is not what happened.
        loaded.config.ledger.url = Some("off".into());
        let mut manifests = Vec::new();
        for (id, text) in &self.manifests {
            manifests.push((plugin_id(id)?, text.as_str()));
        }
        for (id, grants) in self.grants {
            grant(&mut loaded.config, plugin_id(&id)?, grants);
        }
        let resolution = resolve(&loaded, &manifests)?;
        let left_out = resolution.left_out.iter();
        let left_out: Vec<Problem> = left_out.flat_map(|one| one.problems.0.clone()).collect();
        if !left_out.is_empty() {
            return Err(Problems(left_out));
        }
        let builtins = manifests.into_iter();
        let origin = Origin {
            config: None,
            builtins: builtins.map(|(id, text)| (id, text.to_owned())).collect(),
            runtimes: Runtimes::new(self.in_process, launcher(&env, None)),
            env,
        };
        let app = App::new(&loaded, resolution, origin, Arc::new(NoSink));
        app.recall().await;
        app.start();
        let plugins = app.desk.registry().plugins();
        let started = futures::future::join_all(plugins.iter().map(|plugin| plugin.warm())).await;
        let failed = started.into_iter().filter_map(Result::err);
        let failed: Vec<Problem> = failed
            .map(|fault| Problem::new(fault.to_string()))
            .collect();
        if !failed.is_empty() {
            app.stop().await;
            return Err(Problems(failed));
        }
        Ok(TestGateway { app })
    }
}

fn plugin_id(id: &str) -> Result<PluginId, Problems> {
    let problem = |message: String| Problems(vec![Problem::new(message)]);
    id.parse()
        .map_err(|err: <PluginId as std::str::FromStr>::Err| problem(err.to_string()))
}

fn grant(config: &mut Config, id: PluginId, grants: BTreeSet<Grant>) {
    let path = vec!["plugins".to_owned(), id.to_string()];
    let entry = PluginEntry {
        id: id.clone(),
        enabled: true,
        grants: Some(grants),
        overrides: Node::table_at(Place::default()),
        place: Place::default(),
        path,
    };
    config.plugins.insert(id, entry);
}
