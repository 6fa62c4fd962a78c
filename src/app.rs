//! Puts the gateway together and takes it apart again. Knows every room.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::background::Supervisor;
use crate::builtin::Builtin;
use crate::config::env::Env;
use crate::config::load::Loaded;
use crate::config::resolve::{Resolution, ResolvedPlugin, Source};
use crate::config::{Config, ToolNames};
use crate::dispatch::Dispatcher;
use crate::dispatch::audit::Sink;
use crate::front::auth::Callers;
use crate::front::desk::Desk;
use crate::front::http::{HttpFront, listen};
use crate::front::rounds::{Rounds, Tasks};
use crate::manifest::Grant;
use crate::manifest::runtime::RuntimeKind;
use crate::model::plugin_id::PluginId;
use crate::registry::naming::Alphabet;
use crate::registry::order::{Node, order};
use crate::registry::plugin::Plugin;
use crate::registry::rules::Rules;
use crate::registry::{Registry, Settings};
use crate::runtime::Runtime;
use crate::runtime::build::{BuildFirst, Builder};
use crate::runtime::in_process::InProcess;
use crate::runtime::mcp_http::McpHttp;
use crate::runtime::mcp_stdio::McpStdio;
use crate::runtime::process::Launcher;

/// How long tasks may take to end after everything was stopped.
const LAST_TASKS: Duration = Duration::from_secs(2);

/// The variables that every child process gets.
const BASE_VARIABLES: [&str; 5] = ["PATH", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// A gateway.
pub struct App {
    /// What the fronts answer from.
    pub desk: Arc<Desk>,
    /// Who may call.
    pub callers: Callers,
    config: Config,
    supervisor: Supervisor,
}

/// The runtimes that plugins can use.
pub struct Runtimes {
    table: HashMap<RuntimeKind, Arc<dyn Runtime>>,
    /// Builds what lies in folders.
    pub builder: Builder,
}

impl Runtimes {
    /// All runtimes. `in_process` knows the code that is compiled in.
    pub fn new(in_process: InProcess, launcher: Launcher) -> Self {
        let builder = Builder::new(launcher.clone());
        let table: [(RuntimeKind, Arc<dyn Runtime>); 3] = [
            (RuntimeKind::InProcess, Arc::new(in_process)),
            (RuntimeKind::McpStdio, Arc::new(McpStdio::new(launcher))),
            (RuntimeKind::McpHttp, Arc::new(McpHttp::new())),
        ];
        Self {
            table: table.into_iter().collect(),
            builder,
        }
    }

    /// One of them as it is.
    pub fn plain(&self, kind: RuntimeKind) -> Arc<dyn Runtime> {
        Arc::clone(&self.table[&kind])
    }

    /// The runtime of a plugin, which is built before it starts if it lies in a folder.
    fn of(&self, kind: RuntimeKind, folder: Option<&Path>) -> Arc<dyn Runtime> {
        let runtime = self.plain(kind);
        match folder {
            Some(folder) => Arc::new(BuildFirst::new(
                runtime,
                self.builder.clone(),
                folder.to_path_buf(),
            )),
            None => runtime,
        }
    }
}

/// The `in_process` runtime with the plugins that come with the gateway.
pub fn compiled_in(builtins: &[Builtin]) -> InProcess {
    builtins.iter().fold(InProcess::new(), |runtime, builtin| {
        runtime.with(builtin.entry(), Arc::clone(&builtin.factory))
    })
}

/// How children are started: `helper` is this program, when it can serve as the helper.
pub fn launcher(env: &Env, helper: Option<PathBuf>) -> Launcher {
    let environment: BTreeMap<String, String> = env
        .names()
        .filter_map(|name| Some((name.to_owned(), env.get(name)?.to_owned())))
        .collect();
    let base = BASE_VARIABLES
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), env.get(name)?.to_owned())));
    let user = env
        .get("USER")
        .or_else(|| env.get("LOGNAME"))
        .unwrap_or("user");
    Launcher {
        helper,
        base: base.collect(),
        environment,
        homes: env.temp_dir().join(format!("toolgate-{user}")),
    }
}

impl App {
    /// Registers the plugins; records of calls go to `audit`. Nothing is started yet.
    pub fn new(
        loaded: &Loaded,
        resolution: Resolution,
        runtimes: &Runtimes,
        audit: Arc<dyn Sink>,
    ) -> Self {
        let config = loaded.config.clone();
        let supervisor = Supervisor::new();
        let plugins = register(resolution, runtimes, &supervisor);
        let alphabet = match config.tool_names {
            ToolNames::Default => Alphabet::Full,
            ToolNames::Strict => Alphabet::Strict,
        };
        let rules = Rules {
            deny: config.policy.deny.clone(),
            read_only: config.policy.read_only,
        };
        let settings = Settings {
            alphabet,
            rules,
            settle: Duration::from_millis(config.server.settle_ms),
            page: config.server.max_list_page,
            same_for_all: config
                .auth
                .tokens
                .iter()
                .all(|token| token.plugins.is_none()),
        };
        let registry = Registry::new(plugins, settings, supervisor.clone());
        let dispatcher = Arc::new(Dispatcher::new(
            registry,
            config.policy.clone(),
            audit,
            supervisor.clone(),
            config
                .server
                .sessions
                .bounds(!config.auth.tokens.is_empty()),
        ));
        let callers = Callers::new(&config.auth);
        let desk = Desk {
            dispatcher,
            supervisor: supervisor.clone(),
            rounds: Rounds::new(&config.server.rounds, callers.are_named()),
            tasks: Tasks::new(&config.server.tasks, callers.are_named()),
            version: env!("CARGO_PKG_VERSION"),
        };
        Self {
            desk: Arc::new(desk),
            callers,
            config,
            supervisor,
        }
    }

