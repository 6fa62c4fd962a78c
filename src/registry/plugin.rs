//! One plugin as the gateway knows it: its manifest, its life, its instances, the gate before them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::background::Supervisor;
use crate::manifest::route_table::RouteTable;
use crate::manifest::runtime::RuntimeKind;
use crate::manifest::{Grant, Kind, Load, Manifest};
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::registry::breaker::guard::{Breaker, Pass};
use crate::registry::gate::Gate;
use crate::registry::health::Vitals;
use crate::registry::life::record::Life;
use crate::registry::life::{InvalidState, Signal, State};
use crate::registry::pool::Pool;
use crate::runtime::{Listing, Runtime, Surface};
use crate::wire::json::Json;
use crate::wire::list::ListKind;

/// A plugin.
#[derive(Debug)]
pub struct Plugin {
    /// What it says of itself, with what the operator changed.
    pub manifest: Arc<Manifest>,
    /// Where it comes from.
    pub source: Source,
    /// What it may do.
    pub grants: BTreeSet<Grant>,
    /// Whether the operator has said which.
    pub grants_chosen: bool,
    /// The routes of its manifest.
    pub routes: RouteTable,
    /// The runtime it uses.
    pub runtime: RuntimeKind,
    /// How many calls it takes.
    pub gate: Gate,
    /// What keeps calls from a remote server that fails. Others have none.
    pub breaker: Option<Arc<Breaker>>,
    /// Its instances.
    pub pool: Arc<Pool>,
    /// Where it stands.
    pub life: Arc<Life>,
    /// How it is.
    pub vitals: Vitals,
    /// What it did so far.
    pub counts: Counts,
    /// How often its tools were switched on or off.
    pub(super) switched: AtomicU64,
    declared: Arc<Surface>,
    /// Whether it is no longer in the registry, or another is there in its place.
    left: AtomicBool,
    /// Cancelled when it has stopped after that.
    pub(super) removed: CancellationToken,
}

/// Where a plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Compiled in.
    Builtin,
    /// A folder with a manifest.
    Folder(PathBuf),
    /// An entry of a config file.
    Config(PathBuf),
}

impl Source {
    /// The plugin's own folder, if it has one.
    pub fn folder(&self) -> Option<&std::path::Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Builtin | Self::Config(_) => None,
        }
    }
}

/// What a plugin is made of.
pub struct Setup {
    /// What it says of itself, with what the operator changed.
    pub manifest: Arc<Manifest>,
    /// Where it comes from.
    pub source: Source,
    /// What it may do.
    pub grants: BTreeSet<Grant>,
    /// Whether the operator has said which.
    pub grants_chosen: bool,
    /// What runs it.
    pub runtime: (RuntimeKind, Arc<dyn Runtime>),
    /// Owns its tasks.
    pub supervisor: Supervisor,
    /// Why it cannot run as it is configured, if so.
    pub unfit: Option<String>,
}

/// What a plugin did so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Calls that came to it.
    pub calls: AtomicU64,
    /// Calls that ended in a fault.
    pub faults: AtomicU64,
    /// Microseconds that calls took, summed up.
    pub busy_us: AtomicU64,
}

