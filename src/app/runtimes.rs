//! The runtimes that there are, and which of them a plugin uses.

use std::collections::HashMap;
use std::sync::Arc;

use crate::builtin::Builtin;
use crate::manifest::Manifest;
use crate::manifest::runtime::RuntimeKind;
use crate::runtime::Runtime;
use crate::runtime::in_process::InProcess;
use crate::runtime::mcp_http::McpHttp;
use crate::runtime::mcp_stdio::McpStdio;
use crate::runtime::process::Launcher;

/// The runtimes that plugins can use.
pub struct Runtimes(HashMap<RuntimeKind, Arc<dyn Runtime>>);

impl Runtimes {
    /// One of them.
    pub(super) fn get(&self, kind: RuntimeKind) -> Arc<dyn Runtime> {
        Arc::clone(&self.0[&kind])
    }

    /// The first runtime of a plugin that is there. Where there is but one, its start says best what is wrong with it.
    pub(super) fn choose(&self, manifest: &Manifest) -> Result<RuntimeKind, String> {
        let mut reasons = Vec::new();
        for kind in manifest.runtimes() {
            match self.0[kind].available(manifest) {
                Ok(()) => return Ok(*kind),
                Err(why) => reasons.push(format!("`{kind}`: {why}")),
            }
        }
        match manifest.runtimes() {
            [only] => Ok(*only),
            _ => Err(format!(
                "none of its runtimes is there: {}",
                reasons.join("; ")
            )),
        }
    }

    /// All runtimes. `in_process` knows the code that is compiled in.
    pub fn new(in_process: InProcess, launcher: Launcher) -> Self {
        let in_process = in_process.with_homes(launcher.homes.clone());
        let table: [(RuntimeKind, Arc<dyn Runtime>); 3] = [
            (RuntimeKind::InProcess, Arc::new(in_process)),
            (RuntimeKind::McpStdio, Arc::new(McpStdio::new(launcher))),
            (RuntimeKind::McpHttp, Arc::new(McpHttp::new())),
        ];
        Self(table.into_iter().collect())
    }
}

/// The `in_process` runtime with the plugins that come with the gateway.
pub fn compiled_in(builtins: &[Builtin]) -> InProcess {
    builtins.iter().fold(InProcess::new(), |runtime, builtin| {
        runtime.with(builtin.entry(), Arc::clone(&builtin.factory))
    })
}
