//! One request of a session: answered by JSON, or by a stream once there is something to stream.

use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};

use crate::front::desk::Desk;
use crate::front::http::body::Body;
use crate::front::http::legacy::post_stream::{Answering, Ending, PostStream};
use crate::front::http::legacy::reading::Reading;
use crate::front::http::mcp::{accepted, error_response};
use crate::front::http::modern::whole;
use crate::front::http::stream::Answered;
use crate::front::http::{Active, HttpFront};
use crate::front::session_client::SessionClient;
use crate::model::caller::Caller;
use crate::runtime::CallContext;
use crate::session::{InFlight, Session};
use crate::wire::error::{INVALID_REQUEST, RpcError};
use crate::wire::message::Request;

/// How long a client that could come back to a stream waits for JSON, to which it cannot come back.
const STREAM_AFTER: Duration = Duration::from_secs(1);

impl HttpFront {
    pub(super) async fn legacy_request(
        self: &Arc<Self>,
        session: &Arc<Session>,
        request: Request,
        caller: &Arc<Caller>,
        active: Active,
    ) -> Response<Body> {
        let Some(in_flight) = session.begin(&request.id) else {
            let error = in_flight_already();
            return error_response(StatusCode::BAD_REQUEST, Some(&request.id), &error);
        };
        let stream = PostStream::new(session);
        let (front, caller) = (Arc::clone(self), Arc::clone(caller));
        let (of_session, to_client) = (Arc::clone(session), Arc::clone(&stream));
        // A client that goes away has not cancelled: the work goes on without it.
        let work = self.desk.supervisor.spawn_request(async move {
            let _active = active;
            let ending = Ending(Arc::clone(&to_client));
            let answered = front
                .legacy_answer(&of_session, request, &caller, in_flight, &to_client)
                .await;
            if ending.0.is_whole() {
                return Some(answered);
            }
            ending.0.finish(answered.message());
            None
        });
        let work = async { work.await.unwrap_or_else(|_| Some(Answered::nothing())) };
        respond(session, &stream, work, |answered| {
            if answered.is_nothing() {
                accepted()
            } else {
                whole(answered)
            }
        })
        .await
    }

    /// Carries a request out. When this returns its id may be used again.
    pub(super) async fn legacy_answer(
        &self,
        session: &Arc<Session>,
        request: Request,
        caller: &Arc<Caller>,
        in_flight: InFlight,
        stream: &Arc<PostStream>,
    ) -> Answered {
        let Request { id, method, params } = request;
        let call = self.desk.dispatcher.next_call();
        let logs = Desk::session_logs(session);
        let client = SessionClient::new(session, call, logs, Arc::clone(stream));
        let at_end = client.at_end();
        let context = CallContext {
            id: call,
            caller: Arc::clone(caller),
            profile: Arc::clone(&session.profile),
            session: Some(Arc::clone(session)),
            log_level: session.log_level(),
            timeout: None,
            cancel: in_flight.cancel.clone(),
            farewell: Some(in_flight.farewell.clone()),
            client,
        };
        let reply = self.desk.answer(&method, params, context).await;
        drop((at_end, in_flight));
        Answered::of(&id, reply, |_| StatusCode::OK)
    }
}

/// Answers a POST: by what `work` gives, or by `stream` where it gives nothing or takes long. Dropping the future leaves
/// the work alone.
pub(super) async fn respond<T>(
    session: &Arc<Session>,
    stream: &PostStream,
    work: impl Future<Output = Option<T>>,
    as_json: impl FnOnce(T) -> Response<Body>,
) -> Response<Body> {
    let _answering = Answering(stream);
    tokio::pin!(work);
    let is_resumable = session.profile.revision.has_priming();
    let answered = tokio::select! {
        biased;
        answered = &mut work => answered,
        () = stream.began() => None,
        () = tokio::time::sleep(STREAM_AFTER), if is_resumable => None,
    };
    if let Some(answered) = answered {
        return as_json(answered);
    }
    match stream.read() {
        Some((reader, before)) => Reading::new(session, reader, before).response(),
        // It came at the last moment.
        None => work.await.map_or_else(accepted, as_json),
    }
}

/// The error for an id that is taken (JSON-RPC 2.0 section 4).
pub(super) fn in_flight_already() -> RpcError {
    RpcError::new(
        INVALID_REQUEST,
        "Invalid request: a request of this `id` is in flight",
    )
}
