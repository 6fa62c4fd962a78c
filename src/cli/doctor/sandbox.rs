//! Whether this machine can confine the programs of the plugin `shell`.

use crate::background::Supervisor;
use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::Finding;
use crate::plugin::Programs;
use crate::runtime::process::{Launcher, Runner};

const SUBJECT: &str = "sandbox";

/// The plugin whose programs are confined.
const PLUGIN: &str = "shell";

/// Tries it, where the plugin is to run.
pub(super) async fn look(ground: &Ground<'_>, supervisor: &Supervisor) -> Vec<Finding> {
    let mut plugins = ground.enabled();
    let Some(plugin) = plugins.find(|plugin| plugin.manifest.id.as_str() == PLUGIN) else {
        return Vec::new();
    };
    let launcher = Launcher {
        helper: ground.context.helper(),
        ..ground.launcher.clone()
    };
    let runner = Runner::new(launcher, supervisor.child(), plugin.manifest.id.clone());
    let sandbox = runner.sandbox(false).await;
    let Some(why) = &sandbox.why_not else {
        let refused = sandbox.tried.iter().filter(|(_, refused)| *refused).count();
        let message = format!("holds: {refused} things were tried from inside, and refused");
        return vec![Finding::ok(SUBJECT, message)];
    };
    let wanted = plugin.manifest.config.get("sandbox");
    let does_without = wanted.and_then(|wanted| wanted.as_str()) == Some("best_effort");
    vec![match does_without {
        true => Finding::warn(SUBJECT, format!("`shell.exec` runs without one: {why}")),
        false => Finding::problem(SUBJECT, format!("`shell` offers nothing: {why}")).mend(
            "use a kernel that has what is missing (Linux 6.12 or later), or set `plugins.shell.config.sandbox = \"best_effort\"`",
        ),
    }]
}
