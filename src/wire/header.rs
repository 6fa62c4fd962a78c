//! The `Mcp-*` headers: names, values, and what they must repeat of the body.
//!
//! Rules: revision 2026-07-28, "Streamable HTTP" (Request Metadata, Server Validation) and "Tools"
//! (x-mcp-header). Header names are in lower case here, as HTTP libraries want them; they compare
//! without case.

mod argument;
mod check;
mod param;
mod value;

pub use crate::wire::header::argument::{check_params, mirror};
pub use crate::wire::header::check::{HeaderMismatch, HeaderProblem, check_standard};
pub use crate::wire::header::param::{
    InvalidParamHeader, ParamHeader, ParamHeaderProblem, ParamKind, param_headers,
};
pub use crate::wire::header::value::{HeaderError, decode_value, encode_value};

/// The revision a request speaks. On every request since 2025-06-18.
pub const MCP_PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// The JSON-RPC method. On every request since 2026-07-28.
pub const MCP_METHOD: &str = "mcp-method";
/// The tool, prompt, resource or task a request is about, in the form of [`encode_value`].
pub const MCP_NAME: &str = "mcp-name";
/// What the headers of mirrored tool arguments begin with.
pub const MCP_PARAM_PREFIX: &str = "Mcp-Param-";
/// The session of a legacy client.
pub const MCP_SESSION_ID: &str = "mcp-session-id";
/// The last event a legacy client saw before it lost its stream.
pub const LAST_EVENT_ID: &str = "last-event-id";
