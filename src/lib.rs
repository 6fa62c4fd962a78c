//! toolgate: an MCP gateway.

pub mod wire;

pub mod model;

pub mod background;
pub mod manifest;
pub mod plugin;
pub mod schema;
pub mod session;

pub mod runtime;

pub mod builtin;
pub mod registry;

pub mod dispatch;

pub mod front;

pub mod config;

pub mod app;
pub mod cli;
pub mod telemetry;
