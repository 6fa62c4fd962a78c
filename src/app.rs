//! Puts the gateway together and takes it apart again. Knows every room.

pub mod discover;

pub mod files;

pub mod runtimes;

mod recording;

mod watch;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::files::{Files, Origin};
pub use crate::app::runtimes::{Runtimes, compiled_in};
use crate::background::Supervisor;
use crate::config::env::Env;
use crate::config::load::{FILE_NAME, Loaded};
use crate::config::resolve::Resolution;
use crate::config::{Config, Startup, ToolNames};
use crate::control::Control;
use crate::control::settings::Stored;
use crate::dispatch::Dispatcher;
use crate::dispatch::audit::{Several, Sink};
use crate::dispatch::schedule::Schedule;
use crate::front::auth::Callers;
use crate::front::desk::Desk;
use crate::front::http::{HttpFront, listen};
use crate::front::rounds::{Rounds, Tasks};
use crate::ledger::Ledger;
use crate::ledger::documents::{Documents, InMemory};
use crate::model::caller::Caller;
use crate::registry::error::RegistryError;
use crate::registry::naming::Alphabet;
use crate::registry::rules::{ApprovalRules, Rules};
use crate::registry::{Registry, Settings};
use crate::runtime::process::{Launcher, homes_of_user};
use crate::telemetry::config::TracesConfig;
use crate::telemetry::traces;

/// How long tasks may take to end after everything was stopped.
const LAST_TASKS: Duration = Duration::from_secs(2);

/// How long after a failure it is tried again to read what operators decided in an earlier life.
const RECALL: Duration = Duration::from_secs(2);

