//! The standing stream of a remote server, and what follows from it: the surface is read again when it changed.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::model::fault::Fault;
use crate::runtime::client::Peer;
use crate::runtime::mcp_http::answer::{Events, Form, form, messages};
use crate::runtime::mcp_http::head::Head;
use crate::runtime::mcp_http::link::HttpLink;
use crate::wire::list::Topic;
use crate::wire::message::{Message, write_request};
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// The most questions on a standing stream that wait for an answer.
const MAX_QUESTIONS: usize = 16;

/// How often a stream is asked for again in a session in which it was refused.
const MAX_REFUSALS: usize = 2;

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
    /// The server would not have us in the session of that generation. It may have forgotten it, or have no stream and
    /// say so in the wrong way.
    Refused(u64),
    /// It was there, or might be.
    Lost(Option<Duration>),
}

/// Keeps a standing stream open as long as the server offers one. Ends when it does not.
pub(super) async fn keep_listening(link: Arc<HttpLink>, peer: Peer, pace: Pace) {
    let announces = Topic::ALL.into_iter().any(|topic| peer.tells_of(topic));
    let mut wait = pace.first;
    let mut refused = (None, 0);
    let listening = Listening {
        link: &link,
        peer: &peer,
        missed: AtomicBool::new(false),
    };
    loop {
        let began = Instant::now();
        let end = match peer.era() {
            Era::Legacy => listening.stand().await,
            Era::Modern => listening.subscribe().await,
        };
        let retry = match end {
            End::Lost(retry) => retry,
            End::Refused(generation) => {
                let n_before = if refused.0 == Some(generation) {
                    refused.1
                } else {
                    0
                };
                if n_before == MAX_REFUSALS {
                    return;
                }
                refused = (Some(generation), n_before + 1);
                // The next request finds out whether the session is still known.
                link.changed.mark_all();
                None
            }
            End::NotOffered => return,
        };
        listening.missed.store(announces, Ordering::Relaxed);
        if began.elapsed() >= pace.most {
            wait = pace.first;
        }
        let asked_for = retry.unwrap_or_default().min(MAX_RETRY);
        tokio::time::sleep(wait.max(asked_for)).await;
        wait = (wait * 2).min(pace.most);
    }
}

/// The standing stream of one server.
struct Listening<'a> {
    link: &'a HttpLink,
    peer: &'a Peer,
    /// Whether changes may have gone unheard.
    missed: AtomicBool,
}

impl Listening<'_> {
    /// Opens the standing stream of a legacy session and reads it to its end (MCP 2025-11-25, listening for messages).
    async fn stand(&self) -> End {
        let link = self.link;
        let head = link.head.load_full();
        let headers = || {
            let mut headers = head.headers().clone();
            headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
            headers.remove(CONTENT_TYPE);
            headers
        };
        let opened = link
            .endpoint
            .send(&http::Method::GET, &Bytes::new(), &headers)
            .await;
        let answer = match opened {
            Ok(answer) => answer,
            Err(fault) => return self.lost(&fault, None),
        };
        match answer.status() {
            status if status.is_success() => self.read(&head, answer).await,
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND if head.session.is_some() => {
                End::Refused(head.generation)
            }
            _ => self.unwilling(&answer),
        }
    }

    /// Subscribes to changes and updates and hears them, until the stream ends (MCP 2026-07-28, subscriptions). When
    /// something else is to be heard another stream takes its place as soon as the server has acknowledged that.
    async fn subscribe(&self) -> End {
        let subscribed = &self.link.subscribed;
        let mut current = Box::pin(self.listen());
        loop {
            tokio::select! {
                biased;
                end = &mut current => return end,
                () = subscribed.is_outdated() => {
                    let mut next = Box::pin(self.listen());
                    tokio::select! {
                        biased;
                        end = &mut next => return end,
                        () = subscribed.is_acknowledged() => {}
                        _ = &mut current => {}
                    }
                    current = next;
                }
            }
        }
    }

    /// One subscription, from its request to its end.
    async fn listen(&self) -> End {
        let link = self.link;
        let Some(wanted) = link.subscribed.next(self.peer) else {
            // There is nothing to hear, until somebody watches a resource.
            link.subscribed.acknowledged(None);
            return std::future::pending().await;
        };
        let params = self.peer.outgoing(wanted, None, &link.host);
        let mut body = Vec::with_capacity(512);
        write_request(&mut body, link.new_id(), &Method::Listen, &params);
        let head = link.head.load_full();
        let mirrors = link.mirrors.load_full();
        let headers = || head.of_request(&Method::Listen, &params, &mirrors);
        let opened = link
            .endpoint
            .send(&http::Method::POST, &Bytes::from(body), &headers)
            .await;
        match opened {
            Ok(answer) if answer.status().is_success() => self.read(&head, answer).await,
            Ok(answer) => self.unwilling(&answer),
            Err(fault) => self.lost(&fault, None),
        }
    }

    /// What an HTTP error says: that there is no stream, or none just now.
    fn unwilling(&self, answer: &Response<Incoming>) -> End {
        let status = answer.status();
        let fault = self.link.endpoint.upstream.status(status, answer.headers());
        let may_come = status == StatusCode::TOO_MANY_REQUESTS
            || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED);
        if may_come {
            return self.lost(&fault, fault.retry_after);
        }
        tracing::debug!(plugin.id = %self.link.endpoint.upstream.plugin, "Has no standing stream: {fault}");
        End::NotOffered
    }

    fn lost(&self, fault: &Fault, retry: Option<Duration>) -> End {
        tracing::debug!(plugin.id = %self.link.endpoint.upstream.plugin, reason = fault.reason, "Lost the standing stream: {fault}");
        End::Lost(retry)
    }

    async fn read(&self, head: &Head, answer: Response<Incoming>) -> End {
        let link = self.link;
        let upstream = &link.endpoint.upstream;
        if !matches!(form(upstream, answer.headers()), Ok(Form::Events)) {
            // A server that answers at once has nothing to tell.
            return End::NotOffered;
        }
        if self.missed.swap(false, Ordering::Relaxed) {
            link.changed.mark_all();
        }
        let mut events = Events::standing(answer.into_body(), link.endpoint.max_message);
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
                Err(fault) => return self.lost(&fault, events.retry),
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
}
