//! The standing stream of a remote server, and what follows from it: the surface is read again when it changed.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use http::{HeaderValue, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::model::fault::Fault;
use crate::runtime::client::Peer;
use crate::runtime::mcp_http::answer::{Events, Form, form, messages};
use crate::runtime::mcp_http::head::Head;
use crate::runtime::mcp_http::incoming::Origin;
use crate::runtime::mcp_http::link::HttpLink;
use crate::runtime::mcp_http::resume::MAX_RETRY;
use crate::runtime::subscribed::End;
use crate::wire::list::Topic;
use crate::wire::message::{Id, Message, Outcome, Params, write_request};
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// The most questions on a standing stream that wait for an answer.
const MAX_QUESTIONS: usize = 16;

/// How often a stream is asked for again in a session in which it was refused.
const MAX_REFUSALS: usize = 2;

/// How often things are done again, and how long they may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// The wait before a lost stream is opened again; doubles each time.
    pub(crate) first: Duration,
    /// The longest such wait. A stream that lived as long starts over.
    pub(crate) most: Duration,
    /// The least time between two readings of the surface.
    pub(crate) lists: Duration,
    /// How long the server may take to accept what it does not answer: a notification, an answer to its question.
    pub(crate) telling: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            most: Duration::from_secs(60),
            lists: Duration::from_secs(1),
            telling: Duration::from_secs(10),
        }
    }
}

/// How a standing stream came to its end.
enum Ended {
    /// The server has none.
    NotOffered,
    /// The server would not have us in the session of that generation. It may have forgotten it, or have no stream and
    /// say so in the wrong way.
    Refused(u64),
    /// It was there, or might be.
    Lost(Option<Duration>),
}

