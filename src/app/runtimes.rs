//! The runtimes that there are, and which of them a plugin uses.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::builtin::Builtin;
use crate::manifest::Manifest;
use crate::manifest::runtime::RuntimeKind;
use crate::runtime::Runtime;
use crate::runtime::build::{BuildFirst, Builder};
use crate::runtime::in_process::InProcess;
use crate::runtime::mcp_http::McpHttp;
use crate::runtime::mcp_stdio::McpStdio;
use crate::runtime::process::Launcher;

/// The runtimes that plugins can use.
pub struct Runtimes {
    table: HashMap<RuntimeKind, Arc<dyn Runtime>>,
    /// Builds what lies in folders.
    pub builder: Builder,
}

impl Runtimes {
    /// One of them.
    pub fn get(&self, kind: RuntimeKind) -> Arc<dyn Runtime> {
        Arc::clone(&self.table[&kind])
    }

    /// One of them, for the plugin in `folder`, which is built before it starts.
    fn building(&self, kind: RuntimeKind, folder: Option<&Path>) -> Arc<dyn Runtime> {
        let runtime = self.get(kind);
        match folder {
            Some(folder) => Arc::new(BuildFirst::new(
                runtime,
                self.builder.clone(),
                folder.to_path_buf(),
            )),
            None => runtime,
        }
    }

    /// The first runtime of a plugin that is there; why not, for each of them.
    pub(super) fn look_for(
        &self,
        manifest: &Manifest,
        folder: Option<&Path>,
    ) -> Result<(RuntimeKind, Arc<dyn Runtime>), String> {
        let mut reasons = Vec::new();
        for kind in manifest.runtimes() {
            let runtime = self.building(*kind, folder);
            match runtime.available(manifest) {
                Ok(()) => return Ok((*kind, runtime)),
                Err(why) => reasons.push(format!("`{kind}`: {why}")),
            }
        }
        Err(reasons.join("; "))
    }

    /// The same. Where there is but one, it is taken all the same: its start says best what is wrong with it.
    pub(super) fn choose(
        &self,
        manifest: &Manifest,
        folder: Option<&Path>,
    ) -> Result<(RuntimeKind, Arc<dyn Runtime>), String> {
        let found = self.look_for(manifest, folder);
        match manifest.runtimes() {
            [only] => Ok(found.unwrap_or_else(|_| (*only, self.building(*only, folder)))),
            _ => found.map_err(|why| format!("none of its runtimes is there: {why}")),
        }
    }

    /// All runtimes. `in_process` knows the code that is compiled in.
    pub fn new(in_process: InProcess, launcher: Launcher) -> Self {
        let in_process = in_process
            .with_homes(launcher.homes.clone())
            .with_launcher(launcher.clone());
        let builder = Builder::new(launcher.clone());
        let table: [(RuntimeKind, Arc<dyn Runtime>); 3] = [
            (RuntimeKind::InProcess, Arc::new(in_process)),
            (RuntimeKind::McpStdio, Arc::new(McpStdio::new(launcher))),
            (RuntimeKind::McpHttp, Arc::new(McpHttp::new())),
        ];
        Self {
            table: table.into_iter().collect(),
            builder,
        }
    }
}

/// The `in_process` runtime with the plugins that come with the gateway.
pub fn compiled_in(builtins: &[Builtin]) -> InProcess {
    builtins.iter().fold(InProcess::new(), |runtime, builtin| {
        runtime.with(builtin.entry(), Arc::clone(&builtin.factory))
    })
}
