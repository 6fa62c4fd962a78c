//! Keys of `_meta` that mean something to us. All others pass through.

/// The revision of the request (modern, required).
pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// What the client can do (modern, required).
pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// Name and version of the client (modern).
pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// The level from which log messages are wanted (modern).
pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// Name and version of the server (modern results).
pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
/// The listen request that a notification belongs to (modern).
pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
/// What progress notifications of a request are marked with.
pub const PROGRESS_TOKEN: &str = "progressToken";

/// The extension for tasks (modern), as it stands among the extensions of a capability.
pub const TASKS: &str = "io.modelcontextprotocol/tasks";

/// The incident that a call belongs to. Read by the gateway, and not passed on.
pub const INCIDENT: &str = "toolgate/incident";

/// Asks for a call that changes nothing and says what it would do.
pub const DRY_RUN: &str = "toolgate/dry_run";

/// What a person has agreed to that a call does. Written by the gateway for tools of its own, and taken from no one else.
pub const AGREED: &str = "toolgate/agreed";

/// The keys that belong to one hop of a modern request and are written anew for the next.
pub const PER_HOP: [&str; 4] = [
    PROTOCOL_VERSION,
    CLIENT_CAPABILITIES,
    CLIENT_INFO,
    LOG_LEVEL,
];
