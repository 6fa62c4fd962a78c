//! What comes back for one request: read, judged, and everything on the way delivered.

use std::pin::pin;

use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt};
use http::{Response, StatusCode};
use hyper::body::Incoming;

use crate::model::fault::{Fault, FaultKind};
use crate::runtime::mcp_http::answer::{Events, Form, check_encoding, collect, form, messages};
use crate::runtime::mcp_http::incoming::Origin;
use crate::runtime::mcp_http::link::{Failure, HttpLink, Turn};
use crate::wire::error::METHOD_NOT_FOUND;
use crate::wire::message::{self, Id, Message, Notification, Outcome, Request};
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// The most bytes read of the body of an HTTP error.
const MAX_ERROR_BODY: usize = 64 << 10;

/// The most questions of the server that wait for an answer during one call.
const MAX_QUESTIONS: usize = 16;

impl HttpLink {
    /// Sends one request and reads its answer.
    pub(super) async fn exchange(&self, turn: &Turn<'_>) -> Result<Outcome, Failure> {
        let mirrors = self.mirrors.load();
        let headers = || turn.head.of_request(turn.method, turn.params, &mirrors);
        let answer = self
            .endpoint
            .ask(&http::Method::POST, &turn.body, &headers)
            .await?;
        if !answer.status().is_success() {
            return self.refused(turn, answer).await;
        }
        let upstream = &self.endpoint.upstream;
        if matches!(
            answer.status(),
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT
        ) {
            let what = format_args!("it answered a request with {} and nothing", answer.status());
            return Err(upstream.broken("protocol_error", what).into());
        }
        self.heard();
        let (head, body) = answer.into_parts();
        if *turn.method == Method::Initialize {
            self.note_session(&head.headers)?;
        }
        match form(upstream, &head.headers)? {
            Form::Json => {
                let text = collect(upstream, body, self.endpoint.max_message).await?;
                Ok(self.one_answer(turn, text)?)
            }
            Form::Events => Ok(self.events(turn, body).await?),
        }
    }

    /// The answer in a JSON body.
    fn one_answer(&self, turn: &Turn<'_>, text: Bytes) -> Result<Outcome, Fault> {
        let upstream = &self.endpoint.upstream;
        if turn.head.has_batches() {
            let items = messages(upstream, text, true)?;
            let mut answers = items.into_iter().map(|item| turn.answer(self, item));
            return answers
                .find(Result::is_ok)
                .unwrap_or_else(|| Err(no_answer(self)));
        }
        match Message::parse(text) {
            Ok(message) => turn.answer(self, message),
            Err(reject) => {
                let what = format_args!("its answer is malformed: {}", reject.error.message);
                Err(upstream.broken("protocol_error", what))
            }
        }
    }

    /// Reads events until the answer comes, on as many streams as it takes. What comes before it is delivered, questions
    /// are answered beside.
    async fn events(&self, turn: &Turn<'_>, body: Incoming) -> Result<Outcome, Fault> {
        let upstream = &self.endpoint.upstream;
        let origin = turn.caller.map_or(Origin::Ourselves, Origin::Call);
        let mut events = Events::of_call(body, self.endpoint.max_message);
        let mut questions = pin!(FuturesUnordered::new());
        loop {
            let event = tokio::select! {
                biased;
                event = events.next(upstream) => event,
                Some(()) = questions.next() => continue,
            };
            let text = match event {
                Ok(Some(text)) => {
                    self.heard();
                    text
                }
                Ok(None) => {
                    let resuming = self.resume(turn, &mut events, ended_early(self));
                    beside(resuming, &mut questions).await?;
                    continue;
                }
                Err(fault) => {
                    let resuming = self.resume(turn, &mut events, fault);
                    beside(resuming, &mut questions).await?;
                    continue;
                }
            };
            for message in messages(upstream, text, turn.head.has_batches())? {
                match turn.said(message) {
                    Said::Answer(outcome) => {
                        self.keep_connection(events);
                        return Ok(outcome);
                    }
                    Said::Told(told) => self.told(told, origin),
                    Said::Asked(asked) if questions.len() < MAX_QUESTIONS => {
                        questions.extend(self.begin_asking(asked, origin, &turn.head));
                    }
                    // A server that floods us with questions gets no answers.
                    Said::Asked(_) => {}
                    Said::Stray => {}
                }
            }
        }
    }

