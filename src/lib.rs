//! toolgate: an MCP gateway.

pub mod wire;
