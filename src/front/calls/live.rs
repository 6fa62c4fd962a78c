//! `GET /api/calls/stream`: calls as they are recorded.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query};
use bytes::Bytes;
use futures::stream::unfold;
use http::Response;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::front::admin::answer::bad_request;
use crate::front::calls::query::CallsQuery;
use crate::front::calls::{shown, unavailable};
use crate::front::http::body::{Body, stream as body};
use crate::front::http::listen::{KEEP_ALIVE, comment};
use crate::front::http::routes::Door;
use crate::front::http::stream::events;
use crate::ledger::documents::NotKept;
use crate::ledger::ids;
use crate::ledger::record::{CallFilter, CallRow};
use crate::model::caller::Caller;
use crate::wire::json::Json;
use crate::wire::sse::write_named_event;

/// Opens the stream. It ends with the gateway; who reads too slowly misses calls, and is told how many.
pub(in crate::front) async fn stream(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    query: Result<Query<CallsQuery>, QueryRejection>,
) -> Response<Body> {
    let Ok(Query(query)) = query else {
        return bad_request("the parameters are words");
    };
    let (filter, _) = match query.read(&caller) {
        Ok(read) => read,
        Err(message) => return bad_request(&message),
    };
    let Some(tail) = front.desk.ledger.tail() else {
        return unavailable(&NotKept("it is off (`ledger.url`)".to_owned()));
    };
    let live = Live {
        tail,
        filter,
        ended: front.draining().clone(),
        is_new: true,
    };
    events(body(unfold(live, Live::step)))
}

struct Live {
    tail: Receiver<Arc<CallRow>>,
    filter: CallFilter,
    ended: CancellationToken,
    is_new: bool,
}

impl Live {
    async fn step(mut self) -> Option<(Bytes, Self)> {
        if std::mem::take(&mut self.is_new) {
            // Who listens learns that it is listened to.
            return Some((comment(), self));
        }
        loop {
            let next = tokio::select! {
                biased;
                () = self.ended.cancelled() => return None,
                next = self.tail.recv() => next,
                () = tokio::time::sleep(KEEP_ALIVE) => return Some((comment(), self)),
            };
            let mut out = Vec::with_capacity(512);
            match next {
                Ok(call) if self.filter.wants(&call) => {
                    let data = Json::of(&shown::call(&call));
                    write_named_event(&mut out, "call", Some(&ids::shown(call.id)), data.bytes());
                }
                Ok(_) => continue,
                Err(RecvError::Lagged(missed)) => {
                    let data = Json::of(&json!({ "missed": missed }));
                    write_named_event(&mut out, "missed", None, data.bytes());
                }
                Err(RecvError::Closed) => return None,
            }
            return Some((out.into(), self));
        }
    }
}
