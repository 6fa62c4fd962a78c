//! The way back from a call to the client that made it.

use futures::future::BoxFuture;

use crate::wire::error::{METHOD_NOT_FOUND, RpcError};
use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::method::Method;

/// Reaches the client of one call while the call runs.
pub trait Client: Send + Sync {
    /// Tells the client something about this call: progress, a log message. Never waits; what a full buffer cannot take
    /// is dropped and counted.
    fn notify(&self, method: &Method, params: &Params);

    /// Asks the client: elicitation, sampling, roots. The answer is the result or the client's error.
    fn ask(&self, method: Method, params: Params) -> BoxFuture<'_, Result<Json, RpcError>>;
}

/// A client that hears nothing and answers nothing: scripts over plain HTTP.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deaf;

impl Client for Deaf {
    fn notify(&self, _: &Method, _: &Params) {}

    fn ask(&self, method: Method, _: Params) -> BoxFuture<'_, Result<Json, RpcError>> {
        let error = RpcError::new(
            METHOD_NOT_FOUND,
            format!("this client cannot be asked `{method}`"),
        );
        Box::pin(std::future::ready(Err(error)))
    }
}
