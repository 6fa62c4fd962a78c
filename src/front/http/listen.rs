//! `subscriptions/listen`: a stream of changes for a modern client (MCP 2026-07-28, subscriptions).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::unfold;
use http::Response;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::front::http::body::{Body, stream};
use crate::front::http::modern::no_filter;
use crate::front::http::stream::{event, events};
use crate::front::http::{Active, HttpFront};
use crate::front::outgoing::{subscription_params, subscription_result};
use crate::registry::Changes;
use crate::wire::json::Json;
use crate::wire::message::{Id, Params, write_notification, write_result};
use crate::wire::method::Method;
use crate::wire::sse::write_comment;

/// How often a quiet stream shows that it is alive.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

impl HttpFront {
    /// Opens the stream. It does not count as a call: it ends when the gateway stops.
    pub(super) fn listen(
        self: &Arc<Self>,
        id: Id,
        params: &Params,
        active: Active,
    ) -> Response<Body> {
        drop(active);
        let filter = params
            .members
            .get("notifications")
            .and_then(|filter| filter.parse::<Map<String, Value>>().ok());
        let Some(filter) = filter else {
            return no_filter(&id);
        };
        let tools = filter.get("toolsListChanged") == Some(&Value::Bool(true));
        let granted = if tools {
            json!({ "toolsListChanged": true })
        } else {
            json!({})
        };
        let mut params = subscription_params(&id);
        params.members.set("notifications", Json::of(&granted));
        let begin = Listening {
            changes: tools.then(|| self.desk.registry().changes()),
            ended: self.draining.clone(),
            next: Some(notification(&Method::ListenAcknowledged, &params)),
            id,
            over: false,
        };
        events(stream(unfold(begin, Listening::step)))
    }
}

struct Listening {
    id: Id,
    changes: Option<Changes>,
    ended: CancellationToken,
    next: Option<Bytes>,
    over: bool,
}

impl Listening {
    async fn step(mut self) -> Option<(Bytes, Self)> {
        if self.over {
            return None;
        }
        if let Some(message) = self.next.take() {
            return Some((message, self));
        }
        let changed = async {
            match &mut self.changes {
                Some(changes) => changes.next().await,
                None => std::future::pending().await,
            }
        };
        let message = tokio::select! {
            () = self.ended.cancelled() => {
                self.over = true;
                let mut out = Vec::new();
                write_result(&mut out, &self.id, &subscription_result(&self.id));
                event(&out)
            }
            () = changed => notification(&Method::ToolsListChanged, &subscription_params(&self.id)),
            () = tokio::time::sleep(KEEP_ALIVE) => comment(),
        };
        Some((message, self))
    }
}

fn notification(method: &Method, params: &Params) -> Bytes {
    let mut out = Vec::with_capacity(160);
    write_notification(&mut out, method, params);
    event(&out)
}

/// A comment, which clients ignore and proxies do not.
pub(super) fn comment() -> Bytes {
    let mut out = Vec::new();
    write_comment(&mut out);
    out.into()
}
