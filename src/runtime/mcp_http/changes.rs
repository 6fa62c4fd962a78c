//! The standing stream of a remote server, and what follows from it: the surface is read again when it changed.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, StatusCode};
use hyper::body::Incoming;
use serde_json::json;
use tokio::time::Instant;

use crate::model::fault::Fault;
use crate::runtime::client::Peer;
use crate::runtime::mcp_http::answer::{Events, Form, form, messages};
use crate::runtime::mcp_http::head::Head;
use crate::runtime::mcp_http::link::HttpLink;
use crate::wire::members::Members;
use crate::wire::message::{Message, Params, write_request};
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// The most questions on a standing stream that wait for an answer.
const MAX_QUESTIONS: usize = 16;

/// The longest that a server's `retry` is respected.
const MAX_RETRY: Duration = Duration::from_secs(300);

/// How often things are done again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// The wait before a lost stream is opened again; doubles each time.
    pub(crate) first: Duration,
    /// The longest such wait. A stream that lived as long starts over.
    pub(crate) most: Duration,
    /// The least time between two readings of the surface.
    pub(crate) lists: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            most: Duration::from_secs(60),
            lists: Duration::from_secs(1),
        }
    }
}

/// How a standing stream came to its end.
enum End {
    /// The server has none.
    NotOffered,
    /// It was there, or might be.
    Lost(Option<Duration>),
}

/// Keeps a standing stream open as long as the server offers one. Ends when it does not.
pub(super) async fn keep_listening(link: Arc<HttpLink>, peer: Peer, pace: Pace) {
    let announces = announces_changes(&peer);
    if peer.era() == Era::Modern && !announces {
        return;
    }
    let mut wait = pace.first;
    loop {
        let began = Instant::now();
        let end = match peer.era() {
            Era::Legacy => stand(&link).await,
            Era::Modern => listen(&link, &peer).await,
        };
        let End::Lost(retry) = end else { return };
        if began.elapsed() >= pace.most {
            wait = pace.first;
        }
        let asked_for = retry.unwrap_or_default().min(MAX_RETRY);
        tokio::time::sleep(wait.max(asked_for)).await;
        wait = (wait * 2).min(pace.most);
        if announces {
            // What changed while nobody listened was not heard.
            link.changed.notify_one();
        }
    }
}

fn announces_changes(peer: &Peer) -> bool {
    let tools = Members::of(&peer.capabilities)
        .and_then(|capabilities| Members::of(capabilities.get("tools")?));
    tools.is_some_and(|tools| {
        tools
            .get("listChanged")
            .is_some_and(|changes| changes.is_true())
    })
}

/// Opens the standing stream of a legacy session and reads it to its end (MCP 2025-11-25, listening for messages).
async fn stand(link: &Arc<HttpLink>) -> End {
    let head = link.head.load_full();
    let headers = || {
        let mut headers = head.headers().clone();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers
    };
    let opened = link
        .endpoint
        .send(&http::Method::GET, &Bytes::new(), &headers)
        .await;
    let answer = match opened {
        Ok(answer) => answer,
        Err(fault) => return lost(link, &fault, None),
    };
    let status = answer.status();
    if status == StatusCode::NOT_FOUND && head.session.is_some() {
        return match link.renew(head.generation).await {
            Ok(()) => End::Lost(None),
            Err(fault) => lost(link, &fault, None),
        };
    }
    let (parts, body) = answer.into_parts();
    if status.is_success() {
        return read(link, &head, &parts.headers, body).await;
    }
    let may_come = status == StatusCode::TOO_MANY_REQUESTS
        || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED);
    if may_come {
        let fault = link.endpoint.upstream.status(status, &parts.headers);
        return lost(link, &fault, fault.retry_after);
    }
    End::NotOffered
}

/// Subscribes to changes and hears them until the stream ends (MCP 2026-07-28, subscriptions).
async fn listen(link: &Arc<HttpLink>, peer: &Peer) -> End {
    let wanted = Params::of(&json!({ "notifications": { "toolsListChanged": true } }));
    let params = peer.outgoing(wanted, None, &link.host);
    let mut body = Vec::with_capacity(512);
    write_request(&mut body, link.new_id(), &Method::Listen, &params);
    let head = link.head.load_full();
    let mirrors = link.mirrors.load_full();
    let headers = || head.of_request(&Method::Listen, &params, &mirrors);
    let opened = link
        .endpoint
        .send(&http::Method::POST, &Bytes::from(body), &headers)
        .await;
    let answer = match opened {
        Ok(answer) => answer,
        Err(fault) => return lost(link, &fault, None),
    };
    let status = answer.status();
    let (parts, body) = answer.into_parts();
    if status.is_success() {
        return read(link, &head, &parts.headers, body).await;
    }
    let fault = link.endpoint.upstream.status(status, &parts.headers);
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return lost(link, &fault, fault.retry_after);
    }
    tracing::debug!(plugin.id = %link.endpoint.upstream.plugin, "Hears of no changes: {fault}");
    End::NotOffered
}

fn lost(link: &HttpLink, fault: &Fault, retry: Option<Duration>) -> End {
    tracing::debug!(plugin.id = %link.endpoint.upstream.plugin, reason = fault.reason, "Lost the standing stream: {fault}");
    End::Lost(retry)
}

async fn read(link: &Arc<HttpLink>, head: &Head, headers: &HeaderMap, body: Incoming) -> End {
    let upstream = &link.endpoint.upstream;
    if !matches!(form(upstream, headers), Ok(Form::Events)) {
        // A modern server that answers at once has nothing to tell.
        return End::NotOffered;
    }
    let mut events = Events::standing(body, link.endpoint.max_message);
    let mut questions = pin!(FuturesUnordered::new());
    loop {
        let event = tokio::select! {
            biased;
            event = events.next(upstream) => event,
            Some(()) = questions.next() => continue,
        };
        let items = match event {
            Ok(Some(text)) => messages(upstream, text, head.has_batches()),
            Ok(None) => return End::Lost(events.retry),
            Err(fault) => Err(fault),
        };
        let items = match items {
            Ok(items) => items,
            Err(fault) => return lost(link, &fault, events.retry),
        };
        for item in items {
            match item {
                Message::Notification(told) => link.told(told, None),
                Message::Request(asked) if questions.len() < MAX_QUESTIONS => {
                    questions.push(link.asked(asked, None));
                }
                // A server that floods us with questions gets no answers.
                Message::Request(_) | Message::Response(_) => {}
            }
        }
    }
}