impl Plugin {
    /// A plugin that has just been registered; nothing of it runs.
    pub fn new(setup: Setup) -> Arc<Self> {
        let Setup {
            manifest,
            source,
            grants,
            grants_chosen,
            runtime: (kind, runtime),
            supervisor,
            unfit,
        } = setup;
        let isolation = manifest.isolation;
        let isolation = isolation.or(manifest.kind.isolation());
        let isolation = isolation.unwrap_or_else(|| runtime.isolation(&manifest));
        let limits = &manifest.limits;
        let gate = Gate::new(
            limits.max_concurrent_calls as usize,
            limits.max_queue as usize,
        );
        let life = Arc::new(Life::new(manifest.id.clone(), unfit));
        let is_remote = kind == RuntimeKind::McpHttp;
        let breaker = is_remote.then(|| Breaker::new(&manifest));
        let declared = Arc::new(declared(&manifest));
        let pool = Pool::new(
            (Arc::clone(&manifest), Arc::clone(&declared)),
            grants.clone(),
            (runtime, Arc::clone(&life)),
            isolation,
            supervisor,
            env!("CARGO_PKG_VERSION"),
        );
        pool.grant(&grants);
        Arc::new(Self {
            vitals: Vitals::new(&manifest.health),
            routes: RouteTable::new(&manifest.routes),
            manifest,
            source,
            grants,
            grants_chosen,
            runtime: kind,
            gate,
            breaker,
            pool,
            life,
            counts: Counts::default(),
            switched: AtomicU64::new(0),
            declared,
            left: AtomicBool::new(false),
            removed: CancellationToken::new(),
        })
    }

    /// Its id.
    pub fn id(&self) -> &PluginId {
        &self.manifest.id
    }

    /// What tells it from all others.
    pub fn key(&self) -> (Kind, &PluginId) {
        (self.manifest.kind, &self.manifest.id)
    }

    /// Whether it needs the plugin of that id.
    pub fn needs(&self, id: &PluginId) -> bool {
        self.manifest.needs().any(|needed| needed == id)
    }

    /// What it offers, as far as is known: from an instance, or else what the manifest declares.
    pub fn surface(&self) -> Arc<Surface> {
        self.pool
            .surface()
            .unwrap_or_else(|| Arc::clone(&self.declared))
    }

    /// Whether what it offers comes from an instance.
    pub fn is_known(&self) -> bool {
        self.pool.surface().is_some()
    }

    /// What the manifest declares.
    pub fn declared(&self) -> &Arc<Surface> {
        &self.declared
    }

    /// Why nothing of it is started, in a sentence that begins after its name. `None` when it may be.
    pub fn blocked(&self) -> Option<String> {
        self.life.blocked()
    }

    /// Whether nothing it offers is listed, and why.
    pub fn closed(&self) -> Option<String> {
        match self.life.state() {
            State::Stopping => Some("it is being stopped".to_owned()),
            State::Stopped => Some("it is stopped".to_owned()),
            State::Loaded if self.waits_for_operator() => {
                Some("it is started by the operator, and has not been yet".to_owned())
            }
            State::Unavailable => self.blocked(),
            _ => None,
        }
    }

    /// Whether nobody can say what it offers before it is first used: it starts at its first use, and its manifest
    /// declares no tool. A list is a use of such a plugin.
    pub(super) fn is_asleep_and_unknown(&self) -> bool {
        let declared = self.declared.list(ListKind::Tools);
        self.manifest.load == Load::Lazy
            && self.life.state() == State::Loaded
            && declared.definitions.is_empty()
            && !self.is_known()
            && self.withheld().is_none()
    }

    fn waits_for_operator(&self) -> bool {
        self.manifest.load == Load::Manual && self.life.state() == State::Loaded
    }

    /// Whether it is no longer in the registry, or another is there in its place. Calls that hold a permit of its gate
    /// and have seen that it had not left are among those that its stop waits for.
    pub fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    /// Says that it is no longer in the registry. Before it stops, and after the one in its place is there.
    pub(super) fn leave(&self) {
        self.left.store(true, Ordering::Release);
    }

    /// Starts it so that its surface is known, unless that is the operator's business.
    pub async fn warm(&self) -> Result<(), Fault> {
        if let Some(why) = self.closed() {
            return Err(self.refusal(&why));
        }
        self.pool.warm().await
    }

    /// Lets a call through the breaker, where it has one.
    pub fn enter(&self) -> Result<Option<Pass>, Fault> {
        let entered = self.breaker.as_ref().map(|breaker| breaker.enter());
        entered.transpose()
    }

