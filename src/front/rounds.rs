//! Multi round-trip requests: calls that wait for answers of a modern client (MCP 2026-07-28).
//!
//! Nobody can send a request to a modern client. When a plugin asks in the middle of a call, the request that made the
//! call is answered with the question, and the call is **parked**: its work goes on without anyone who reads. The client
//! calls again with the answer and with a sealed `requestState` that names the parked call, and that request becomes the
//! next round of the same call. Every state is good for one round.

mod dialogue;

mod places;

mod questions;

mod queue;

mod round;

mod seal;

mod subject;

mod tasks;

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::front::config::RoundsConfig;
use crate::front::desk::Desk;
use crate::front::rounds::places::{Places, Refused, Slot};
use crate::front::rounds::queue::{Token, Wanted};
use crate::front::rounds::seal::{Seal, State};
use crate::front::rounds::subject::{Subject, may_be_parked};
use crate::model::caller::{Caller, ClientProfile};
use crate::wire::error::{INTERNAL_ERROR, INVALID_PARAMS, RpcError};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::Params;
use crate::wire::method::Method;

pub(crate) use dialogue::Dialogue;
pub(crate) use round::{Next, Round};
pub use tasks::Tasks;
pub(crate) use tasks::Watcher;

/// The calls of one front that wait for their clients.
pub struct Rounds {
    bounds: Bounds,
    seal: Seal,
    places: Arc<Places>,
}

/// The bounds of a table.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    max: usize,
    max_per_principal: usize,
    wait: Duration,
}

impl Rounds {
    /// An empty table. `are_named` says whether principals are more than one: where all are the same anonymous one, its
    /// share is all.
    pub fn new(config: &RoundsConfig, are_named: bool) -> Arc<Self> {
        Self::with(Bounds {
            max: config.max,
            max_per_principal: if are_named {
                config.max_per_principal
            } else {
                config.max
            },
            wait: Duration::from_millis(config.wait_ms),
        })
    }

