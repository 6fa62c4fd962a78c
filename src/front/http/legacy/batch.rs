//! Several messages in one POST (MCP 2025-03-26).

use std::sync::Arc;

use bytes::Bytes;
use http::header::HeaderMap;
use http::{Response, StatusCode};

use crate::front::http::body::{Body, json_response};
use crate::front::http::legacy::call::{in_flight_already, respond};
use crate::front::http::legacy::post_stream::{Ending, PostStream};
use crate::front::http::mcp::{accepted, error_response};
use crate::front::http::{Active, HttpFront};
use crate::front::incidents::naming::named;
use crate::model::caller::Caller;
use crate::session::Session;
use crate::wire::error::{INVALID_REQUEST, RpcError};
use crate::wire::message::{Message, Reject, write_error};
use crate::wire::meta;

impl HttpFront {
    /// Answers a batch: in one array, or, where its requests have something to tell or to ask, by a stream that carries
    /// this and then the answers.
    pub(in crate::front::http) async fn legacy_batch(
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
        let revision = session.profile.revision;
        if !revision.has_batches() {
            let text = format!(
                "Invalid request: revision {} has no batches",
                revision.as_str()
            );
            let error = RpcError::new(INVALID_REQUEST, text);
            return error_response(StatusCode::BAD_REQUEST, None, &error);
        }
        let incident = named(headers);
        let stream = PostStream::new(&session);
        let (front, caller) = (Arc::clone(self), Arc::clone(caller));
        let (of_session, to_client) = (Arc::clone(&session), Arc::clone(&stream));
        // As with single requests, a client that goes away has not cancelled.
        let work = self.desk.supervisor.spawn_request(async move {
            let _active = active;
            let ending = Ending(Arc::clone(&to_client));
            let answers = batch.into_iter().map(|mut message| {
                if let (Some(id), Ok(Message::Request(request))) = (&incident, &mut message) {
                    request.params.meta.set(meta::INCIDENT, id.clone());
                }
                front.of_batch(&of_session, message, &caller, &to_client)
            });
            let answers = futures::future::join_all(answers).await;
            let answers = answers.into_iter().flatten();
            if ending.0.is_whole() {
                return Some(answers.collect::<Vec<Bytes>>());
            }
            ending.0.finish(answers);
            None
        });
        let work = async { work.await.unwrap_or_else(|_| Some(Vec::new())) };
        respond(&session, &stream, work, |answers| {
            if answers.is_empty() {
                return accepted();
            }
            let mut out = b"[".to_vec();
            out.extend_from_slice(&answers.join(&b","[..]));
            out.push(b']');
            json_response(StatusCode::OK, Body::of(Bytes::from(out)))
        })
        .await
    }

    async fn of_batch(
        &self,
        session: &Arc<Session>,
        message: Result<Message, Reject>,
        caller: &Arc<Caller>,
        stream: &Arc<PostStream>,
    ) -> Option<Bytes> {
        let refused = |id, error| {
            let mut out = Vec::with_capacity(256);
            write_error(&mut out, id, error);
            Some(out.into())
        };
        match message {
            Err(reject) => refused(reject.id.as_ref(), &reject.error),
            Ok(Message::Notification(notification)) => {
                self.heard(session, notification);
                None
            }
            Ok(Message::Response(response)) => {
                session.answered(response);
                None
            }
            Ok(Message::Request(request)) => {
                let Some(in_flight) = session.begin(&request.id) else {
                    return refused(Some(&request.id), &in_flight_already());
                };
                self.legacy_answer(session, request, caller, in_flight, stream)
                    .await
                    .message()
            }
        }
    }
}
