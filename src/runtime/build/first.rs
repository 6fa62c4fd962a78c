//! A runtime that builds a plugin before it starts it, as `build.when` says.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use crate::background::Supervisor;
use crate::manifest::upkeep::BuildWhen;
use crate::manifest::{Isolation, Manifest};
use crate::model::fault::{Fault, FaultKind};
use crate::runtime::build::{Builder, SourceState, build_of};
use crate::runtime::{Host, Instance, Runtime};

/// The runtime of one plugin that lies in a folder. It lives as long as the plugin is registered: a build that failed is
/// not repeated by it, since every call would wait for that, and what was built `always` is built by it once.
pub struct BuildFirst {
    runtime: Arc<dyn Runtime>,
    builder: Builder,
    folder: PathBuf,
    past: Mutex<Past>,
}

/// What came of the builds so far.
#[derive(Default)]
enum Past {
    #[default]
    Nothing,
    Built,
    Failed(Fault),
}

impl BuildFirst {
    /// Starts with `runtime` the plugin in `folder`, after `builder` has built it.
    pub fn new(runtime: Arc<dyn Runtime>, builder: Builder, folder: PathBuf) -> Self {
        Self {
            runtime,
            builder,
            folder,
            past: Mutex::default(),
        }
    }

    /// Builds it if that is to be done now.
    async fn prepare(&self, plugin: &Manifest, supervisor: &Supervisor) -> Result<(), Fault> {
        let Some(build) = build_of(plugin, &self.folder) else {
            return Ok(());
        };
        let state = self.builder.state(plugin, Some(&self.folder));
        let is_missing = matches!(state, SourceState::SourceOnly { .. });
        if build.when == BuildWhen::Never && is_missing {
            return Err(not_built(plugin));
        }
        let always = build.when == BuildWhen::Always;
        if let Past::Failed(fault) = &*self.past()
            && (always || is_missing)
            && !self.was_built_by_hand()
        {
            return Err(fault.again());
        }
        let rebuild = always && matches!(*self.past(), Past::Nothing);
        if !rebuild && !is_missing {
            return Ok(());
        }
        let built = self
            .builder
            .build(plugin, &self.folder, rebuild, supervisor)
            .await;
        *self.past() = match &built {
            Ok(_) => Past::Built,
            Err(fault) => Past::Failed(fault.again()),
        };
        built.map(drop)
    }

    /// Whether the latest build, whoever wanted it, did not fail.
    fn was_built_by_hand(&self) -> bool {
        let latest = self.builder.log(&self.folder);
        latest.is_some_and(|latest| latest.took.is_some() && latest.failure.is_none())
    }

    fn past(&self) -> std::sync::MutexGuard<'_, Past> {
        self.past.lock().expect("no holder of this lock panics")
    }
}

fn not_built(plugin: &Manifest) -> Fault {
    let id = &plugin.id;
    let message = format!("plugin `{id}` is not built: `toolgate plugins build {id}`");
    Fault::new(FaultKind::Unavailable, message).because("source_only")
}

#[async_trait]
impl Runtime for BuildFirst {
    async fn start(&self, plugin: Arc<Manifest>, host: Host) -> Result<Arc<dyn Instance>, Fault> {
        self.prepare(&plugin, &host.supervisor).await?;
        let folder = Some(self.folder.clone());
        let host = Host { folder, ..host };
        self.runtime.start(plugin, host).await
    }

    /// What can be built can be there.
    fn available(&self, plugin: &Manifest) -> Result<(), String> {
        match self.builder.state(plugin, Some(&self.folder)) {
            SourceState::SourceOnly { .. } => Ok(()),
            _ => self.runtime.available(plugin),
        }
    }

    fn isolation(&self, plugin: &Manifest) -> Isolation {
        self.runtime.isolation(plugin)
    }
}
