//! The life of one plugin so far: its state, its last trouble, how long things took.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::model::fault::Fault;
use crate::model::plugin_id::PluginId;
use crate::registry::life::{InvalidState, Signal, State};
use crate::runtime::{Milestone, RUNTIME_MISSING};

/// The life of one plugin. All that must agree sits behind one lock.
#[derive(Debug)]
pub struct Life {
    id: PluginId,
    record: Mutex<Record>,
    /// The state as it changes; one who comes late sees the latest only.
    state: watch::Sender<State>,
}

#[derive(Debug)]
struct Record {
    state: State,
    blocks: Blocks,
    error: Option<String>,
    error_count: u64,
    restarts: u64,
    active_since: Option<Instant>,
    /// When it came to its state.
    since: Instant,
    times: Times,
}

/// What keeps a plugin from being started.
#[derive(Debug, Default)]
struct Blocks {
    /// It can never run as it is configured.
    unfit: Option<String>,
    /// What it needs is not registered, or needs it in turn.
    absent: Option<String>,
    /// What it needs does not run.
    waits: Option<String>,
}

/// How long the latest start took, step by step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Until the plugin was there: made, or spawned and its hand shaken.
    pub load: Option<Duration>,
    /// From there until it had its configuration and its lists were known.
    pub init: Option<Duration>,
}

/// A life at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Where the plugin stands.
    pub state: State,
    /// What is wrong with it, or was when it stopped.
    pub error: Option<String>,
    /// How often something of it failed.
    pub error_count: u64,
    /// How often it was started again after it had ended by itself.
    pub restarts: u64,
    /// How long it has been active; nothing when it is not.
    pub uptime: Duration,
    /// How long it has been in this state.
    pub in_state: Duration,
    /// How long its latest start took.
    pub times: Times,
}

