//! Bodies that something else hangs on: what is held while they are written, and what ends them.

use futures::StreamExt;
use http_body::Body;
use tokio_util::sync::CancellationToken;

use crate::plugin::routes::{ResponseBody, RouteResponse};

/// Whether nobody knows how long the answer will be.
pub(crate) fn is_stream(response: &RouteResponse) -> bool {
    response.body().size_hint().exact().is_none()
}

/// The same answer; `held` is dropped when it has been written, or is not wanted any more.
pub(crate) fn hold(response: RouteResponse, held: impl Send + 'static) -> RouteResponse {
    response.map(|body| {
        let mut parts = body.into_data_stream();
        ResponseBody::from_stream(futures::stream::poll_fn(move |context| {
            // What is held goes when this does.
            let _held = &held;
            parts.poll_next_unpin(context)
        }))
    })
}

/// The same answer; a stream ends when `end` is cancelled.
pub(crate) fn until(response: RouteResponse, end: CancellationToken) -> RouteResponse {
    if !is_stream(&response) {
        return response;
    }
    response.map(|body| {
        let parts = body.into_data_stream();
        ResponseBody::from_stream(parts.take_until(end.cancelled_owned()))
    })
}
