//! The plugins that come with the gateway, compiled in.
//!
//! Adding one: a file here, a folder with its manifest under `plugins/`, a row in [`all`].

mod clock;

mod echo;

mod events_demo;

mod hash;

#[cfg(feature = "kubernetes")]
mod kubernetes;

#[cfg(feature = "llm")]
mod llm;

mod mcp_http;

#[cfg(feature = "monitoring")]
mod monitoring;

mod observability;

mod ping;

#[cfg(feature = "postgres")]
mod postgres;

#[cfg(feature = "runbook")]
mod runbook;

#[cfg(feature = "shell")]
mod shell;

#[cfg(any(feature = "kubernetes", feature = "monitoring", feature = "postgres"))]
mod table;

mod text;

mod webui;

use std::sync::Arc;

use crate::plugin::{Factory, Plugin};

/// Rows of [`all`]: an id, which is also its folder's name under `plugins/`, and what makes the plugin.
macro_rules! rows {
    ($($(#[$when:meta])* $id:literal => $make:expr,)*) => {
        vec![$($(#[$when])* row($id, include_str!(concat!("../plugins/", $id, "/plugin.toml")), $make),)*]
    };
}

/// A compiled-in plugin.
#[derive(Clone)]
pub struct Builtin {
    /// Its id, the one in its manifest.
    pub id: &'static str,
    /// Its manifest. The `entry` in it is `builtin:` and the id.
    pub manifest_toml: &'static str,
    /// Makes it.
    pub factory: Factory,
}

/// All of them, by id.
pub fn all() -> Vec<Builtin> {
    rows! {
        "clock" => || clock::Clock,
        "echo" => || echo::Echo,
        "events_demo" => events_demo::EventsDemo::default,
        "hash" => || hash::Hash,
        #[cfg(feature = "kubernetes")]
        "kubernetes" => kubernetes::Kubernetes::default,
        #[cfg(feature = "llm")]
        "llm" => llm::Llm::default,
        "mcp_http" => mcp_http::McpHttp::default,
        #[cfg(feature = "monitoring")]
        "monitoring" => monitoring::Monitoring::default,
        "observability" => observability::Observability::default,
        "ping" => || ping::Ping,
        #[cfg(feature = "postgres")]
        "postgres" => postgres::Postgres::default,
        #[cfg(feature = "runbook")]
        "runbook" => runbook::Runbooks::default,
        #[cfg(feature = "shell")]
        "shell" => shell::ShellPlugin::default,
        "text" => || text::Text,
        "webui" => || webui::WebUi,
    }
}

fn row<P: Plugin>(
    id: &'static str,
    manifest_toml: &'static str,
    make: impl Fn() -> P + Send + Sync + 'static,
) -> Builtin {
    Builtin {
        id,
        manifest_toml,
        factory: Arc::new(move || Arc::new(make())),
    }
}

impl Builtin {
    /// What the manifest's `in_process.entry` names it by.
    pub fn entry(&self) -> String {
        format!("builtin:{}", self.id)
    }
}

#[cfg(test)]
mod tests;