impl Life {
    /// That of a plugin that has just been registered; `unfit` says why it can never run as it is configured.
    pub fn new(id: PluginId, unfit: Option<String>) -> Self {
        let state = match unfit {
            Some(_) => State::Unavailable,
            None => State::Loaded,
        };
        let record = Record {
            state,
            error: unfit.clone(),
            blocks: Blocks {
                unfit,
                ..Blocks::default()
            },
            error_count: 0,
            restarts: 0,
            active_since: None,
            since: Instant::now(),
            times: Times::default(),
        };
        Self {
            id,
            record: Mutex::new(record),
            state: watch::Sender::new(state),
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().expect("no holder of this lock panics")
    }

    /// Where the plugin stands.
    pub fn state(&self) -> State {
        *self.state.borrow()
    }

    /// The state and its changes.
    pub fn changes(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// All of it at this moment.
    pub fn snapshot(&self) -> Snapshot {
        let record = self.record();
        Snapshot {
            state: record.state,
            error: record.error.clone(),
            error_count: record.error_count,
            restarts: record.restarts,
            uptime: record
                .active_since
                .map_or(Duration::ZERO, |since| since.elapsed()),
            in_state: record.since.elapsed(),
            times: record.times,
        }
    }

    /// What is wrong with it.
    pub fn error(&self) -> Option<String> {
        self.record().error.clone()
    }

    /// Takes `signal` in, if it fits.
    pub fn on(&self, signal: Signal) -> Result<State, InvalidState> {
        let mut record = self.record();
        self.step(&mut record, signal)?;
        Ok(record.state)
    }

    fn step(&self, record: &mut Record, signal: Signal) -> Result<(), InvalidState> {
        let before = record.state;
        let now = before.on(signal)?;
        if now == before {
            return Ok(());
        }
        record.state = now;
        record.since = Instant::now();
        match now {
            State::Active => record.active_since = Some(Instant::now()),
            State::Stopping => {}
            _ => record.active_since = None,
        }
        tracing::debug!(plugin.id = %self.id, state = %now, "`{}` is {now}", self.id);
        self.state.send_replace(now);
        Ok(())
    }

    /// A start has come this far, after `took`.
    pub fn reached(&self, milestone: Milestone, took: Duration) {
        let mut record = self.record();
        match milestone {
            Milestone::Loaded => {
                record.times = Times {
                    load: Some(took),
                    init: None,
                };
            }
            Milestone::Initialized => {
                record.times.init = Some(took);
                // Later instances of a plugin that runs change nothing.
                self.step(&mut record, Signal::Initialize).ok();
            }
        }
    }

    /// An instance takes calls. Whatever kept it from that is over.
    pub fn started(&self) {
        let mut record = self.record();
        if record.state == State::Active {
            record.error = None;
            return;
        }
        // A start that went on by itself, after a failure or while the plugin had to wait for another.
        for signal in [Signal::Reset, Signal::Initialize, Signal::Start] {
            self.step(&mut record, signal).ok();
        }
        if record.state == State::Active {
            record.error = None;
        }
    }

    /// A start or a hook failed. `running` says that other instances take calls meanwhile: then the state stays.
    pub fn failed(&self, fault: &Fault, running: bool) {
        let mut record = self.record();
        record.error_count += 1;
        let handled = fault.reason == HANDLED;
        if handled {
            self.step(&mut record, Signal::Fail { handled }).ok();
            record.error = None;
            return;
        }
        record.error = Some(fault.to_string());
        if running {
            return;
        }
        let signal = match is_absence(fault) {
            true => Signal::Miss,
            false => Signal::Fail { handled },
        };
        self.step(&mut record, signal).ok();
    }

    /// An instance ended by itself. `spent` says that it is not started again for now.
    pub fn crashed(&self, fault: &Fault, spent: bool) {
        let mut record = self.record();
        record.error_count += 1;
        record.error = Some(fault.to_string());
        if !spent {
            record.restarts += 1;
        }
        self.step(&mut record, Signal::Crash { spent }).ok();
    }

    /// Why nothing of it is started: what it needs is not there, or it can never run.
    pub fn blocked(&self) -> Option<String> {
        self.record().blocks.why()
    }

    /// Whether it can never run, or lacks something that is not registered.
    pub fn is_lacking(&self) -> bool {
        let record = self.record();
        record.blocks.unfit.is_some() || record.blocks.absent.is_some()
    }

    /// What it needs is not registered, or is again.
    pub fn set_absent(&self, why: Option<String>, running: bool) {
        let mut record = self.record();
        record.blocks.absent = why;
        self.follow_blocks(&mut record, running);
    }

    /// What it needs does not run, or runs again.
    pub fn set_waits(&self, why: Option<String>, running: bool) {
        let mut record = self.record();
        record.blocks.waits = why;
        self.follow_blocks(&mut record, running);
    }

    /// What runs goes on, and what was stopped stays stopped, whatever is missing.
    fn follow_blocks(&self, record: &mut Record, running: bool) {
        match record.blocks.why() {
            Some(_) if running => {}
            Some(why) => {
                if self.step(record, Signal::Miss).is_ok() || record.state == State::Unavailable {
                    record.error = Some(why);
                }
            }
            None if record.state == State::Unavailable => {
                if self.step(record, Signal::Reset).is_ok() {
                    record.error = None;
                }
            }
            None => {}
        }
    }

    /// Whether nothing of it may be started, and why. It stands where that is said from then on.
    pub fn refuse(&self) -> Option<String> {
        let mut record = self.record();
        let why = record.blocks.why()?;
        self.follow_blocks(&mut record, false);
        Some(why)
    }

    /// It is to be tried anew, unless something is missing.
    pub fn reset(&self) {
        let mut record = self.record();
        if record.blocks.why().is_none() && self.step(&mut record, Signal::Reset).is_ok() {
            record.error = None;
        }
    }

    /// It has come to its end, well or with `fault`.
    pub fn ended(&self, fault: Option<&Fault>) {
        let mut record = self.record();
        if let Some(fault) = fault {
            record.error_count += 1;
            record.error = Some(fault.to_string());
        }
        self.step(&mut record, Signal::End).ok();
    }
}

impl Blocks {
    fn why(&self) -> Option<String> {
        let mut reasons = [&self.unfit, &self.absent, &self.waits].into_iter();
        reasons.find_map(Clone::clone)
    }
}

/// The reason of a failure that the plugin dealt with itself.
const HANDLED: &str = "hook_failed_handled";

/// Whether what failed is that something is not there, as opposed to the plugin being at fault.
fn is_absence(fault: &Fault) -> bool {
    matches!(fault.reason, "dns_failure" | RUNTIME_MISSING) || fault.reason.starts_with("connect_")
}