/// Keeps a standing stream open as long as the server offers one. Ends when it does not.
pub(super) async fn keep_listening(link: Arc<HttpLink>, peer: Peer) {
    let pace = link.pace;
    let announces = Topic::ALL.into_iter().any(|topic| peer.tells_of(topic));
    let mut wait = pace.first;
    let mut refused = (None, 0);
    let listening = Listening {
        link: &link,
        peer: &peer,
        missed: AtomicBool::new(false),
        last: Mutex::default(),
    };
    loop {
        let began = Instant::now();
        let end = match peer.era() {
            Era::Legacy => listening.stand().await,
            Era::Modern => {
                let listen = |params| listening.listen(params).boxed();
                Ended::Lost(link.subscribed.hold(&peer, listen).await)
            }
        };
        let retry = match end {
            Ended::Lost(retry) => retry,
            Ended::Refused(generation) => {
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
            Ended::NotOffered => return,
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
    /// The session of that generation has told us things on its stream, up to that event.
    last: Mutex<Option<(u64, HeaderValue)>>,
}

impl Listening<'_> {
    /// Opens the standing stream of a legacy session, where it broke if it did, and reads it to its end (MCP 2025-11-25,
    /// listening for messages, resumability).
    async fn stand(&self) -> Ended {
        let link = self.link;
        let head = link.head.load_full();
        let last = self.last().take();
        let last = last.filter(|(generation, _)| *generation == head.generation);
        let headers = || head.of_stream(last.as_ref().map(|(_, id)| id));
        let opened = link
            .endpoint
            .ask(&http::Method::GET, &Bytes::new(), &headers)
            .await;
        let answer = match opened {
            Ok(answer) => answer,
            Err(fault) => {
                *self.last() = last;
                return self.lost(&fault, fault.retry_after);
            }
        };
        match answer.status() {
            status if status.is_success() => self.read(&head, answer, last).await,
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND if head.session.is_some() => {
                Ended::Refused(head.generation)
            }
            status => {
                // Without it, if the server cannot go on from there.
                *self.last() = last.clone().filter(|_| !status.is_client_error());
                match self.unwilling(&answer) {
                    Ended::NotOffered if last.is_some() => Ended::Lost(None),
                    end => end,
                }
            }
        }
    }

    fn last(&self) -> MutexGuard<'_, Option<(u64, HeaderValue)>> {
        self.last.lock().expect("no holder of this lock panics")
    }

    /// One subscription to changes and updates, from its request to its end (MCP 2026-07-28, subscriptions).
    async fn listen(&self, wanted: Params) -> End {
        let link = self.link;
        let params = self.peer.outgoing(wanted, None, &link.host);
        let mut body = Vec::with_capacity(512);
        let id = link.new_id();
        link.subscribed.asked(id);
        write_request(&mut body, id, &Method::Listen, &params);
        let head = link.head.load_full();
        let mirrors = link.mirrors.load_full();
        let headers = || head.of_request(&Method::Listen, &params, &mirrors);
        let opened = link
            .endpoint
            .ask(&http::Method::POST, &Bytes::from(body), &headers)
            .await;
        let ended = match opened {
            Ok(answer) if answer.status().is_success() => self.read(&head, answer, None).await,
            Ok(answer) => self.unwilling(&answer),
            Err(fault) => self.lost(&fault, fault.retry_after),
        };
        match ended {
            Ended::Lost(wait) => End::Over(wait),
            Ended::NotOffered | Ended::Refused(_) => End::Refused,
        }
    }

    /// What an HTTP error says: that there is no stream, or none just now.
    fn unwilling(&self, answer: &Response<Incoming>) -> Ended {
        let status = answer.status();
        let fault = self.link.endpoint.upstream.status(status, answer.headers());
        let may_come = status == StatusCode::TOO_MANY_REQUESTS
            || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED);
        if may_come {
            return self.lost(&fault, fault.retry_after);
        }
        tracing::debug!(plugin.id = %self.link.endpoint.upstream.plugin, "Has no standing stream: {fault}");
        Ended::NotOffered
    }

    fn lost(&self, fault: &Fault, retry: Option<Duration>) -> Ended {
        tracing::debug!(plugin.id = %self.link.endpoint.upstream.plugin, reason = fault.reason, "Lost the standing stream: {fault}");
        Ended::Lost(retry)
    }

    /// Reads a stream, of which everything up to the event `last` is known, to its end.
    async fn read(
        &self,
        head: &Arc<Head>,
        answer: Response<Incoming>,
        last: Option<(u64, HeaderValue)>,
    ) -> Ended {
        let link = self.link;
        let upstream = &link.endpoint.upstream;
        if !matches!(form(upstream, answer.headers()), Ok(Form::Events)) {
            // A server that answers at once has nothing to tell.
            return Ended::NotOffered;
        }
        if self.peer.era() == Era::Legacy {
            self.hears();
        }
        let mut events = Events::standing(answer.into_body(), link.endpoint.max_message);
        events.last_id = last.map(|(_, id)| id);
        let mut questions = pin!(FuturesUnordered::new());
        loop {
            let event = tokio::select! {
                biased;
                event = events.next(upstream) => event,
                Some(()) = questions.next() => continue,
            };
            if self.peer.era() == Era::Legacy {
                let last = events.last_id.clone();
                *self.last() = last.map(|id| (head.generation, id));
            }
            let items = match event {
                Ok(Some(text)) => messages(upstream, text, head.has_batches()),
                Ok(None) => return Ended::Lost(events.retry),
                Err(fault) => Err(fault),
            };
            let items = match items {
                Ok(items) => items,
                Err(fault) => return self.lost(&fault, events.retry),
            };
            for item in items {
                match item {
                    Message::Notification(told) => {
                        if told.method == Method::ListenAcknowledged {
                            self.hears();
                        }
                        link.told(told, Origin::Standing);
                    }
                    Message::Request(asked)
                        if self.peer.era() == Era::Legacy && questions.len() < MAX_QUESTIONS =>
                    {
                        questions.extend(link.begin_asking(asked, Origin::Standing, head));
                    }
                    // A server that floods us with questions gets no answers.
                    Message::Request(_) => {}
                    Message::Response(answer) if self.peer.era() == Era::Modern => {
                        return self.answered(&answer.outcome, events.retry);
                    }
                    Message::Response(answer) => {
                        let id = answer.id.as_ref().and_then(Id::as_number);
                        id.into_iter().for_each(|id| link.callers.answered_late(id));
                    }
                }
            }
        }
    }

    /// From now on changes are heard. What changed before is read.
    fn hears(&self) {
        if self.missed.swap(false, Ordering::Relaxed) {
            self.link.changed.mark_all();
        }
    }

    /// The answer to a request to listen: its end, or its refusal.
    fn answered(&self, outcome: &Outcome, retry: Option<Duration>) -> Ended {
        match outcome {
            Outcome::Result(_) => Ended::Lost(retry),
            Outcome::Error(error) => {
                tracing::debug!(plugin.id = %self.link.endpoint.upstream.plugin, "Has no subscriptions: {} ({})", error.message, error.code);
                Ended::NotOffered
            }
        }
    }
}
