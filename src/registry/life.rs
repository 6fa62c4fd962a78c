//! Where a plugin stands in its life: a pure machine of states and signals. Health stands beside it, never in it.

pub mod record;

use serde::Serialize;

/// Where a plugin stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Found, and something that it needs to run is not there: its program, or a manifest that can be read.
    Incomplete,
    /// Found, and it has to be built first.
    SourceOnly,
    /// Found, and it can be registered.
    Available,
    /// Found, and the operator does not want it.
    Disabled,
    /// Registered; nothing of it runs.
    Loaded,
    /// It has its configuration and is about to start.
    Initialized,
    /// It takes calls. An instance runs, or the next call starts one.
    Active,
    /// It is being stopped; calls that run come to their end.
    Stopping,
    /// The operator stopped it, or the gateway.
    Stopped,
    /// It failed: a hook, its start, or too many crashes.
    Error,
    /// Something that it needs is not there: a plugin, a runtime, the remote server.
    Unavailable,
}

/// What happens to a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Its build has come to a good end.
    Built,
    /// It is taken into the registry.
    Register,
    /// It is taken out of the registry.
    Unregister,
    /// It has taken its configuration.
    Initialize,
    /// It takes calls from now on.
    Start,
    /// It is to stop.
    Stop,
    /// It has come to its end.
    End,
    /// The operator takes back what was to run and does not, or not well.
    Halt,
    /// A hook of it failed; `handled` when the plugin itself has dealt with that.
    Fail {
        /// Whether it can go on from where it stood.
        handled: bool,
    },
    /// It ended by itself; `spent` when it is not started again.
    Crash {
        /// Whether it has crashed too often.
        spent: bool,
    },
    /// Something that it needs is not there.
    Miss,
    /// What it missed is there, or the operator wants it tried anew.
    Reset,
}

/// A signal that does not fit the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidState {
    /// Where the plugin stands.
    pub state: State,
    /// What was to happen.
    pub signal: Signal,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Incomplete,
        Self::SourceOnly,
        Self::Available,
        Self::Disabled,
        Self::Loaded,
        Self::Initialized,
        Self::Active,
        Self::Stopping,
        Self::Stopped,
        Self::Error,
        Self::Unavailable,
    ];

    /// Where a plugin in this state stands after `signal`.
    pub fn on(self, signal: Signal) -> Result<Self, InvalidState> {
        use State::{
            Active, Available, Error, Initialized, Loaded, SourceOnly, Stopped, Stopping,
            Unavailable,
        };
        Ok(match (self, signal) {
            (SourceOnly, Signal::Built) => Available,
            (Available, Signal::Register) => Loaded,
            (state, Signal::Unregister) if state.is_registered() => Available,
            (Loaded, Signal::Initialize) => Initialized,
            (Initialized | Stopped, Signal::Start) => Active,
            (Active, Signal::Stop) => Stopping,
            (Stopping, Signal::End) => Stopped,
            (Loaded | Initialized | Error | Unavailable, Signal::Halt) => Stopped,
            // A plugin that cannot even stop well has stopped.
            (Stopping, Signal::Fail { .. }) => Stopped,
            (Loaded | Initialized | Active | Stopped, Signal::Fail { handled: true }) => self,
            (Loaded | Initialized | Active | Stopped, Signal::Fail { handled: false }) => Error,
            (Active, Signal::Crash { spent: false }) => Active,
            (Active, Signal::Crash { spent: true }) => Error,
            (Loaded | Initialized | Active | Error, Signal::Miss) => Unavailable,
            (Error | Unavailable, Signal::Reset) => Loaded,
            (state, signal) => return Err(InvalidState { state, signal }),
        })
    }

    /// Whether a plugin in this state is in the registry.
    pub fn is_registered(self) -> bool {
        match self {
            Self::Incomplete | Self::SourceOnly | Self::Available | Self::Disabled => false,
            Self::Loaded
            | Self::Initialized
            | Self::Active
            | Self::Stopping
            | Self::Stopped
            | Self::Error
            | Self::Unavailable => true,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::SourceOnly => "source_only",
            Self::Available => "available",
            Self::Disabled => "disabled",
            Self::Loaded => "loaded",
            Self::Initialized => "initialized",
            Self::Active => "active",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Error => "error",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Signal {
    fn verb(self) -> &'static str {
        match self {
            Self::Built => "build",
            Self::Register => "register",
            Self::Unregister => "unregister",
            Self::Initialize => "initialize",
            Self::Start => "start",
            Self::Stop | Self::End | Self::Halt => "stop",
            Self::Fail { .. } | Self::Crash { .. } | Self::Miss => "fail",
            Self::Reset => "reset",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::fmt::Display for InvalidState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (verb, state) = (self.signal.verb(), self.state);
        write!(f, "Cannot {verb} plugin in state `{state}`")
    }
}

impl std::error::Error for InvalidState {}

#[cfg(test)]
mod tests {
    use super::State::{
        Active, Available, Error, Initialized, Loaded, SourceOnly, Stopped, Stopping, Unavailable,
    };
    use super::*;

    /// Which states a signal is for, and where it leads.
    fn check(signal: Signal, expect: &[(State, State)]) {
        let found: Vec<_> = State::ALL
            .into_iter()
            .filter_map(|state| Some((state, state.on(signal).ok()?)))
            .collect();
        assert_eq!(found, expect, "{signal:?}");
    }

    #[test]
    fn every_signal_leads_where_it_should() {
        let any = [
            Loaded,
            Initialized,
            Active,
            Stopping,
            Stopped,
            Error,
            Unavailable,
        ];
        check(Signal::Built, &[(SourceOnly, Available)]);
        check(Signal::Register, &[(Available, Loaded)]);
        check(Signal::Unregister, &any.map(|state| (state, Available)));
        check(Signal::Initialize, &[(Loaded, Initialized)]);
        check(Signal::Start, &[(Initialized, Active), (Stopped, Active)]);
        check(Signal::Stop, &[(Active, Stopping)]);
        check(Signal::End, &[(Stopping, Stopped)]);
        check(
            Signal::Halt,
            &[Loaded, Initialized, Error, Unavailable].map(|state| (state, Stopped)),
        );
        check(
            Signal::Fail { handled: false },
            &[
                (Loaded, Error),
                (Initialized, Error),
                (Active, Error),
                (Stopping, Stopped),
                (Stopped, Error),
            ],
        );
        check(
            Signal::Fail { handled: true },
            &[
                (Loaded, Loaded),
                (Initialized, Initialized),
                (Active, Active),
                (Stopping, Stopped),
                (Stopped, Stopped),
            ],
        );
        check(Signal::Crash { spent: false }, &[(Active, Active)]);
        check(Signal::Crash { spent: true }, &[(Active, Error)]);
        check(
            Signal::Miss,
            &[Loaded, Initialized, Active, Error].map(|state| (state, Unavailable)),
        );
        check(Signal::Reset, &[(Error, Loaded), (Unavailable, Loaded)]);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let err = Active.on(Signal::Start).expect_err("it runs already");
        assert_eq!(err.to_string(), "Cannot start plugin in state `active`");
    }
}
