//! `toolgate plugins build`: builds a plugin, gateway or no gateway.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::app::launcher;
use crate::background::Supervisor;
use crate::cli::{Context, failure, output, tokio_runtime};
use crate::config::folder::read_folder;
use crate::config::resolve::{ResolvedPlugin, resolve};
use crate::manifest::problem::nearest;
use crate::runtime::build::{Builder, Built, Echo};
use crate::runtime::process::become_subreaper;

/// How long what a build left may take to end.
const LAST_TASKS: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The folder of the plugin, or its id in the configuration.
    #[arg(value_name = "DIR_OR_ID")]
    plugin: PathBuf,
    /// Also when nothing is missing.
    #[arg(long)]
    rebuild: bool,
}

pub(in crate::cli) fn run(context: &Context<'_>, arguments: &Arguments) -> ExitCode {
    if let Err(code) = context.start_log("error") {
        return code;
    }
    let plugin = match find(context, &arguments.plugin) {
        Ok(plugin) => plugin,
        Err(why) => return failure(&why),
    };
    let id = &plugin.manifest.id;
    let Some(folder) = plugin.folder.as_deref() else {
        return failure(&format!("plugin `{id}` has no folder to build in"));
    };
    let runtime = match tokio_runtime(None) {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    become_subreaper();
    let builder = Builder::new(launcher(&context.env, context.helper())).echoing(echo());
    let supervisor = Supervisor::new();
    runtime.block_on(async {
        let built = builder.build(&plugin.manifest, folder, arguments.rebuild, &supervisor);
        let built = tokio::select! {
            built = built => Some(built),
            _ = tokio::signal::ctrl_c() => None,
        };
        supervisor.stop(LAST_TASKS).await;
        match built {
            None => failure("interrupted"),
            // Its lines are on the screen already.
            Some(Err(fault)) => failure(fault.message.lines().next().unwrap_or_default()),
            Some(Ok(Built::NotNeeded)) => {
                output::say(&format!(
                    "`{id}`: nothing is missing; --rebuild builds it all the same"
                ));
                ExitCode::SUCCESS
            }
            Some(Ok(Built::Ran { took, .. })) => {
                output::say(&format!("`{id}`: built in {:.1} s", took.as_secs_f32()));
                ExitCode::SUCCESS
            }
        }
    })
}

/// Passes on what a build writes, to standard error.
pub(super) fn echo() -> Echo {
    Arc::new(|bytes| {
        std::io::stderr().lock().write_all(bytes).ok();
    })
}

/// The plugin in a folder, or the one that the configuration knows by that id.
fn find(context: &Context<'_>, plugin: &Path) -> Result<ResolvedPlugin, String> {
    let folder = context.env.absolute(plugin);
    if folder.is_dir() {
        return read_folder(&folder, &context.env).map_err(|problems| problems.to_string());
    }
    let loaded = context.load().map_err(|problems| problems.to_string())?;
    let resolution =
        resolve(&loaded, &context.manifests()).map_err(|problems| problems.to_string())?;
    let name = plugin.to_string_lossy();
    let ids = resolution
        .plugins
        .iter()
        .map(|plugin| plugin.manifest.id.as_str());
    let hint = nearest(&name, ids).map(|id| format!("; did you mean `{id}`?"));
    let mut plugins = resolution.plugins.into_iter();
    let found = plugins.find(|plugin| plugin.manifest.id.as_str() == name);
    found.ok_or_else(|| {
        format!(
            "there is no folder `{name}`, and no plugin of that id{}",
            hint.unwrap_or_default()
        )
    })
}
