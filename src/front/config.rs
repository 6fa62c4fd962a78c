//! The settings of the fronts: `[server]` and `[auth]`.

mod auth;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

pub use crate::front::config::auth::{Algorithm, AuthConfig, JwtConfig, TokenConfig, TokenDigest};
use crate::session::streams::Replay;
use crate::session::table::Bounds;

/// The HTTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port to listen on. Anything but this machine needs a token in `[auth]`.
    #[serde(deserialize_with = "address")]
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// What clients reach it under, such as `https://gate.example`, where that is not the address it listens on: a proxy
    /// stands before it. Its host is one that clients may use. Tokens of an authorization server must be issued for this
    /// address with `/mcp` behind it.
    pub public_url: Option<String>,
    /// Host names clients may use, besides the loopback names and the listen address; `name` or `name:port`.
    pub allowed_hosts: Vec<String>,
    /// Origins browsers may come from, such as `https://example.com`.
    pub allowed_origins: Vec<String>,
    /// Bytes of one request body.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub max_body_bytes: usize,
    /// Milliseconds for a request's headers to arrive.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub header_timeout_ms: u64,
    /// Milliseconds for a request's body to arrive.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub body_timeout_ms: u64,
    /// Milliseconds a client may take to accept a part of an answer.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub write_timeout_ms: u64,
    /// Milliseconds for which lists wait for plugins that are being started with the gateway. Clients are told of those
    /// that are ready later.
    #[schemars(range(max = 3_600_000))]
    pub settle_ms: u64,
    /// Tools, prompts or resources on one page of a list.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_list_page: usize,
    /// Connections open at one time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: usize,
    /// Connections open at one time from one address.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections_per_ip: usize,
    /// Bytes of a request's headers.
    #[schemars(range(min = 8192, max = 1_048_576))]
    pub max_header_bytes: usize,
    /// Milliseconds that running calls get to end at shutdown.
    #[schemars(range(max = 3_600_000))]
    pub drain_ms: u64,
    /// Whether the configuration and the plugin directories are watched, and read again when something in them changes.
    pub watch: bool,
    /// Threads of the async runtime; one per core when left out.
    #[schemars(range(min = 1, max = 1024))]
    pub worker_threads: Option<usize>,
    /// Client sessions.
    pub sessions: SessionsConfig,
    /// Calls that wait for answers of their clients.
    pub rounds: RoundsConfig,
    /// Calls that go on as tasks.
    pub tasks: TasksConfig,
}

impl ServerConfig {
    /// The host in `public_url`: with its port, and without.
    pub fn public_host(&self) -> Vec<String> {
        let url = self.public_url.as_deref().map(str::parse::<Uri>);
        let Some(Ok(url)) = url else {
            return Vec::new();
        };
        let authority = url
            .authority()
            .map(|authority| authority.as_str().to_owned());
        let host = url.host().map(str::to_owned);
        authority.into_iter().chain(host).collect()
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            max_body_bytes: 4_194_304,
            header_timeout_ms: 5_000,
            body_timeout_ms: 10_000,
            write_timeout_ms: 30_000,
            settle_ms: 1_800,
            max_list_page: 10_000,
            max_connections: 10_000,
            max_connections_per_ip: 4_096,
            max_header_bytes: 32_768,
            drain_ms: 25_000,
            watch: true,
            worker_threads: None,
            sessions: SessionsConfig::default(),
            rounds: RoundsConfig::default(),
            tasks: TasksConfig::default(),
        }
    }
}

/// Bounds of client sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SessionsConfig {
    /// Sessions open at one time.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max: usize,
    /// Sessions one principal may have open at one time.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_per_principal: usize,
    /// Milliseconds without a request after which a session ends.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub idle_ms: u64,
    /// Milliseconds after which a session ends, used or not.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub total_ms: u64,
    /// Messages that one session keeps for a client that lost its connection and comes back with `Last-Event-ID`; 0
    /// keeps none.
    #[schemars(range(max = 10_000))]
    pub replay_messages: usize,
    /// Bytes of these messages, unless a single one is larger.
    #[schemars(range(max = 1_073_741_824))]
    pub replay_bytes: usize,
    /// Milliseconds for which they are kept.
    #[schemars(range(max = 86_400_000))]
    pub replay_ms: u64,
}

impl SessionsConfig {
    /// The bounds of one table of sessions. Where callers have no names there is but one of them, who may have all.
    pub fn bounds(&self, named: bool) -> Bounds {
        let max_per_principal = if named {
            self.max_per_principal
        } else {
            self.max
        };
        Bounds {
            max: self.max,
            max_per_principal,
            idle: Duration::from_millis(self.idle_ms),
            total: Duration::from_millis(self.total_ms),
            replay: Replay {
                messages: self.replay_messages,
                bytes: self.replay_bytes,
                keep: Duration::from_millis(self.replay_ms),
            },
        }
    }
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            max: 10_000,
            max_per_principal: 2_500,
            idle_ms: 300_000,
            total_ms: 86_400_000,
            replay_messages: 256,
            replay_bytes: 1_048_576,
            replay_ms: 60_000,
        }
    }
}

/// Bounds of calls that wait for an answer of a client of revision 2026-07-28 (multi round-trip requests).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoundsConfig {
    /// Calls that wait at one time. A plugin that asks in another one is refused.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max: usize,
    /// Calls of one principal that wait at one time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_per_principal: usize,
    /// Milliseconds a client may take to come back with its answers. After that the call is cancelled. A `requestState`
    /// of a plugin is accepted for as long.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub wait_ms: u64,
}

impl Default for RoundsConfig {
    fn default() -> Self {
        Self {
            max: 4_096,
            max_per_principal: 1_024,
            wait_ms: 300_000,
        }
    }
}

/// Calls of tools with `tasks = true` that go on as tasks (the extension `io.modelcontextprotocol/tasks` of revision
/// 2026-07-28): their clients are not kept waiting, and come back for the result. Over a bound a call goes on as any other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TasksConfig {
    /// Milliseconds after which a call becomes a task; what is done sooner is answered as ever. 0 waits for nothing.
    #[schemars(range(max = 3_600_000))]
    pub after_ms: u64,
    /// Tasks at one time, those included whose results wait to be fetched.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max: usize,
    /// Tasks of one principal at one time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_per_principal: usize,
    /// Milliseconds from its beginning after which a task is forgotten. One that is not done by then is cancelled.
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub ttl_ms: u64,
    /// Milliseconds that clients are told to let pass before they ask for a task again.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub poll_interval_ms: u64,
}

impl Default for TasksConfig {
    fn default() -> Self {
        Self {
            after_ms: 1_000,
            max: 4_096,
            max_per_principal: 1_024,
            ttl_ms: 3_600_000,
            poll_interval_ms: 1_000,
        }
    }
}

/// An address with a port; `localhost` stands for `127.0.0.1`.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_address(&text).ok_or_else(|| {
        serde::de::Error::custom("expected an address and a port, such as `127.0.0.1:8080`")
    })
}

/// Reads what `listen` and `--listen` take.
pub fn parse_address(text: &str) -> Option<SocketAddr> {
    let local = text
        .strip_prefix("localhost:")
        .map(|port| format!("127.0.0.1:{port}"));
    local.as_deref().unwrap_or(text).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_a_port() {
        assert_eq!(parse_address("localhost:1"), parse_address("127.0.0.1:1"));
        assert!(parse_address("[::1]:8080").is_some());
        assert!(parse_address("127.0.0.1").is_none() && parse_address("example.com:80").is_none());
    }
}
