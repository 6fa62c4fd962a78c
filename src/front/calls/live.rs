//! `GET /api/calls/stream`: calls as they are recorded.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query};
use http::Response;

use crate::front::admin::answer::bad_request;
use crate::front::calls::query::CallsQuery;
use crate::front::calls::{shown, unavailable};
use crate::front::http::body::Body;
use crate::front::http::routes::Door;
use crate::front::live::{Broadcast, live, written};
use crate::ledger::documents::NotKept;
use crate::ledger::ids;
use crate::ledger::record::CallRow;
use crate::model::caller::Caller;
use crate::wire::json::Json;

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
    let Some(receiver) = front.desk.ledger.tail() else {
        return unavailable(&NotKept("it is off (`ledger.url`)".to_owned()));
    };
    let write = move |call: Arc<CallRow>| {
        let data = || Json::of(&shown::call(&call));
        let write = || written("call", Some(&ids::shown(call.id)), &data());
        filter.wants(&call).then(write)
    };
    live(&front, Broadcast { receiver, write })
}
