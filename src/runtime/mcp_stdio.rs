//! Plugins that are child processes and speak MCP on their standard streams.

mod output;

mod stderr;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use indexmap::IndexMap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::manifest::runtime::McpStdio as Section;
use crate::manifest::{Era as EraChoice, Manifest};
use crate::model::answer::Answer;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::runtime::client::PROBE_FAILED;
use crate::runtime::lines::Lines;
use crate::runtime::mcp_stdio::output::Output;
use crate::runtime::mcp_stdio::stderr::Tail;
use crate::runtime::process::{
    Bounds, Launcher, Process, Program, Usage, is_program, private_directory,
};
use crate::runtime::server::Server;
use crate::runtime::temp_dir::{self, TempDir};
use crate::runtime::{CallContext, Host, Instance, LogLine, Request, Runtime, Surface};
use crate::session::Session;
use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// How long after the end of its output a child may take to exit, so that its exit code can be told.
const EXIT_GRACE: Duration = Duration::from_millis(300);

/// How long after that the end of its stderr is waited for. What it wrote is there by then, unless the machine is busy.
const STDERR_GRACE: Duration = Duration::from_millis(200);

/// How many of the last lines of a child's stderr are told.
const LAST_LINES: usize = 20;

/// How many plugins' eras are remembered. One that is forgotten is only asked again.
const MAX_MEMORIES: usize = 4096;

/// The variable that holds a child's settings as JSON, where it has some.
const CONFIG_VARIABLE: &str = "TOOLGATE_PLUGIN_CONFIG";

/// Starts child processes.
pub struct McpStdio {
    launcher: Launcher,
    /// Which era each plugin speaks when one of them is preferred, as far as is known: the latest [`MAX_MEMORIES`].
    eras: Mutex<IndexMap<(PluginId, Era), Memory>>,
}

/// What is known of a plugin's era.
#[derive(Debug, Clone, Copy)]
enum Memory {
    /// It spoke this one.
    Speaks(Era),
    /// It was silent or died when it was asked; the next start does not ask. Not kept beyond that.
    MayDieOfTheQuestion,
}

struct Child {
    plugin: PluginId,
    host: Host,
    server: Arc<Server>,
    process: Process,
    pid: u32,
    tail: Arc<Tail>,
    temp_dir: Option<TempDir>,
}

impl McpStdio {
    /// A runtime that starts its children with `launcher`.
    pub fn new(launcher: Launcher) -> Self {
        Self {
            launcher,
            eras: Mutex::default(),
        }
    }

    /// How the plugin is asked for its era, and for which first.
    fn era(&self, manifest: &Manifest, prefer: Era) -> (EraChoice, Era) {
        let memory = self
            .eras
            .lock()
            .expect("no holder of this lock panics")
            .get(&(manifest.id.clone(), prefer))
            .copied();
        match (manifest.era, memory) {
            (EraChoice::Auto, Some(Memory::Speaks(Era::Legacy) | Memory::MayDieOfTheQuestion)) => {
                (EraChoice::Auto, Era::Legacy)
            }
            (EraChoice::Auto, Some(Memory::Speaks(Era::Modern))) => (EraChoice::Modern, prefer),
            (choice, _) => (choice, prefer),
        }
    }

    /// Remembers what a start taught about the plugin's era; `was_probed` when it was asked for the modern one first.
    fn learn(&self, host: &Host, was_probed: bool, started: &Result<Arc<Child>, Fault>) {
        let key = (host.plugin.clone(), host.prefer);
        let mut eras = self.eras.lock().expect("no holder of this lock panics");
        eras.shift_remove(&key);
        let memory = match started {
            Ok(child) => Memory::Speaks(child.server.peer.era()),
            Err(fault) if was_probed && matches!(fault.reason, PROBE_FAILED | START_TIMEOUT) => {
                Memory::MayDieOfTheQuestion
            }
            Err(_) => return,
        };
        if eras.len() >= MAX_MEMORIES {
            eras.shift_remove_index(0);
        }
        eras.insert(key, memory);
    }

