//! The settings of the bus: `[events]`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, Serializer};

/// The event bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EventsConfig {
    /// A Redis server that carries the events: `redis://host:port/db`, `rediss://…` or `unix:///path`. Left out they are
    /// carried in memory, within this gateway.
    pub url: Option<RedisUrl>,
    /// What the names of the streams in Redis begin with. Gateways of the same prefix share their events.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.:-]{1,64}$"))]
    pub prefix: String,
    /// Events that wait while Redis is away, or for a group that does not keep up. The oldest are dropped beyond.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub outbox: usize,
    /// Milliseconds after which an event that was not acknowledged is delivered again.
    #[schemars(range(min = 10, max = 86_400_000))]
    pub redeliver_ms: u64,
    /// How often an event is delivered before it goes to the dead letters.
    #[schemars(range(min = 1, max = 1000))]
    pub max_deliveries: u32,
    /// Events that are kept to be looked at; in Redis also for groups that have not got them yet.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub keep: usize,
    /// Whether each call of a tool is published, as `toolgate.call.started` and `toolgate.call.finished`. Else that is so
    /// while somebody asks for it by a pattern that begins with `toolgate.`.
    pub gateway_calls: bool,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self {
            url: None,
            prefix: "toolgate".to_owned(),
            outbox: 10_000,
            redeliver_ms: 30_000,
            max_deliveries: 5,
            keep: 10_000,
            gateway_calls: false,
        }
    }
}

/// Where a Redis server is. Its password is not shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The whole of it, for the one place that connects.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match redis::Client::open(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            // The text itself may hold a password.
            Err(_) => Err(
                "not the address of a Redis server, such as `redis://127.0.0.1:6379`".to_owned(),
            ),
        }
    }
}

impl TryFrom<String> for RedisUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.split_once("://"), self.0.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => write!(f, "{scheme}://***@{host}"),
            _ => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for RedisUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for RedisUrl {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "RedisUrl".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_not_shown() {
        for (url, expect) in [
            ("redis://127.0.0.1:6379/2", "redis://127.0.0.1:6379/2"),
            ("redis://me:p%40ss@host:1", "redis://***@host:1"),
            ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ] {
            let url: RedisUrl = url.parse().expect("an address");
            assert_eq!(url.to_string(), expect);
        }
        let refused = "postgres://me:secret@host".parse::<RedisUrl>();
        assert!(refused.is_err_and(|why| !why.contains("secret")));
    }
}