    /// Starts the plugins.
    pub fn start(&self) {
        self.desk.registry().start();
    }

    /// Starts the plugins as soon as it is known who the only client is.
    pub fn start_for_client(&self) {
        self.desk.registry().start_for_client();
    }

    /// Opens the HTTP front. Says on which address it listens.
    pub async fn open_http(
        &self,
        address: SocketAddr,
    ) -> std::io::Result<(Arc<HttpFront>, SocketAddr)> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let front = HttpFront::new(
            Arc::clone(&self.desk),
            self.callers.clone(),
            self.config.server.clone(),
            address,
        );
        listen(&front, listener, &self.supervisor);
        Ok((front, address))
    }

    /// Serves one client on these streams until its input ends or `stop` is cancelled.
    pub async fn serve_stdio<R, W>(&self, streams: (R, W), stop: CancellationToken)
    where
        R: tokio::io::AsyncRead + Unpin,
        W: tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let caller = Arc::clone(self.callers.anonymous());
        let max = self.config.server.max_body_bytes;
        crate::front::stdio::serve(Arc::clone(&self.desk), caller, max, streams, stop).await;
    }

    /// Stops the plugins and all tasks. Says which tasks did not end.
    pub async fn stop(&self) -> Vec<String> {
        self.desk.rounds.close();
        self.desk.tasks.close();
        self.desk.dispatcher.close();
        self.desk.registry().stop().await;
        self.supervisor.stop(LAST_TASKS).await
    }
}

/// The plugins of a resolution in the order they start in, each on its runtime.
fn register(
    resolution: Resolution,
    runtimes: &Runtimes,
    supervisor: &Supervisor,
) -> Vec<Arc<Plugin>> {
    for left_out in resolution
        .left_out
        .iter()
        .filter(|left_out| left_out.enabled)
    {
        tracing::error!("A plugin is left out:\n{}", left_out.problems);
    }
    for note in &resolution.notes.0 {
        tracing::warn!("{note}");
    }
    let enabled: Vec<ResolvedPlugin> = resolution
        .plugins
        .into_iter()
        .filter(|plugin| plugin.enabled)
        .collect();
    let nodes: Vec<Node> = enabled
        .iter()
        .map(|plugin| Node {
            id: plugin.manifest.id.clone(),
            priority: plugin.manifest.priority,
            depends_on: plugin.manifest.depends_on.clone(),
        })
        .collect();
    let order = order(&nodes);
    let mut refused: HashMap<&PluginId, String> = HashMap::new();
    for cycle in &order.cycles {
        let names = cycle
            .iter()
            .map(PluginId::as_str)
            .collect::<Vec<_>>()
            .join("`, `");
        cycle.iter().for_each(|id| {
            drop(refused.insert(id, format!("it depends on itself through `{names}`")))
        });
    }
    order
        .behind_cycles
        .iter()
        .for_each(|id| drop(refused.insert(id, "a plugin it needs depends on itself".into())));
    for (id, missing) in &order.missing {
        let names = missing
            .iter()
            .map(PluginId::as_str)
            .collect::<Vec<_>>()
            .join("`, `");
        refused.insert(id, format!("it needs `{names}`, which is not there"));
    }
    let rank: HashMap<&PluginId, usize> = order
        .order
        .iter()
        .enumerate()
        .map(|(at, id)| (id, at))
        .collect();
    let mut plugins: Vec<Arc<Plugin>> = enabled
        .into_iter()
        .map(|plugin| {
            let refused = refused.get(&plugin.manifest.id).cloned();
            registered(plugin, refused, runtimes, supervisor)
        })
        .collect();
    plugins.sort_by_key(|plugin| rank.get(&plugin.manifest.id).copied().unwrap_or(usize::MAX));
    plugins
}

fn registered(
    plugin: ResolvedPlugin,
    mut refused: Option<String>,
    runtimes: &Runtimes,
    supervisor: &Supervisor,
) -> Arc<Plugin> {
    let source = match &plugin.source {
        Source::Builtin => "built in".to_owned(),
        Source::Folder(folder) => folder.display().to_string(),
        Source::Config(file) => file.display().to_string(),
    };
    if !plugin.grants.contains(&Grant::Tools) {
        refused.get_or_insert_with(|| "it is not granted TOOLS".to_owned());
    }
    let kind = plugin.manifest.runtimes()[0];
    let runtime = runtimes.of(kind, plugin.folder.as_deref());
    Plugin::new(
        Arc::new(plugin.manifest),
        source,
        (kind, runtime),
        supervisor.clone(),
        refused,
    )
}
