//! How plugins say that something did not work.

use serde_json::json;

use crate::wire::error::{INTERNAL_ERROR, INVALID_PARAMS, RESOURCE_NOT_FOUND, RpcError};
use crate::wire::json::Json;

/// What a hook comes to. `?` works on every error, and `Err("no such file".into())` on a sentence.
pub type HookResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A tool could not do what it was asked. The caller gets the message as a result with `isError`, which the model can
/// act on. Made from any error by `?`, so mind what its text tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolError(String);

/// A prompt, a resource or a completion cannot be given. The caller gets it as a JSON-RPC error. Made from any error by
/// `?`, then with the code -32603, so mind what its text tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestError(RpcError);

// Not an `Error` itself: that would make the conversion below collide with the one from a type to itself.
impl<E: std::error::Error> From<E> for ToolError {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl ToolError {
    /// A failure with a sentence for the model.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.0
    }

    /// The tool result that says it (MCP 2026-07-28, tools, error handling).
    pub(crate) fn to_result(&self) -> Json {
        let mut out = br#"{"content":[{"type":"text","text":"#.to_vec();
        out.extend_from_slice(Json::of(&self.0).bytes());
        out.extend_from_slice(br#"}],"isError":true}"#);
        Json::assembled(out)
    }
}

impl<E: std::error::Error> From<E> for RequestError {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

/// Reaches the caller as it is.
impl From<RpcError> for RequestError {
    fn from(error: RpcError) -> Self {
        Self(error)
    }
}

impl RequestError {
    /// A failure of the plugin, -32603.
    pub fn new(message: impl Into<String>) -> Self {
        Self(RpcError::new(INTERNAL_ERROR, message))
    }

    /// The argument `name` cannot be taken, -32602.
    pub fn bad_argument(name: &str, why: impl std::fmt::Display) -> Self {
        Self(bad_argument(name, why))
    }

    /// There is no resource `uri`: -32002 for legacy callers, -32602 for modern ones (MCP 2026-07-28, resources).
    pub fn no_resource(uri: &str) -> Self {
        Self(no_resource(uri))
    }

    pub(crate) fn into_rpc(self) -> RpcError {
        self.0
    }
}

/// The error of an argument that cannot be taken; without a name, of all together.
pub(crate) fn bad_argument(name: &str, why: impl std::fmt::Display) -> RpcError {
    let slash = if name.is_empty() { "" } else { "/" };
    let message = format!("Invalid params: `/params/arguments{slash}{name}`: {why}");
    RpcError::new(INVALID_PARAMS, message)
}

/// The error of arguments that a prompt's type does not take.
pub(crate) fn bad_arguments(why: serde_json::Error) -> RequestError {
    RequestError(bad_argument("", format!("do not fit the prompt: {why}")))
}

/// The error of a resource that is not there, in words of the legacy era.
pub(crate) fn no_resource(uri: &str) -> RpcError {
    let error = RpcError::new(RESOURCE_NOT_FOUND, format!("Resource not found: `{uri}`"));
    error.with_data(&json!({ "uri": uri }))
}

impl std::fmt::Display for RequestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::fmt::Display for ToolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