    /// Lets a stream come to its end, whose answer has come.
    fn keep_connection(&self, mut events: Events) {
        if !events.is_over() {
            drop(self.host.supervisor.spawn_request(events.rest()));
        }
    }

    /// Reads an answer whose HTTP status says that the request was refused.
    async fn refused(
        &self,
        turn: &Turn<'_>,
        answer: Response<Incoming>,
    ) -> Result<Outcome, Failure> {
        let upstream = &self.endpoint.upstream;
        let (head, body) = answer.into_parts();
        let fault = upstream.status(head.status, &head.headers);
        let stands_for_itself = matches!(
            head.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        );
        if !head.status.is_client_error() || stands_for_itself {
            return Err(fault.into());
        }
        let text = match check_encoding(upstream, &head.headers) {
            Ok(()) => collect(upstream, body, MAX_ERROR_BODY).await.ok(),
            Err(_) => None,
        };
        let error = match text.map(Message::parse) {
            Some(Ok(Message::Response(message::Response {
                id,
                outcome: Outcome::Error(error),
            }))) => Some((id, error)),
            _ => None,
        };
        let is_ours = |id: &Option<Id>| id.as_ref().and_then(Id::as_number) == Some(turn.id);
        let in_session = turn.head.session.is_some() && turn.head.era() == Some(Era::Legacy);
        let lost = in_session
            && match (head.status, &error) {
                (StatusCode::NOT_FOUND, Some((id, error))) => {
                    !(is_ours(id) && error.code == METHOD_NOT_FOUND)
                }
                (StatusCode::NOT_FOUND, None) => true,
                // Not the status the protocol has for it, but what servers in the field answer after a restart. Such an
                // error is not about our request: it does not name it.
                (StatusCode::BAD_REQUEST, Some((None, _))) => true,
                _ => false,
            };
        match error {
            _ if lost => Err(Failure::SessionLost),
            Some((_, error)) => Ok(Outcome::Error(error)),
            None => Err(fault.into()),
        }
    }
}

/// What a message is to one request.
enum Said {
    Answer(Outcome),
    Told(Notification),
    Asked(Request),
    /// An answer to something else, or what must not come here.
    Stray,
}

impl Turn<'_> {
    /// What `message` is to this request. An error without an id can only be about the one request it came back for.
    fn said(&self, message: Message) -> Said {
        let response = match message {
            Message::Response(response) => response,
            Message::Notification(notification) => return Said::Told(notification),
            // A modern server has no such thing, and its client must not answer (MCP 2026-07-28, streamable HTTP).
            Message::Request(_) if self.head.era() == Some(Era::Modern) => return Said::Stray,
            Message::Request(request) => return Said::Asked(request),
        };
        match (&response.id, &response.outcome) {
            (Some(id), _) if id.as_number() == Some(self.id) => Said::Answer(response.outcome),
            (None, Outcome::Error(_)) => Said::Answer(response.outcome),
            _ => Said::Stray,
        }
    }

    /// The answer in a body that holds nothing else.
    fn answer(&self, link: &HttpLink, message: Message) -> Result<Outcome, Fault> {
        match self.said(message) {
            Said::Answer(outcome) => Ok(outcome),
            Said::Told(_) | Said::Asked(_) | Said::Stray => Err(no_answer(link)),
        }
    }
}

/// Does `work`, and answers questions meanwhile.
async fn beside<T>(
    work: impl Future<Output = T>,
    questions: &mut (impl Stream<Item = ()> + Unpin),
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            Some(()) = questions.next() => {}
        }
    }
}

fn ended_early(link: &HttpLink) -> Fault {
    link.endpoint.upstream.fault(
        FaultKind::Unavailable,
        "stream_ended",
        "it ended the stream of its answer before the answer",
    )
}

fn no_answer(link: &HttpLink) -> Fault {
    let upstream = &link.endpoint.upstream;
    upstream.broken(
        "protocol_error",
        "its answer is not the answer to the request",
    )
}
