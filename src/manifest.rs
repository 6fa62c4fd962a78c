//! What a plugin says of itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::model::plugin_id::PluginId;

#[derive(Debug, Clone)]
pub struct Manifest {
    pub id: PluginId,
    pub name: Option<String>,
    pub runtime: Vec<RuntimeKind>,
    pub isolation: Option<Isolation>,
    pub prefix: Option<String>,
    pub era: EraChoice,
    pub in_process: Option<InProcess>,
    pub mcp_stdio: Option<McpStdio>,
    pub mcp_http: Option<McpHttp>,
    pub limits: Limits,
    pub config: toml::Table,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeKind {
    InProcess,
    McpStdio,
    McpHttp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    Session,
    Shared,
    Call,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EraChoice {
    #[default]
    Auto,
    Legacy,
    Modern,
}

#[derive(Debug, Clone)]
pub struct InProcess {
    pub entry: String,
}

#[derive(Debug, Clone)]
pub struct McpStdio {
    pub command: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub env_passthrough: Vec<String>,
    pub cwd: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub struct McpHttp {
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub bearer_token: Option<String>,
    pub connect_timeout_ms: u64,
}

#[derive(Debug, Clone)]
pub struct Limits {
    pub max_instances: usize,
    pub max_concurrent_calls: usize,
    pub max_queue: usize,
    pub call_timeout_ms: u64,
    pub max_call_ms: u64,
    pub start_timeout_ms: u64,
    pub idle_timeout_ms: u64,
    pub max_message_bytes: usize,
    pub max_tools: usize,
    pub max_list_pages: usize,
    pub max_description_bytes: usize,
    pub stderr_buffer_bytes: usize,
}