    async fn attempt(
        &self,
        manifest: &Arc<Manifest>,
        host: &Host,
        (era, first): (EraChoice, Era),
    ) -> Result<Arc<Child>, Fault> {
        let section = manifest.mcp_stdio.as_ref().ok_or_else(|| {
            Fault::new(
                FaultKind::Unavailable,
                format!("plugin `{}` has no [mcp_stdio] section", manifest.id),
            )
        })?;
        let temp_dir = self.temp_dir(manifest)?;
        let mut variables = self.variables(&manifest.id, section);
        if !manifest.config.is_empty() {
            // The plugin's own `env` may say something else.
            let config = variables.entry(CONFIG_VARIABLE.to_owned());
            config.or_insert_with(|| Json::of(&manifest.config).as_str().to_owned());
        }
        if let Some(made) = &temp_dir {
            let path = made.path().to_string_lossy().into_owned();
            variables.insert(temp_dir::VARIABLE.to_owned(), path);
        }
        let program = Program {
            command: &section.command,
            variables,
            directory: section.cwd.as_deref(),
            bounds: Bounds::of(&manifest.limits),
            confinement: None,
        };
        let host = Host {
            supervisor: host.supervisor.child(),
            prefer: first,
            ..host.clone()
        };
        let child = self
            .launcher
            .start(&program, &host.supervisor, manifest.id.as_str())
            .map_err(|err| {
                let message = format!(
                    "plugin `{}` could not be started: `{}`: {err}; is it installed?",
                    manifest.id, section.command[0]
                );
                Fault::new(FaultKind::Unavailable, message).because("start_failed")
            })?;
        let tail = Tail::follow(
            child.stderr,
            manifest.limits.stderr_buffer_bytes,
            &manifest.id,
            &host.supervisor,
        );
        let why = why_ended(
            manifest.id.clone(),
            child.process.clone(),
            Arc::clone(&tail),
        );
        let output = Output::new(child.stdout, child.process.clone());
        let pipes = (output, child.stdin);
        let lines = Lines::start(
            manifest.id.clone(),
            pipes,
            manifest.limits.max_message_bytes,
            &host,
            why,
        );
        let starting = Starting {
            lines: Arc::clone(&lines),
            process: child.process.clone(),
            host: Some(host.clone()),
        };
        let server = Server::open(lines, manifest, era, host.clone()).await?;
        starting.done();
        let (plugin, process, pid) = (manifest.id.clone(), child.process, child.pid);
        let host = Host {
            session: None,
            ..host
        };
        Ok(Arc::new(Child {
            plugin,
            host,
            server,
            process,
            pid,
            tail,
            temp_dir,
        }))
    }

    /// The directory of one child, where its plugin wants one.
    fn temp_dir(&self, manifest: &Manifest) -> Result<Option<TempDir>, Fault> {
        let wanted = manifest.resources.names("temp_dir");
        let made = wanted.then(|| TempDir::make(&self.launcher.homes, &manifest.id));
        made.transpose()
    }

    /// What the child's environment holds besides what every child gets.
    fn variables(&self, plugin: &PluginId, section: &Section) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        match private_directory(&self.launcher.homes, plugin.as_str()) {
            Ok(home) => {
                drop(variables.insert("HOME".to_owned(), home.to_string_lossy().into_owned()))
            }
            Err(err) => {
                tracing::warn!(plugin.id = %plugin, "Starts `{plugin}` without a `HOME`: {err}")
            }
        }
        for name in &section.env_passthrough {
            if let Some(value) = self.launcher.environment.get(name) {
                variables.insert(name.clone(), value.clone());
            }
        }
        variables.extend(
            section
                .env
                .iter()
                .map(|(name, value)| (name.clone(), value.expose().to_owned())),
        );
        variables
    }
}

#[async_trait]
impl Runtime for McpStdio {
    fn available(&self, plugin: &Manifest) -> Result<(), String> {
        let section = plugin.mcp_stdio.as_ref();
        let command = section.and_then(|section| section.command.first());
        let command = command.ok_or_else(|| "it has no [mcp_stdio] command".to_owned())?;
        let path = self.launcher.base.get("PATH").map(String::as_str);
        match is_program(command, path.unwrap_or_default()) {
            true => Ok(()),
            false if command.contains('/') => Err(format!("`{command}` is not there")),
            false => Err(format!("`{command}` is not on PATH; is it installed?")),
        }
    }

