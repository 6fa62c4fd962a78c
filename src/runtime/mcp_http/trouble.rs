//! What can go wrong with a remote server, in words that name the plugin and the server's host and nothing secret.

use std::fmt::Display;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::runtime::mcp_http::connect::{ConnectError, find};
use crate::runtime::mcp_http::hold::{BUSY, may_be_later};

/// The longest wait that a server's `Retry-After` is believed, in seconds.
const MAX_RETRY_AFTER: u64 = 86_400;

/// The names by which people know a remote server.
#[derive(Debug, Clone)]
pub(super) struct Upstream {
    pub(super) plugin: PluginId,
    /// Its host, and port where the URL has one.
    pub(super) host: Box<str>,
}

impl Upstream {
    /// A fault of this server.
    pub(super) fn fault(&self, kind: FaultKind, reason: &'static str, what: impl Display) -> Fault {
        let message = format!("plugin `{}` ({}): {what}", self.plugin, self.host);
        Fault::new(kind, message).because(reason)
    }

    /// The server broke the protocol.
    pub(super) fn broken(&self, reason: &'static str, what: impl Display) -> Fault {
        self.fault(FaultKind::Broken, reason, what)
    }

    /// An answer, or a part of one, is over the bound.
    pub(super) fn too_large(&self, bound: usize) -> Fault {
        self.broken(
            "too_large",
            format_args!("its answer is longer than {bound} bytes (`limits.max_message_bytes`)"),
        )
    }

    /// Makes sure that a fault of the shared client names the plugin.
    pub(super) fn named(&self, mut fault: Fault) -> Fault {
        let named = format!("plugin `{}`", self.plugin);
        if !fault.message.starts_with(&named) {
            fault.message = format!("{named} ({}): {}", self.host, fault.message);
        }
        fault
    }

    /// No answer came back: there was no connection, or it broke.
    pub(super) fn no_answer(&self, err: hyper_util::client::legacy::Error) -> Fault {
        if let Some(known) = find::<ConnectError>(&err) {
            return self.fault(FaultKind::Unavailable, known.reason, known);
        }
        match find::<hyper::Error>(&err) {
            Some(inner) if inner.is_parse() => self
                .broken("protocol_error", "its answer is not HTTP")
                .caused_by(err),
            _ => self
                .fault(
                    FaultKind::Unavailable,
                    "upstream_reset",
                    "the connection broke before an answer came; whether the request took effect is not known",
                )
                .caused_by(err),
        }
    }

    /// The connection broke in the middle of an answer.
    pub(super) fn cut_off(&self, err: hyper::Error) -> Fault {
        self.fault(
            FaultKind::Unavailable,
            "upstream_reset",
            "the connection broke in the middle of its answer",
        )
        .caused_by(err)
    }

    /// It answered with an HTTP status that stands for itself.
    pub(super) fn status(&self, status: StatusCode, headers: &HeaderMap) -> Fault {
        let unavailable = |reason, what: &str| {
            self.fault(
                FaultKind::Unavailable,
                reason,
                format_args!("it answered {status}{what}"),
            )
        };
        let fault = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => unavailable(
                "upstream_auth",
                "; check `mcp_http.bearer_token` and `mcp_http.headers`",
            ),
            StatusCode::TOO_MANY_REQUESTS => {
                self.fault(FaultKind::Busy, BUSY, format_args!("it answered {status}"))
            }
            status if status.is_server_error() => unavailable("upstream_5xx", ""),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                unavailable("upstream_4xx", "; is `mcp_http.url` its MCP endpoint?")
            }
            status if status.is_client_error() => unavailable("upstream_4xx", ""),
            _ => self.broken(
                "protocol_error",
                format_args!("it answered {status}, which answers no request"),
            ),
        };
        match retry_after(status, headers) {
            Some(wait) => fault.retry_after(wait),
            None => fault,
        }
    }
}

/// The seconds in `Retry-After`, where `status` says that the server cannot answer just now; its other form, a date, is not
/// used by those who limit calls.
pub(super) fn retry_after(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    if !may_be_later(status) {
        return None;
    }
    let seconds: u64 = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER)))
}
