//! The MCP client that the runtimes share: handshakes of both eras, and what goes on with each request.

use std::time::Duration;

use futures::FutureExt;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::manifest::Era as EraChoice;
use crate::model::answer::{Answer, kind_of};
use crate::model::caller::ClientProfile;
use crate::model::fault::{Fault, FaultKind};
use crate::runtime::link::{Link, ask};
use crate::runtime::subscribed::{Subscribed, Unwatched};
use crate::runtime::surface::without;
use crate::runtime::{CallContext, Host, Request};
use crate::wire::error::{
    INTERNAL_ERROR, METHOD_NOT_FOUND, RpcError, UNSUPPORTED_PROTOCOL_VERSION,
};
use crate::wire::json::Json;
use crate::wire::list::Topic;
use crate::wire::members::Members;
use crate::wire::message::{Outcome, Params};
use crate::wire::meta;
use crate::wire::method::Method;
use crate::wire::revision::{Era, Revision};

/// What the handshake found out about a server.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// The revision spoken with it.
    pub(crate) revision: Revision,
    /// Its capabilities, an object.
    pub(crate) capabilities: Json,
    /// What it says about its use.
    pub(crate) instructions: Option<String>,
    /// What else it said: `_meta`, members that are not known here.
    pub(crate) greeting: Members,
}