    fn with(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            seal: Seal::new(),
            places: Places::new(bounds.max, bounds.max_per_principal),
        })
    }

    /// An empty table with the same bounds, for a client that shares its calls with nobody.
    pub(crate) fn alike(&self) -> Arc<Self> {
        Self::with(self.bounds)
    }

    /// How many calls wait for their clients.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the calls that wait, and lets no more wait: the gateway stops, nobody will come back.
    pub fn close(&self) {
        self.places.close(&stopping());
    }

    /// A new call. `tasks` are those that it becomes one of when it takes long, where it may.
    pub(crate) fn begin(
        self: &Arc<Self>,
        caller: &Arc<Caller>,
        profile: &Arc<ClientProfile>,
        request: (&Method, &Params),
        tasks: Option<Arc<Tasks>>,
        cancel: &CancellationToken,
    ) -> Arc<Dialogue> {
        let (method, params) = request;
        let wanted = Wanted {
            logs: Desk::modern_logs(params),
            token: Token::AsItComes,
        };
        let subject = Subject::new(caller, method, params);
        let profile = Arc::clone(profile);
        Dialogue::new((self, tasks), subject, profile, wanted, cancel.clone())
    }

    /// Looks whether a request is the next round of a call. `None`: it is a call by itself; a state of its plugin is
    /// opened in it. An error leaves the parked call as it is.
    pub(crate) fn receive(
        &self,
        caller: &Arc<Caller>,
        profile: &ClientProfile,
        method: &Method,
        params: &mut Params,
    ) -> Result<Option<Round>, RpcError> {
        let Some(state) = params.members.get("requestState") else {
            return Ok(None);
        };
        if !may_be_parked(method) {
            return Ok(None);
        }
        let Some(state) = state.string() else {
            return Err(invalid("`/params/requestState` must be a string"));
        };
        let subject = Subject::new(caller, method, params);
        let state = self.seal.open(&state, &subject.bound()).map_err(|why| {
            tracing::debug!("Refused a request state: {why}");
            invalid(&format!("`/params/requestState` is refused: {why}"))
        })?;
        match state {
            State::OfPlugin(state) => {
                params.members.set("requestState", Json::of(&state));
                Ok(None)
            }
            State::Parked { id, round } => {
                let responses = responses(params)?;
                let wanted = wanted(params);
                let parked = self.places.find(id);
                let next = parked.and_then(|call| call.resume(round, profile, wanted, &responses));
                match next {
                    Some(next) => Ok(Some(next)),
                    None => Err(invalid(
                        "`/params/requestState` is refused: it has been used already, or the call is over",
                    )),
                }
            }
        }
    }

    /// How long a call waits for its client.
    fn wait(&self) -> Duration {
        self.bounds.wait
    }

    fn seal(&self, state: &State, subject: &Subject, expires: Instant) -> String {
        self.seal.seal(state, &subject.bound(), expires)
    }

    /// The result of a modern plugin with its state sealed. Everything else in it is kept byte for byte.
    fn wrap(&self, result: &Json, subject: &Subject) -> Result<Bytes, RpcError> {
        let text = result.bytes();
        let members = Members::of(result).unwrap_or_default();
        let Some(state) = members.get("requestState") else {
            return Ok(text.clone());
        };
        let Some(plain) = state.string() else {
            let error = RpcError::new(INTERNAL_ERROR, "the plugin's `requestState` is no string");
            return Err(error.with_data(&json!({ "reason": "protocol_error" })));
        };
        let expires = Instant::now() + self.wait();
        let sealed = self.seal(&State::OfPlugin(plain.into_owned()), subject, expires);
        let start = state.bytes().as_ptr().addr() - text.as_ptr().addr();
        let end = start + state.bytes().len();
        Ok([
            &text[..start],
            b"\"",
            sealed.as_bytes(),
            b"\"",
            &text[end..],
        ]
        .concat()
        .into())
    }

    /// Finds a place for a call, within the bounds.
    fn admit(&self, call: &Weak<Dialogue>, principal: &Arc<str>) -> Result<Slot, RpcError> {
        self.places
            .admit(call, principal)
            .map_err(|refused| match refused {
                Refused::Closed => stopping(),
                Refused::Full(waiting) => {
                    let text = format!(
                        "the client cannot be asked: {waiting} calls wait for answers of their clients already"
                    );
                    let error = RpcError::new(INTERNAL_ERROR, text);
                    error.with_data(&json!({ "reason": "overloaded" }))
                }
            })
    }
}

/// The answers that a request brings.
pub(crate) fn responses(params: &Params) -> Result<Members, RpcError> {
    let Some(responses) = params.members.get("inputResponses") else {
        return Ok(Members::default());
    };
    let Some(responses) = Members::of(responses) else {
        return Err(invalid("`/params/inputResponses` must be an object"));
    };
    let wrong = responses.iter().find(|(_, answer)| !answer.is_object());
    if let Some((key, _)) = wrong {
        let key = String::from_utf8_lossy(key)
            .replace('~', "~0")
            .replace('/', "~1");
        let what = format!("`/params/inputResponses/{key}` must be an object");
        return Err(invalid(&what));
    }
    Ok(responses)
}

/// What a later round wants to be told.
fn wanted(params: &Params) -> Wanted {
    Wanted {
        logs: Desk::modern_logs(params),
        token: Token::Other(params.progress_token().map(Json::detached)),
    }
}

fn invalid(what: &str) -> RpcError {
    RpcError::new(INVALID_PARAMS, format!("Invalid params: {what}"))
}

fn stopping() -> RpcError {
    RpcError::new(
        INTERNAL_ERROR,
        "the client cannot be asked: the gateway is stopping",
    )
    .with_data(&json!({ "reason": "shutting_down" }))
}

#[cfg(test)]
mod tests;
