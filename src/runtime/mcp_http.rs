//! Plugins that are remote MCP servers, reached over streamable HTTP in both eras.

mod connect;

mod trouble;

mod hold;

mod endpoint;

mod head;

mod mirror;

mod outbound;

mod answer;

mod link;

mod exchange;

mod resume;

mod rewatch;

mod incoming;

mod changes;

mod remote;

pub(crate) use outbound::outbound;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::Uri;
use tower::Service;

use crate::manifest::runtime::McpHttp as Section;
use crate::manifest::{Era as EraChoice, Manifest};
use crate::model::fault::{Fault, FaultKind};
use crate::runtime::client::{Peer, Probe, discover, initialize, initialize_first, open};
use crate::runtime::mcp_http::changes::Pace;
use crate::runtime::mcp_http::connect::{Connector, Http, Tls};
use crate::runtime::mcp_http::endpoint::Endpoint;
use crate::runtime::mcp_http::hold::{BUSY, Holds};
use crate::runtime::mcp_http::link::HttpLink;
use crate::runtime::mcp_http::remote::Remote;
use crate::runtime::{Host, Instance, Runtime};
use crate::wire::revision::Era;

/// Reaches remote servers. All plugins share its pool of connections.
#[derive(Default)]
pub struct McpHttp {
    tls: Tls,
    pace: Pace,
    holds: Holds,
    /// One client for each time that connecting may take, in milliseconds.
    clients: Mutex<HashMap<u64, Http>>,
    /// Endpoints that are known to speak the legacy era. What was not conclusive is not kept.
    legacy: Mutex<HashSet<Uri>>,
}

impl McpHttp {
    /// A runtime that trusts the certificates that this machine trusts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a connection to the server of `section` as a start would, TLS included, and closes it: whether there is one
    /// within `budget`. Nothing is asked. Faults begin after the plugin's name; their reasons are those of a start:
    /// `dns_failure`, `address_refused`, `connect_…`, `tls_…`.
    pub async fn reach(&self, section: &Section, budget: Duration) -> Result<(), Fault> {
        let mut connector = Connector::new(&self.tls, budget);
        let reached = connector.call(section.url.uri().clone()).await;
        reached
            .map(drop)
            .map_err(|err| Fault::new(FaultKind::Unavailable, err.to_string()).because(err.reason))
    }

    fn client(&self, connect_timeout_ms: u64) -> Http {
        let mut clients = self.clients.lock().expect("no holder of this lock panics");
        let budget = Duration::from_millis(connect_timeout_ms);
        clients
            .entry(connect_timeout_ms)
            .or_insert_with(|| connect::client(&self.tls, budget))
            .clone()
    }

    async fn attempt(&self, manifest: &Manifest, host: &Host) -> Result<Arc<Remote>, Fault> {
        let section = manifest.mcp_http.as_ref().ok_or_else(|| {
            let message = format!("plugin `{}` has no [mcp_http] section", manifest.id);
            Fault::new(FaultKind::Unavailable, message)
        })?;
        let limits = &manifest.limits;
        let endpoint = Endpoint::new(
            &manifest.id,
            section,
            limits.max_message_bytes,
            host.version,
            self.client(section.connect_timeout_ms),
            self.holds.of(&manifest.id, section.url.uri()),
        )?;
        let host = Host {
            supervisor: host.supervisor.child(),
            ..host.clone()
        };
        let start_timeout = Duration::from_millis(limits.start_timeout_ms);
        let link = HttpLink::new(endpoint, host, start_timeout, self.pace);
        let starting = Starting(Some(Arc::clone(&link)));
        let peer = self
            .shake_hands(&link, manifest.era, section.url.uri(), start_timeout)
            .await
            .map_err(|fault| link.endpoint.upstream.named(fault))?;
        let remote = Remote::open(link, peer, limits.clone()).await?;
        starting.done();
        Ok(remote)
    }

    /// Finds out the era and opens a session where there are sessions (MCP 2026-07-28, streamable HTTP, backward
    /// compatibility).
    async fn shake_hands(
        &self,
        link: &HttpLink,
        choice: EraChoice,
        uri: &Uri,
        deadline: Duration,
    ) -> Result<Peer, Fault> {
        let host = link.greeting_host();
        if host_prefers_legacy(link, choice) {
            let found = open(link, choice, &host, deadline).await;
            if let Ok(peer) = &found {
                link.adopt(peer);
            }
            return found;
        }
        let is_legacy = choice == EraChoice::Auto && self.legacy().contains(uri);
        let mut conclusive = false;
        let found = match choice {
            EraChoice::Auto if !is_legacy => match discover(link, &host, deadline / 3).await {
                Probe::Modern(peer) => Ok(peer),
                Probe::Inconclusive(fault) if is_final(&fault) => return Err(fault),
                probe => {
                    conclusive = match probe {
                        Probe::Inconclusive(fault) => fault.reason == "upstream_4xx",
                        Probe::Legacy | Probe::Modern(_) => true,
                    };
                    match conclusive {
                        true => initialize(link, &host, deadline).await,
                        // It may only have been slow.
                        false => initialize_first(link, &host, deadline).await,
                    }
                }
            },
            EraChoice::Auto => open(link, EraChoice::Legacy, &host, deadline).await,
            choice => open(link, choice, &host, deadline).await,
        };
        match &found {
            Ok(peer) => {
                link.adopt(peer);
                if conclusive && peer.era() == Era::Legacy {
                    self.legacy().insert(uri.clone());
                }
            }
            Err(_) => drop(self.legacy().remove(uri)),
        }
        found
    }

    fn legacy(&self) -> std::sync::MutexGuard<'_, HashSet<Uri>> {
        self.legacy.lock().expect("no holder of this lock panics")
    }
}

fn host_prefers_legacy(link: &HttpLink, choice: EraChoice) -> bool {
    choice == EraChoice::Auto && link.host.prefer == Era::Legacy
}

/// Whether asking in another way is of no use: the server was not reached, or wants something else first.
fn is_final(fault: &Fault) -> bool {
    matches!(
        fault.reason,
        "dns_failure" | "address_refused" | "redirect_refused" | "upstream_auth" | BUSY
    ) || fault.reason.starts_with("connect_")
        || fault.reason.starts_with("tls_")
}

#[async_trait]
impl Runtime for McpHttp {
    async fn start(&self, manifest: Arc<Manifest>, host: Host) -> Result<Arc<dyn Instance>, Fault> {
        let deadline_ms = manifest.limits.start_timeout_ms;
        let attempt = self.attempt(&manifest, &host);
        let started = tokio::time::timeout(Duration::from_millis(deadline_ms), attempt).await;
        let remote = started.unwrap_or_else(|_| {
            let message = format!(
                "plugin `{}` did not start within {deadline_ms} ms",
                manifest.id
            );
            Err(Fault::new(FaultKind::Unavailable, message).because("start_timeout"))
        })?;
        Ok(remote)
    }

    fn is_ours(&self) -> bool {
        false
    }
}

/// Leaves nothing behind of a start that does not come to its end: no task, and no session on the server.
struct Starting(Option<Arc<HttpLink>>);

impl Starting {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        let Some(link) = self.0.take() else { return };
        link.closed.cancel();
        let supervisor = link.host.supervisor.clone();
        supervisor.stopping().cancel();
        drop(supervisor.spawn_request(async move { link.say_goodbye().await }));
    }
}

#[cfg(test)]
mod tests;
