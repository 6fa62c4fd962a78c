//! Requests of the legacy era and the sessions they belong to (MCP 2025-03-26 to 2025-11-25).

mod batch;

mod call;

mod post_stream;

mod reading;

mod standing;

use std::sync::Arc;

use http::header::{HeaderMap, HeaderValue};
use http::{Response, StatusCode};

use crate::front::denied::denied;
use crate::front::desk::Desk;
use crate::front::http::body::{Body, json_response};
use crate::front::http::guard::only;
use crate::front::http::mcp::{accepted, busy, error_response, not_allowed};
use crate::front::http::{Active, HttpFront};
use crate::front::incidents::naming::name_incident;
use crate::front::session_client::{SessionClient, StandaloneWay};
use crate::model::caller::Caller;
use crate::session::Session;
use crate::wire::error::{INVALID_REQUEST, RpcError};
use crate::wire::header::{MCP_PROTOCOL_VERSION, MCP_SESSION_ID};
use crate::wire::message::{Id, Message, Notification, Request, write_result_head};
use crate::wire::method::Method;
use crate::wire::revision::{Era, Revision};

/// Why a request finds no session.
enum NoSession {
    /// It names none.
    Missing,
    /// It names one that is over, or that never was.
    Unknown,
    /// It names someone else's, and is told the same.
    Foreign,
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
            return self.open_session(request, caller).await;
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
            Message::Request(mut request) => {
                name_incident(headers, &mut request.params);
                self.legacy_request(&session, request, caller, active).await
            }
            Message::Notification(notification) => {
                self.heard(&session, notification);
                accepted()
            }
            Message::Response(response) => {
                // A client must not be told off for being late.
                if !session.answered(response) {
                    tracing::debug!("Dropped an answer to nothing");
                }
                accepted()
            }
        }
    }

    /// Takes note of what a client tells.
    fn heard(&self, session: &Arc<Session>, notification: Notification) {
        session.touch();
        if notification.method != Method::Cancelled {
            return self.desk.told(session, notification);
        }
        session.cancel(&notification.params);
    }

    async fn open_session(&self, request: &Request, caller: &Caller) -> Response<Body> {
        let profile = match Desk::legacy_profile(&request.params) {
            Ok(profile) => profile,
            Err(error) => return error_response(StatusCode::OK, Some(&request.id), &error),
        };
        let result = self.desk.welcome(profile.revision, caller).await;
        let Some(session) = self.sessions.open(caller, Arc::new(profile)) else {
            return busy("there is no room for another session (`server.sessions`)");
        };
        session
            .ask_by(|session| SessionClient::outside(session, StandaloneWay(Arc::clone(session))));
        let mut head = Vec::with_capacity(64);
        write_result_head(&mut head, &request.id);
        let mut response = json_response(StatusCode::OK, Body::around(head, result, b"}"));
        let id = HeaderValue::from_str(&session.id).expect("session ids are visible ASCII");
        response.headers_mut().insert(MCP_SESSION_ID, id);
        response
    }

    /// The session that a request names.
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
        let known = self.sessions.get(id, caller);
        known.ok_or_else(|| match self.sessions.knows(id) {
            true => NoSession::Foreign,
            false => NoSession::Unknown,
        })
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

impl NoSession {
    fn response(self, id: Option<&Id>) -> Response<Body> {
        let is_foreign = matches!(self, Self::Foreign);
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
            Self::Unknown | Self::Foreign => {
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
        let response = error_response(status, id, &error);
        match is_foreign {
            true => denied(response, "foreign_session"),
            false => response,
        }
    }
}