    async fn start(&self, manifest: Arc<Manifest>, host: Host) -> Result<Arc<dyn Instance>, Fault> {
        let choice = self.era(&manifest, host.prefer);
        let deadline = Duration::from_millis(manifest.limits.start_timeout_ms);
        let started = tokio::time::timeout(deadline, self.attempt(&manifest, &host, choice)).await;
        let started = match started {
            Ok(Err(fault)) if fault.kind == FaultKind::Timeout => Err(too_slow(&manifest)),
            Ok(started) => started,
            Err(_) => Err(too_slow(&manifest)),
        };
        let was_probed = choice == (EraChoice::Auto, Era::Modern);
        self.learn(&host, was_probed, &started);
        Ok(started?)
    }
}

/// The reason of a start that took too long.
const START_TIMEOUT: &str = "start_timeout";

fn too_slow(manifest: &Manifest) -> Fault {
    let (id, bound) = (&manifest.id, manifest.limits.start_timeout_ms);
    let message =
        format!("plugin `{id}` did not start within {bound} ms (`limits.start_timeout_ms`)");
    Fault::new(FaultKind::Unavailable, message).because(START_TIMEOUT)
}

fn why_ended(plugin: PluginId, process: Process, tail: Arc<Tail>) -> crate::runtime::lines::Why {
    Box::new(move || {
        Box::pin(async move {
            let exit = process.wait(EXIT_GRACE).await;
            tail.complete(STDERR_GRACE).await;
            let how = match (process.verdict(), exit) {
                (Some(verdict), _) => verdict.to_owned(),
                (None, Some(exit)) => format!("ended ({exit})"),
                (None, None) => "closed its output".to_owned(),
            };
            let message = format!("plugin `{plugin}` {how}{}", tail.quoted(LAST_LINES));
            Fault::new(FaultKind::Unavailable, message).because("upstream_exited")
        })
    })
}

/// Ends a child whose start does not come to its end: the handshake failed, or nobody waits for it any more.
struct Starting {
    lines: Arc<Lines>,
    process: Process,
    host: Option<Host>,
}

impl Starting {
    fn done(mut self) {
        self.host = None;
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        let Some(host) = self.host.take() else { return };
        self.lines.close();
        let process = self.process.clone();
        let supervisor = host.supervisor.clone();
        host.supervisor.spawn_request(async move {
            process.kill().await;
            supervisor.stopping().cancel();
        });
    }
}

impl Instance for Child {
    fn surface(&self) -> watch::Receiver<Arc<Surface>> {
        self.server.surface()
    }

    fn request<'a>(
        &'a self,
        request: Request,
        context: &'a CallContext,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        self.server.request(request, context)
    }

    fn catch_up(&self) -> BoxFuture<'_, bool> {
        self.server.catch_up()
    }

    fn tell<'a>(&'a self, method: &'a Method, params: Params) -> BoxFuture<'a, ()> {
        self.server.tell(method, params)
    }

    fn probe(&self, deadline: Duration) -> BoxFuture<'_, Result<(), Fault>> {
        self.server.probe(deadline)
    }

    fn is_open(&self) -> bool {
        self.server.is_open()
    }

    fn is_at_work(&self) -> bool {
        self.server.lines.is_at_work()
    }

    fn ended(&self) -> &CancellationToken {
        self.server.ended()
    }

    fn last_words(&self) -> Option<String> {
        let exit = self.process.exit()?;
        let how = match self.process.verdict() {
            Some(verdict) => format!("it {verdict}"),
            None => exit.to_string(),
        };
        Some(format!("{how}{}", self.tail.quoted(LAST_LINES)))
    }

    fn stop(&self) -> BoxFuture<'_, Option<Fault>> {
        Box::pin(async move {
            self.server.lines.close();
            self.process.end().await;
            if let Some(directory) = &self.temp_dir {
                directory.remove().await;
            }
            self.host.supervisor.stopping().cancel();
            tracing::debug!(plugin.id = %self.plugin, process.pid = self.pid, "Stopped a process");
            None
        })
    }

    fn era(&self) -> Era {
        self.server.peer.era()
    }

    fn adopt(&self, session: &Arc<Session>) {
        self.server.adopt(session);
    }

    fn pid(&self) -> Option<u32> {
        Some(self.pid)
    }

    fn log_lines(&self) -> Vec<LogLine> {
        self.tail.lines()
    }

    fn usage(&self) -> Option<Usage> {
        Some(self.process.usage())
    }
}