/// The variables that every child process gets.
const BASE_VARIABLES: [&str; 5] = ["PATH", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// A gateway.
pub struct App {
    /// What the fronts answer from.
    pub desk: Arc<Desk>,
    /// Who may call.
    pub callers: Callers,
    config: Config,
    /// Where spans of calls go.
    traces: TracesConfig,
    /// What the operator's file is called, or would be.
    config_name: OsString,
    supervisor: Supervisor,
    /// Done once notifiers are told of events.
    notices: Once,
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
    let mut launcher = Launcher::new(helper, homes_of_user(&env.temp_dir()));
    launcher.base = base.collect();
    launcher.environment = environment;
    launcher.cgroups = env.get("TOOLGATE_CGROUPS") != Some("off");
    launcher
}

impl App {
    /// Registers the plugins; records of calls go to `audit`. Nothing is started yet. `origin` is where `loaded` and
    /// `resolution` come from, and where they are read again.
    pub fn new(
        loaded: &Loaded,
        resolution: Resolution,
        origin: Origin,
        audit: Arc<dyn Sink>,
    ) -> Self {
        let config = loaded.config.clone();
        let named = origin.config.as_deref().and_then(Path::file_name);
        let config_name = named.unwrap_or(OsStr::new(FILE_NAME)).to_owned();
        let traces = config
            .telemetry
            .traces
            .with_variables(|name| origin.env.get(name));
        let supervisor = Supervisor::new();
        let files = Files::new(origin, loaded, supervisor.clone());
        let plugins = files.register(resolution);
        let settings = settings(&config);
        let ledger = Ledger::new(&config.ledger, loaded.env.state_dir().as_deref());
        let audit: Arc<dyn Sink> = match ledger.is_off() {
            true => audit,
            false => Arc::new(Several(vec![audit, Arc::new(ledger.clone())])),
        };
        let registry = Registry::new(plugins, settings, supervisor.clone());
        let dispatcher = Dispatcher::new(
            registry,
            config.policy.clone(),
            (audit, ledger.clone()),
            supervisor.clone(),
            config.server.sessions.bounds(config.auth.names_callers()),
        );
        let dispatcher = Arc::new(dispatcher.with_events(&config.events));
        dispatcher.hand_out();
        dispatcher.carry_events();
        dispatcher
            .approvals()
            .heard_by(Arc::new(recording::Decisions(ledger.clone())));
        recording::begin(&ledger, dispatcher.registry(), &supervisor);
        let documents: Arc<dyn Documents> = match ledger.is_off() {
            true => Arc::new(InMemory::default()),
            false => Arc::new(ledger.clone()),
        };
        let callers = Callers::new(&config.auth);
        let control = Control::new(
            Arc::clone(dispatcher.registry()),
            Arc::new(files),
            Arc::new(Stored::new(Arc::clone(&documents))),
            Duration::from_millis(config.server.drain_ms),
            config.max_plugins,
        );
        measure(&dispatcher, &control);
        let desk = Desk {
            schedule: Schedule::new(&dispatcher, Arc::clone(&documents), supervisor.clone()),
            dispatcher,
            control,
            supervisor: supervisor.clone(),
            rounds: Rounds::new(&config.server.rounds, callers.are_named()),
            tasks: Tasks::new(&config.server.tasks, callers.are_named()),
            documents,
            ledger,
            switching: tokio::sync::Mutex::default(),
            version: env!("CARGO_PKG_VERSION"),
        };
        Self {
            desk: Arc::new(desk),
            callers,
            traces,
            config,
            config_name,
            supervisor,
            notices: Once::new(),
        }
    }

    fn begin_notices(&self) {
        let dispatcher = &self.desk.dispatcher;
        self.notices.call_once(|| {
            dispatcher.begin_events();
            dispatcher.begin_notices();
            dispatcher.begin_background();
            traces::begin(
                &self.traces,
                dispatcher.metrics(),
                &self.supervisor,
                self.desk.version,
            );
        });
    }

    /// Takes in what operators decided in an earlier life: which tools are switched off, which calls were approved, which
    /// settings were changed.
    pub async fn recall(&self) {
        if let Err(why) = self.desk.recall().await {
            tracing::error!("Tools that were switched off are on until that can be read: {why}");
            let desk = Arc::clone(&self.desk);
            self.supervisor
                .spawn("what operators decided", |stop| async move {
                    let again = async {
                        while desk.recall().await.is_err() {
                            tokio::time::sleep(RECALL).await;
                        }
                        desk.control.restore_settings().await;
                    };
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = again => tracing::info!("What operators decided before could be read after all"),
                    }
                });
        }
        self.desk.control.restore_settings().await;
    }

    /// Takes in what was decided before. Where the operator wants all plugins or nothing, sets them up before anything is
    /// served. `Err` names the first that could not be; nothing runs then.
    pub async fn set_up(&self) -> Result<(), RegistryError> {
        self.recall().await;
        match self.config.startup {
            Startup::Degrade => Ok(()),
            Startup::Strict => {
                self.begin_notices();
                self.desk.registry().setup_all().await
            }
        }
    }

    /// Starts the plugins, and runs the tasks of users: where one client is served on a pipe there may be several gateways
    /// with the same store, and each task would be run by all of them.
    pub fn start(&self) {
        self.desk.ledger.want();
        self.begin_notices();
        self.desk.registry().start();
        self.desk.schedule.begin();
    }

    /// Starts the plugins as soon as it is known who the only client is.
    pub fn start_for_client(&self) {
        self.desk.ledger.want();
        self.begin_notices();
        self.desk.registry().start_for_client();
    }

    /// Reads configuration and plugins again, in a task of its own.
    pub fn reload(&self) {
        let control = Arc::clone(&self.desk.control);
        self.supervisor.spawn("reload", |stop| async move {
            tokio::select! {
                // What came of it is logged, and kept for the report.
                _ = control.reload() => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Reads configuration and plugins again whenever they change, if that is wanted.
    pub fn watch(&self) {
        if self.config.server.watch {
            let control = Arc::clone(&self.desk.control);
            let name = self.config_name.clone();
            self.supervisor
                .spawn("configuration", |stop| watch::watch(control, name, stop));
        }
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
        self.callers.keep_keys(&self.supervisor);
        listen(&front, listener, &self.supervisor);
        Ok((front, address))
    }

    /// Serves one client on these streams until its input ends or `stop` is cancelled.
    pub async fn serve_stdio<R, W>(&self, streams: (R, W), stop: CancellationToken)
    where
        R: tokio::io::AsyncRead + Unpin,
        W: tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        // Who starts the program is its operator.
        let caller = Arc::new(Caller::anonymous());
        let max = self.config.server.max_body_bytes;
        crate::front::stdio::serve(Arc::clone(&self.desk), caller, max, streams, stop).await;
    }

    /// Stops the plugins and all tasks. Says which tasks did not end.
    pub async fn stop(&self) -> Vec<String> {
        self.desk.control.close();
        self.desk.rounds.close();
        self.desk.tasks.close();
        self.desk.schedule.close();
        self.desk.dispatcher.close();
        self.desk.registry().stop().await;
        self.desk.ledger.close().await;
        self.supervisor.stop(LAST_TASKS).await
    }
}

/// Has everything read that is known in numbers. Nothing is kept alive by that.
fn measure(dispatcher: &Arc<Dispatcher>, control: &Arc<Control>) {
    let (calls, plugins) = (Arc::downgrade(dispatcher), Arc::downgrade(control));
    dispatcher.metrics().read_from(move |page| {
        if let (Some(dispatcher), Some(control)) = (calls.upgrade(), plugins.upgrade()) {
            dispatcher.registry().measure(page);
            dispatcher.measure(page);
            control.measure(page);
        }
    });
}

/// How lists are made by this configuration.
fn settings(config: &Config) -> Settings {
    Settings {
        alphabet: match config.tool_names {
            ToolNames::Default => Alphabet::Full,
            ToolNames::Strict => Alphabet::Strict,
        },
        rules: Rules {
            deny: config.policy.deny.clone(),
            read_only: config.policy.read_only,
            fill_defaults: config.policy.fill_defaults,
            approval: ApprovalRules {
                tools: config.policy.approval.tools.clone(),
                plugins: config.policy.approval.plugins.clone(),
                risk: config.policy.approval.risk,
                all_remediation: config.policy.approval.all_remediation,
            },
            ..Rules::default()
        },
        settle: Duration::from_millis(config.server.settle_ms),
        page: config.server.max_list_page,
        same_for_all: config.auth.is_same_for_all(),
    }
}