/// The members of the answers to `initialize` and `server/discover` that mean something here.
const GREETING: [&str; 5] = [
    "protocolVersion",
    "supportedVersions",
    "capabilities",
    "serverInfo",
    "instructions",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InitializeResult {
    protocol_version: String,
    #[serde(default)]
    capabilities: Option<Json>,
    instructions: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DiscoverResult {
    supported_versions: Vec<String>,
    #[serde(default)]
    capabilities: Option<Json>,
    instructions: Option<String>,
}

#[derive(Deserialize)]
struct UnsupportedVersion {
    supported: Vec<String>,
}

/// The reason of a fault that the question for the era may have caused.
pub(crate) const PROBE_FAILED: &str = "probe_failed";

/// The reason of a fault of a server that answers `initialize` with an error: it may speak the other era.
pub(crate) const REFUSED: &str = "handshake_refused";

/// What became of a probe for the modern era.
pub(crate) enum Probe {
    /// The server is modern.
    Modern(Peer),
    /// It answered in a way that only a legacy server does.
    Legacy,
    /// It did not answer, or ended: says nothing for good, but `initialize` is worth a try.
    Inconclusive(Fault),
}

impl Peer {
    /// The era spoken with it.
    pub(crate) fn era(&self) -> Era {
        self.revision.era()
    }

    /// Whether it declares the capability `name`.
    pub(crate) fn has(&self, name: &str) -> bool {
        Members::of(&self.capabilities).is_some_and(|found| found.get(name).is_some())
    }

    /// Whether it says that it tells of changes of these lists.
    pub(crate) fn tells_of(&self, topic: Topic) -> bool {
        self.says(topic.capability(), "listChanged")
    }

    /// Whether its resources can be watched.
    pub(crate) fn can_be_watched(&self) -> bool {
        self.says("resources", "subscribe")
    }

    fn says(&self, capability: &str, part: &str) -> bool {
        let known = Members::of(&self.capabilities);
        let parts = known.and_then(|known| Members::of(known.get(capability)?));
        parts.is_some_and(|parts| parts.get(part).is_some_and(Json::is_true))
    }

    /// The params of a request to this server: what belongs to the client's own hop is written anew for this one.
    pub(crate) fn outgoing(
        &self,
        mut params: Params,
        call: Option<&CallContext>,
        host: &Host,
    ) -> Params {
        match self.era() {
            Era::Legacy => params
                .meta
                .retain(|key| !meta::PER_HOP.iter().any(|hop| hop.as_bytes() == key)),
            Era::Modern => stamp(
                &mut params,
                self.revision,
                call.map(|call| &*call.profile),
                host,
            ),
        }
        if let (Era::Modern, Some(level)) = (self.era(), call.and_then(|call| call.log_level)) {
            params.meta.set(meta::LOG_LEVEL, Json::of(level.as_str()));
        }
        params
    }

    /// Watches a resource of a modern server, or ends that: it has no such requests, but one subscription for
    /// everything. `None` for everything else.
    pub(crate) async fn watch(
        &self,
        request: &Request,
        subscribed: &Subscribed,
    ) -> Option<Result<Answer, Fault>> {
        let begin = match request.method {
            Method::ResourcesSubscribe => true,
            Method::ResourcesUnsubscribe => false,
            _ => return None,
        };
        if self.era() == Era::Legacy {
            return None;
        }
        let uri = request.params.members.string("uri").unwrap_or_default();
        let error = |code, text: &str| Answer::error(RpcError::new(code, text), self.era());
        Some(Ok(if !self.can_be_watched() {
            error(
                METHOD_NOT_FOUND,
                "the resources of this plugin cannot be watched",
            )
        } else if !begin {
            subscribed.leave(&uri).await;
            Answer::result(Json::literal("{}"), Era::Legacy)
        } else {
            match subscribed.add(&uri).await {
                Ok(()) => Answer::result(Json::literal("{}"), Era::Legacy),
                Err(Unwatched::TooMany) => error(
                    INTERNAL_ERROR,
                    "too many resources of this plugin are watched",
                ),
                Err(Unwatched::Refused) => error(
                    INTERNAL_ERROR,
                    "the plugin refused to tell of changes of this resource",
                ),
            }
        }))
    }

    /// The answer in an outcome; a modern result of a kind that the protocol does not have breaks it.
    pub(crate) fn answer(&self, outcome: Outcome) -> Result<Answer, Fault> {
        if let Outcome::Result(reply) = &outcome
            && self.era() == Era::Modern
            && kind_of(reply).is_none()
        {
            let kind = reply.result_type.as_deref().unwrap_or_default();
            return Err(broken(format!(
                "the plugin answered with the unknown resultType `{kind}`"
            )));
        }
        Ok(Answer {
            outcome,
            era: self.era(),
        })
    }
}

/// Shakes hands as `choice` says. With `Auto` the era that the host prefers is tried first.
///
/// A server that is silent at the probe for the modern era is asked to `initialize`: it may only be slow to start, as
/// one is whose packages are being fetched, and must not lose what it has done so far. If it answers the probe after all,
/// or refuses to `initialize` and answers another, it is modern. One that dies of the probe is a fault of the reason
/// [`PROBE_FAILED`]: it is to be started again and shaken hands with as a legacy one.
pub(crate) async fn open(
    link: &dyn Link,
    choice: EraChoice,
    host: &Host,
    deadline: Duration,
) -> Result<Peer, Fault> {
    match (choice, host.prefer) {
        (EraChoice::Legacy, _) => initialize(link, host, deadline).await,
        (EraChoice::Modern, _) => match discover(link, host, deadline).await {
            Probe::Modern(peer) => Ok(peer),
            Probe::Legacy => Err(Fault::new(
                FaultKind::Unavailable,
                "the plugin does not speak the modern era that its manifest asks for; set `era = \"auto\"`",
            )),
            Probe::Inconclusive(fault) => Err(fault),
        },
        (EraChoice::Auto, Era::Legacy) => initialize_first(link, host, deadline).await,
        (EraChoice::Auto, Era::Modern) => discover_first(link, host, deadline).await,
    }
}

/// Asks for the legacy era, and for the modern one where that is refused.
pub(crate) async fn initialize_first(
    link: &dyn Link,
    host: &Host,
    deadline: Duration,
) -> Result<Peer, Fault> {
    match initialize(link, host, deadline).await {
        Err(fault) if is_refusal(&fault) => match discover(link, host, deadline).await {
            Probe::Modern(peer) => Ok(peer),
            Probe::Legacy | Probe::Inconclusive(_) => Err(fault),
        },
        opened => opened,
    }
}

/// Asks for the modern era, and for the legacy one where the answer says so or has not come within a third of the
/// deadline. The answer counts all the same when it comes later.
async fn discover_first(link: &dyn Link, host: &Host, deadline: Duration) -> Result<Peer, Fault> {
    let until = Instant::now() + deadline;
    let probe = discover(link, host, deadline).fuse();
    tokio::pin!(probe);
    match tokio::time::timeout(deadline / 3, &mut probe).await {
        Ok(Probe::Modern(peer)) => return Ok(peer),
        Ok(Probe::Legacy) => return initialize(link, host, deadline).await,
        Ok(Probe::Inconclusive(fault)) => return Err(fault.because(PROBE_FAILED)),
        Err(_) => {}
    }
    let opened = tokio::select! {
        biased;
        // It was slow. What it says to `initialize` is of no interest any more.
        Probe::Modern(peer) = &mut probe => return Ok(peer),
        opened = initialize(link, host, deadline / 3 * 2) => opened,
    };
    let fault = match opened {
        Err(fault) if is_refusal(&fault) => fault,
        opened => return opened,
    };
    // Half of what is left, so that there is time to tell of the refusal.
    let left = until.saturating_duration_since(Instant::now()) / 2;
    tokio::select! {
        biased;
        Probe::Modern(peer) = &mut probe => Ok(peer),
        again = discover(link, host, left) => match again {
            Probe::Modern(peer) => Ok(peer),
            Probe::Legacy | Probe::Inconclusive(_) => Err(fault),
        },
    }
}

/// Whether a server that failed `initialize` so may speak the other era.
fn is_refusal(fault: &Fault) -> bool {
    matches!(fault.reason, REFUSED | "upstream_4xx")
}

/// Asks `server/discover` (MCP 2026-07-28, versioning).
pub(crate) async fn discover(link: &dyn Link, host: &Host, deadline: Duration) -> Probe {
    let mut params = Params::default();
    stamp(&mut params, Revision::NEWEST, Some(&host.profile), host);
    match ask(link, &Method::Discover, params, deadline).await {
        Ok(Outcome::Result(reply)) => match reply.result.parse::<DiscoverResult>() {
            Ok(found) => match common(&found.supported_versions) {
                Some(revision) => Probe::Modern(Peer {
                    revision,
                    capabilities: found.capabilities.unwrap_or_else(|| Json::literal("{}")),
                    instructions: found.instructions,
                    greeting: greeting(&reply.result),
                }),
                None => Probe::Legacy,
            },
            Err(_) => Probe::Legacy,
        },
        Ok(Outcome::Error(error)) => after_error(&error),
        Err(fault) => Probe::Inconclusive(fault),
    }
}

fn greeting(result: &Json) -> Members {
    without(&Members::of(result).unwrap_or_default(), &GREETING)
}

fn after_error(error: &RpcError) -> Probe {
    if error.code == UNSUPPORTED_PROTOCOL_VERSION {
        let supported = error
            .data
            .as_ref()
            .and_then(|data| data.parse::<UnsupportedVersion>().ok());
        let revision = supported.and_then(|data| common(&data.supported));
        return match revision {
            Some(revision) => Probe::Modern(Peer {
                revision,
                capabilities: Json::literal("{}"),
                instructions: None,
                greeting: Members::default(),
            }),
            None => Probe::Legacy,
        };
    }
    if error.is_modern() {
        // It refuses us, in words that only a modern server has; what it lacks it will say again.
        return Probe::Modern(Peer {
            revision: Revision::NEWEST,
            capabilities: Json::literal("{}"),
            instructions: None,
            greeting: Members::default(),
        });
    }
    Probe::Legacy
}

/// The newest modern revision that both sides speak.
fn common(supported: &[String]) -> Option<Revision> {
    let known = supported.iter().filter_map(|name| Revision::of(name));
    known.filter(|revision| revision.era() == Era::Modern).max()
}

/// Shakes hands with `initialize` (MCP 2025-11-25, lifecycle).
pub(crate) async fn initialize(
    link: &dyn Link,
    host: &Host,
    deadline: Duration,
) -> Result<Peer, Fault> {
    // A client that has the server to itself is the one that the server should see.
    let client = &*host.profile;
    let own = host.session.as_ref().and(client.info.as_ref());
    let info = own.cloned().unwrap_or_else(|| own_info(host));
    let params = Params::of(&json!({
        "protocolVersion": client.revision.min(Revision::NEWEST_LEGACY).as_str(),
        "capabilities": client.told_to(Era::Legacy),
        "clientInfo": info,
    }));
    let result = match ask(link, &Method::Initialize, params, deadline).await? {
        Outcome::Result(reply) => reply.result,
        Outcome::Error(error) => {
            let message = format!(
                "the plugin refused `initialize`: {} ({})",
                error.message, error.code
            );
            return Err(Fault::new(FaultKind::Unavailable, message).because(REFUSED));
        }
    };
    let found: InitializeResult = result
        .parse()
        .map_err(|err| broken("the plugin's answer to `initialize` is malformed").caused_by(err))?;
    let revision =
        Revision::of(&found.protocol_version).filter(|revision| revision.era() == Era::Legacy);
    let Some(revision) = revision else {
        let message = format!(
            "the plugin speaks revision `{}`, which is not known here",
            found.protocol_version
        );
        return Err(Fault::new(FaultKind::Unavailable, message));
    };
    link.agreed(revision);
    link.notify(&Method::Initialized, Params::default()).await?;
    let capabilities = found.capabilities.unwrap_or_else(|| Json::literal("{}"));
    Ok(Peer {
        revision,
        capabilities,
        instructions: found.instructions,
        greeting: greeting(&result),
    })
}

/// Writes what every modern request carries.
fn stamp(params: &mut Params, revision: Revision, client: Option<&ClientProfile>, host: &Host) {
    params
        .meta
        .set(meta::PROTOCOL_VERSION, Json::of(revision.as_str()));
    let capabilities =
        client.map_or_else(|| Json::literal("{}"), |client| client.told_to(Era::Modern));
    params.meta.set(meta::CLIENT_CAPABILITIES, capabilities);
    let info = client
        .and_then(|client| client.info.clone())
        .unwrap_or_else(|| own_info(host));
    params.meta.set(meta::CLIENT_INFO, info);
}

fn own_info(host: &Host) -> Json {
    Json::of(&json!({ "name": "toolgate", "version": host.version }))
}

/// The plugin broke the protocol.
pub(crate) fn broken(message: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Broken, message).because("protocol_error")
}

#[cfg(test)]
mod tests;
