//! A connection to an MCP server, below eras and handshakes.

use std::time::Duration;

use futures::future::BoxFuture;

use crate::model::fault::{Fault, FaultKind};
use crate::runtime::CallContext;
use crate::wire::message::{Outcome, Params};
use crate::wire::method::Method;
use crate::wire::revision::Revision;

/// Carries requests to one server. Ids are the link's own.
pub trait Link: Send + Sync {
    /// Sends a request and waits for its answer; without a deadline of its own. Dropping the future abandons the request
    /// and tells the server. Notifications that belong to the request go to `call`'s client, progress tokens mapped back.
    fn request<'a>(
        &'a self,
        method: &'a Method,
        params: Params,
        call: Option<&'a CallContext>,
    ) -> BoxFuture<'a, Result<Outcome, Fault>>;

    /// Sends a notification.
    fn notify<'a>(&'a self, method: &'a Method, params: Params)
    -> BoxFuture<'a, Result<(), Fault>>;

    /// The server has agreed to `revision` in its answer to `initialize`; what follows is sent in it.
    fn agreed(&self, _revision: Revision) {}
}

/// Sends a request of the gateway's own, which must be answered within `deadline`.
pub(crate) async fn ask(
    link: &dyn Link,
    method: &Method,
    params: Params,
    deadline: Duration,
) -> Result<Outcome, Fault> {
    match tokio::time::timeout(deadline, link.request(method, params, None)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Fault::new(
            FaultKind::Timeout,
            format!("no answer to `{method}` within {} ms", deadline.as_millis()),
        )),
    }
}
