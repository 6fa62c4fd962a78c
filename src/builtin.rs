//! The plugins that come with the gateway, compiled in.
//!
//! Adding one: a file here, a folder with its manifest under `plugins/`, a row in [`all`].

mod clock;

mod echo;

mod hash;

#[cfg(feature = "monitoring")]
mod monitoring;

#[cfg(feature = "postgres")]
mod postgres;

#[cfg(feature = "runbook")]
mod runbook;

#[cfg(any(feature = "monitoring", feature = "postgres"))]
mod table;

mod text;

use std::sync::Arc;

use crate::plugin::{Factory, Plugin};

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
    let mut all = vec![
        row(
            "clock",
            include_str!("../plugins/clock/plugin.toml"),
            || clock::Clock,
        ),
        row("echo", include_str!("../plugins/echo/plugin.toml"), || {
            echo::Echo
        }),
        row("hash", include_str!("../plugins/hash/plugin.toml"), || {
            hash::Hash
        }),
        row("text", include_str!("../plugins/text/plugin.toml"), || {
            text::Text
        }),
    ];
    #[cfg(feature = "monitoring")]
    all.push(row(
        "monitoring",
        include_str!("../plugins/monitoring/plugin.toml"),
        monitoring::Monitoring::default,
    ));
    #[cfg(feature = "postgres")]
    all.push(row(
        "postgres",
        include_str!("../plugins/postgres/plugin.toml"),
        postgres::Postgres::default,
    ));
    #[cfg(feature = "runbook")]
    all.push(row(
        "runbook",
        include_str!("../plugins/runbook/plugin.toml"),
        runbook::Runbooks::default,
    ));
    all.sort_by_key(|builtin| builtin.id);
    all
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
