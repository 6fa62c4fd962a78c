//! Requests of the legacy era: sessions, the standalone stream, batches (MCP 2025-03-26 to 2025-11-25).

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::unfold;
use http::header::{HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::front::desk::{Desk, Reply};
use crate::front::http::body::{Body, json_response, problem, stream};
use crate::front::http::guard::only;
use crate::front::http::listen::{KEEP_ALIVE, comment};
use crate::front::http::mcp::{accepted, busy, error_response, not_allowed};
use crate::front::http::stream::{Answered, event, events, one_stream};
use crate::front::http::{Active, HttpFront};
use crate::front::outgoing::{Logs, Outgoing};
use crate::model::caller::Caller;
use crate::registry::Changes;
use crate::runtime::CallContext;
use crate::session::outbox::Outbox;
use crate::session::{InFlight, Session};
use crate::wire::error::{INVALID_REQUEST, RpcError};
use crate::wire::header::{MCP_PROTOCOL_VERSION, MCP_SESSION_ID};
use crate::wire::message::{
    Id, Message, Notification, Params, Reject, Request, write_error, write_notification,
    write_result_head,
};
use crate::wire::method::Method;
use crate::wire::revision::{Era, Revision};

/// Why a request finds no session.
enum NoSession {
    /// It names none.
    Missing,
    /// It names one that is over, or someone else's, or that never was.
    Unknown,
    /// It names more than one, or more than one revision.
    Ambiguous,
    /// It names a revision that is not served.
    Version(String),
}

impl HttpFront {
    /// Answers a legacy message.
    pub(super) async fn legacy(
        self: &Arc<Self>,
        headers: &HeaderMap,
        message: Message,
        caller: &Arc<Caller>,
        active: Active,
    ) -> Response<Body> {
        if let Message::Request(request) = &message
            && request.method == Method::Initialize
        {
            return self.open_session(request, caller);
        }
        let id = match &message {
            Message::Request(request) => Some(&request.id),
            Message::Notification(_) | Message::Response(_) => None,
        };
        let session = match self.session(headers, caller) {
            Ok(session) => session,
            Err(none) => return none.response(id),
        };
        match message {
            Message::Request(request) => {
                self.legacy_request(&session, request, caller, active).await
            }
            Message::Notification(notification) => {
                heard(&session, &notification);
                accepted()
            }
            // Nothing was asked, so it answers nothing; a client must not be told off for being late.
            Message::Response(_) => accepted(),
        }
    }

    fn open_session(&self, request: &Request, caller: &Caller) -> Response<Body> {
        let (profile, result) = match self.desk.initialize(&request.params) {
            Ok(opened) => opened,
            Err(error) => return error_response(StatusCode::OK, Some(&request.id), &error),
        };
        let Some(session) = self.sessions.open(&caller.principal, Arc::new(profile)) else {
            return busy("there is no room for another session (`server.sessions`)");
        };
        let mut head = Vec::with_capacity(64);
        write_result_head(&mut head, &request.id);
        let mut response = json_response(StatusCode::OK, Body::around(head, result, b"}"));
        let id = HeaderValue::from_str(&session.id).expect("session ids are visible ASCII");
        response.headers_mut().insert(MCP_SESSION_ID, id);
        response
    }

    fn session(&self, headers: &HeaderMap, caller: &Caller) -> Result<Arc<Session>, NoSession> {
        let version = only(headers, MCP_PROTOCOL_VERSION).map_err(|()| NoSession::Ambiguous)?;
        if let Some(version) = version {
            let version = version.to_str().unwrap_or("").to_owned();
            if Revision::of(&version).is_none_or(|revision| revision.era() != Era::Legacy) {
                return Err(NoSession::Version(version));
            }
        }
        let id = only(headers, MCP_SESSION_ID).map_err(|()| NoSession::Ambiguous)?;
        let id = id.ok_or(NoSession::Missing)?;
        let id = id.to_str().map_err(|_| NoSession::Unknown)?;
        self.sessions
            .get(id, &caller.principal)
            .ok_or(NoSession::Unknown)
    }

    async fn legacy_request(
        self: &Arc<Self>,
        session: &Arc<Session>,
        request: Request,
        caller: &Arc<Caller>,
        active: Active,
    ) -> Response<Body> {
        let Some(in_flight) = session.begin(&request.id) else {
            return error_response(
                StatusCode::BAD_REQUEST,
                Some(&request.id),
                &in_flight_already(),
            );
        };
        let outgoing = Arc::new(Outgoing::new(Desk::session_logs(session)));
        let work = self.run(
            session,
            request,
            caller,
            in_flight,
            Arc::clone(&outgoing),
            active,
        );
        // A client that goes away has not cancelled: the work goes on without it.
        let work = self.desk.supervisor.spawn_request(work);
        let work = async move { work.await.unwrap_or_else(|_| Answered::nothing()) };
        one_stream(outgoing, work, &self.desk.supervisor).await
    }

    /// The work of one request, owned by nobody but itself.
    fn run(
        self: &Arc<Self>,
        session: &Arc<Session>,
        request: Request,
        caller: &Arc<Caller>,
        in_flight: InFlight,
        outgoing: Arc<Outgoing>,
        active: Active,
    ) -> impl Future<Output = Answered> + Send + use<> {
        let Request { id, method, params } = request;
        let context = self.context(session, caller, in_flight.cancel.clone(), outgoing);
        let desk = Arc::clone(&self.desk);
        async move {
            let reply = desk.answer(&method, params, context).await;
            drop((in_flight, active));
            Answered::of(&id, reply, |_| StatusCode::OK)
        }
    }

    fn context(
        &self,
        session: &Arc<Session>,
        caller: &Arc<Caller>,
        cancel: CancellationToken,
        client: Arc<Outgoing>,
    ) -> CallContext {
        CallContext {
            id: self.desk.dispatcher.next_call(),
            caller: Arc::clone(caller),
            profile: Arc::clone(&session.profile),
            session: Some(Arc::clone(session)),
            log_level: session.log_level(),
            timeout: None,
            cancel,
            client,
        }
    }

    /// Answers a batch in one array (MCP 2025-03-26). Notifications that its requests cause have no place in it.
    pub(super) async fn legacy_batch(
        self: &Arc<Self>,
        headers: &HeaderMap,
        batch: Vec<Result<Message, Reject>>,
        caller: &Arc<Caller>,
        active: Active,
    ) -> Response<Body> {
        let session = match self.session(headers, caller) {
            Ok(session) => session,
            Err(none) => return none.response(None),
        };
        if !session.profile.revision.has_batches() {
            let text = format!(
                "Invalid request: revision {} has no batches",
                session.profile.revision.as_str()
            );
            return error_response(
                StatusCode::BAD_REQUEST,
                None,
                &RpcError::new(INVALID_REQUEST, text),
            );
        }
        let (front, caller) = (Arc::clone(self), Arc::clone(caller));
        // As with single requests, a client that goes away has not cancelled.
        let work = self.desk.supervisor.spawn_request(async move {
            let _active = active;
            let answers = batch
                .into_iter()
                .map(|message| front.of_batch(&session, message, &caller));
            futures::future::join_all(answers).await
        });
        let answers: Vec<Vec<u8>> = work
            .await
            .unwrap_or_default()
            .into_iter()
            .flatten()
            .collect();
        if answers.is_empty() {
            return accepted();
        }
        let mut out = b"[".to_vec();
        out.extend_from_slice(&answers.join(&b","[..]));
        out.push(b']');
        json_response(StatusCode::OK, Body::of(Bytes::from(out)))
    }

    async fn of_batch(
        self: &Arc<Self>,
        session: &Arc<Session>,
        message: Result<Message, Reject>,
        caller: &Arc<Caller>,
    ) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match message {
            Err(reject) => write_error(&mut out, reject.id.as_ref(), &reject.error),
            Ok(Message::Notification(notification)) => heard(session, &notification),
            Ok(Message::Response(_)) => {}
            Ok(Message::Request(Request { id, method, params })) => {
                let Some(in_flight) = session.begin(&id) else {
                    write_error(&mut out, Some(&id), &in_flight_already());
                    return Some(out);
                };
                let outgoing = Arc::new(Outgoing::new(Logs::None));
                let context = self.context(session, caller, in_flight.cancel.clone(), outgoing);
                match self.desk.answer(&method, params, context).await {
                    Reply::Result(result) => {
                        write_result_head(&mut out, &id);
                        out.extend_from_slice(&result);
                        out.push(b'}');
                    }
                    Reply::Error(error) => write_error(&mut out, Some(&id), &error),
                    Reply::Asks(_) | Reply::Nothing => {}
                }
            }
        }
        (!out.is_empty()).then_some(out)
    }

    /// Opens the standalone stream of a session.
    pub(super) fn legacy_get(
        self: &Arc<Self>,
        headers: &HeaderMap,
        caller: &Caller,
    ) -> Response<Body> {
        let accepts = headers
            .get_all(http::header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let events_only = accepts.flat_map(|value| value.split(',')).any(|kind| {
            matches!(
                kind.split(';').next().unwrap_or("").trim(),
                "text/event-stream" | "text/*" | "*/*"
            )
        });
        if !events_only {
            let message = "send `Accept: text/event-stream`";
            return problem(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message);
        }
        let session = match self.session(headers, caller) {
            Ok(session) => session,
            // A modern client has no such stream.
            Err(NoSession::Version(_)) => return not_allowed(),
            Err(none) => return none.response(None),
        };
        if self.is_draining() {
            return busy("the gateway is stopping");
        }
        let begin = Standalone {
            outbox: session.open_stream(),
            session,
            changes: self.desk.registry().changes(),
            ended: self.draining.clone(),
        };
        events(stream(unfold(begin, Standalone::step)))
    }

    /// Ends a session.
    pub(super) fn legacy_delete(&self, headers: &HeaderMap, caller: &Caller) -> Response<Body> {
        match self.session(headers, caller) {
            Ok(session) => {
                self.sessions.close(&session);
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
            Err(NoSession::Version(_)) => not_allowed(),
            Err(none) => none.response(None),
        }
    }
}

/// Takes note of what a client tells.
fn heard(session: &Session, notification: &Notification) {
    session.touch();
    if notification.method == Method::Cancelled
        && let Some(id) = notification
            .params
            .members
            .get("requestId")
            .and_then(Id::of)
    {
        session.cancel(&id);
    }
}

fn in_flight_already() -> RpcError {
    RpcError::new(
        INVALID_REQUEST,
        "Invalid request: a request of this `id` is in flight",
    )
}

impl NoSession {
    fn response(self, id: Option<&Id>) -> Response<Body> {
        let (status, error) = match self {
            Self::Missing => {
                let message = "Invalid request: send the `Mcp-Session-Id` that `initialize` was answered with";
                (
                    StatusCode::BAD_REQUEST,
                    RpcError::new(INVALID_REQUEST, message),
                )
            }
            Self::Ambiguous => {
                let message = "Invalid request: a header of MCP stands there more than once";
                (
                    StatusCode::BAD_REQUEST,
                    RpcError::new(INVALID_REQUEST, message),
                )
            }
            Self::Unknown => {
                let message = "Session not found: send `initialize` again, without a session id";
                (
                    StatusCode::NOT_FOUND,
                    RpcError::new(INVALID_REQUEST, message),
                )
            }
            Self::Version(version) => (
                StatusCode::BAD_REQUEST,
                crate::front::desk::unsupported(&version),
            ),
        };
        error_response(status, id, &error)
    }
}

/// The standalone stream of a session while somebody reads it.
struct Standalone {
    session: Arc<Session>,
    outbox: Arc<Outbox>,
    changes: Changes,
    ended: CancellationToken,
}

impl Standalone {
    async fn step(mut self) -> Option<(Bytes, Self)> {
        let message = tokio::select! {
            message = self.outbox.next() => event(&message?),
            () = self.changes.next() => {
                let mut out = Vec::new();
                write_notification(&mut out, &Method::ToolsListChanged, &Params::default());
                event(&out)
            }
            () = self.ended.cancelled() => return None,
            () = tokio::time::sleep(KEEP_ALIVE) => comment(),
        };
        Some((message, self))
    }
}

impl Drop for Standalone {
    fn drop(&mut self) {
        self.session.close_stream(&self.outbox);
    }
}