    /// The fault of whoever wants something of it that it does not do now.
    pub fn refusal(&self, why: &str) -> Fault {
        let message = format!("plugin `{}`: {why}", self.manifest.id);
        Fault::new(FaultKind::Unavailable, message)
    }

    /// Starts it anew: whatever failed before is forgotten.
    pub async fn start(&self) -> Result<(), StartError> {
        self.may_start().map_err(StartError::InvalidState)?;
        self.life.reset();
        self.pool.open();
        if let Some(breaker) = &self.breaker {
            breaker.close();
        }
        self.pool.warm().await.map_err(StartError::Failed)?;
        self.life.started();
        Ok(())
    }

    /// Says what it needs and is not registered, or needs it in turn.
    pub(super) fn lack(&self, why: Option<String>) {
        self.life.set_absent(why, self.pool.is_running());
    }

    /// Says what it needs and does not run.
    pub(super) fn wait_for(&self, why: Option<String>) {
        self.life.set_waits(why, self.pool.is_running());
    }

    /// Whether those that need it may start.
    pub(super) fn is_there(&self) -> bool {
        self.life.state() == State::Active
    }

    /// Whether it was stopped, or is about to be.
    pub fn is_stopped(&self) -> bool {
        matches!(self.life.state(), State::Stopping | State::Stopped)
    }

    /// Whether it stands where it can be started from.
    pub fn may_start(&self) -> Result<(), InvalidState> {
        let signal = Signal::Start;
        match self.life.state() {
            state @ (State::Active | State::Stopping) => Err(InvalidState { state, signal }),
            _ => Ok(()),
        }
    }

    /// Stops it: takes no new calls, lets those that run come to their end for as long as `drain`, then ends all
    /// instances. It has stopped whatever went wrong, which is what is given back.
    pub async fn stop(&self, drain: Duration) -> Vec<Fault> {
        let stops = self.life.on(Signal::Stop).is_ok();
        if !drain.is_zero() {
            tokio::time::timeout(drain, self.gate.drained()).await.ok();
        }
        let faults = self.pool.stop().await;
        if stops {
            self.life.ended(faults.first());
            self.pool.tell_stopped();
            let id = self.id();
            tracing::debug!(plugin.id = %id, step = "routes", "Stops `{id}`");
        }
        faults
    }
}

impl Plugin {
    /// Stops it for the operator, wherever it stands: what does not run is not started any more either. Says whether there
    /// was anything to stop.
    pub async fn halt(&self, drain: Duration) -> Result<(), InvalidState> {
        match self.life.state() {
            State::Active => drop(self.stop(drain).await),
            state @ (State::Stopping | State::Stopped) => {
                let signal = Signal::Stop;
                return Err(InvalidState { state, signal });
            }
            _ => {
                self.pool.close();
                // A start that comes to its end just now is ended, too.
                self.life.on(Signal::Halt).ok();
                self.stop(Duration::ZERO).await;
            }
        }
        Ok(())
    }
}

/// Why a plugin could not be started.
#[derive(Debug)]
pub enum StartError {
    /// It is not in a state to be started from.
    InvalidState(InvalidState),
    /// It failed.
    Failed(Fault),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InvalidState(err) => err.fmt(f),
            Self::Failed(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Builtin => f.write_str("built in"),
            Self::Folder(path) | Self::Config(path) => path.display().fmt(f),
        }
    }
}

fn declared(manifest: &Manifest) -> Surface {
    let mut listing = Listing::default();
    for tool in &manifest.tools {
        if tool.input_schema.is_some() {
            let definition = Json::of(
                &serde_json::json!({ "name": tool.name, "inputSchema": tool.input_schema }),
            );
            listing.add(ListKind::Tools, &definition, &manifest.limits);
        }
    }
    let mut surface = Surface::default();
    surface.set(ListKind::Tools, Arc::new(listing));
    surface
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pool")
    }
}
