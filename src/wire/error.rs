//! JSON-RPC errors and their codes.

use serde::{Deserialize, Serialize};

use crate::wire::json::Json;

/// Invalid JSON (JSON-RPC 2.0 section 5.1).
pub const PARSE_ERROR: i64 = -32700;
/// Not a request object (JSON-RPC 2.0 section 5.1).
pub const INVALID_REQUEST: i64 = -32600;
/// The method does not exist (JSON-RPC 2.0 section 5.1).
pub const METHOD_NOT_FOUND: i64 = -32601;
/// Invalid parameters; also an unknown tool, prompt or resource (MCP).
pub const INVALID_PARAMS: i64 = -32602;
/// A failure of ours (JSON-RPC 2.0 section 5.1).
pub const INTERNAL_ERROR: i64 = -32603;
/// A resource that is not there: the code that legacy servers use and modern ones must not (MCP 2025-11-25, resources).
pub const RESOURCE_NOT_FOUND: i64 = -32002;
/// Headers and body disagree (MCP 2026-07-28).
pub const HEADER_MISMATCH: i64 = -32020;
/// The client did not declare a capability that the request needs (MCP 2026-07-28).
pub const MISSING_CLIENT_CAPABILITY: i64 = -32021;
/// A protocol revision that is not served (MCP 2026-07-28).
pub const UNSUPPORTED_PROTOCOL_VERSION: i64 = -32022;

/// The error of a JSON-RPC response.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct RpcError {
    /// One of the constants of this module, or a plugin's own.
    pub code: i64,
    /// One sentence for a person.
    pub message: String,
    /// What a program can use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Json>,
}

impl RpcError {
    /// An error without data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// The same error with data.
    #[must_use]
    pub fn with_data<T: Serialize>(mut self, data: &T) -> Self {
        self.data = Some(Json::of(data));
        self
    }

    /// Whether only a server of the modern era answers with this code (MCP 2026-07-28, versioning).
    pub fn is_modern(&self) -> bool {
        matches!(
            self.code,
            HEADER_MISMATCH | MISSING_CLIENT_CAPABILITY | UNSUPPORTED_PROTOCOL_VERSION
        )
    }
}
