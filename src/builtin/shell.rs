//! `shell`: runs single programs of a list, without a shell, in a sandbox.
//!
//! Two walls, one behind the other: which programs and arguments there may be, and what the kernel lets them reach. The
//! second is tried from inside before anything is offered.

mod exec;

mod git;

mod known;

mod line;

mod listed;

mod places;

mod rules;

mod settings;

mod told;

mod weighed;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;

use crate::builtin::shell::exec::{Shell, Wanted};
use crate::builtin::shell::listed::List;
use crate::builtin::shell::places::Places;
use crate::builtin::shell::settings::{Settings, Want};
use crate::plugin::{
    Annotations, Category, HookResult, Notifier, Plugin, PluginContext, Risk, ToolContext,
    ToolError, Tools, Weight,
};
use crate::wire::json::Json;

/// What a call may take beside its program: the end of what it left running.
const BESIDE: Duration = Duration::from_secs(10);

/// The plugin.
#[derive(Default)]
pub(super) struct ShellPlugin {
    /// Replaced when the settings change.
    shell: Arc<ArcSwapOption<Shell>>,
    /// Tells clients that there are other tools then.
    notifier: OnceLock<Notifier>,
}

#[async_trait]
impl Plugin for ShellPlugin {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        let shell = made(context).await?;
        self.shell.store(Some(Arc::new(shell)));
        if let Some(notifier) = self.notifier.get() {
            notifier.lists_changed();
        }
        Ok(())
    }

    fn tools(&self, tools: &mut Tools) {
        self.notifier.set(tools.notifier()).ok();
        let Some(shell) = self.shell.load_full() else {
            return;
        };
        let seconds = shell.settings.timeout_seconds;
        let bound = Duration::from_secs(seconds) + BESIDE;
        let names = |write| shell.list.names(write).collect::<Vec<_>>().join(", ");
        let looks = format!(
            "Runs one program that looks at this machine, without a shell, and gives its exit code and output. It can write nothing and reach no network. Programs: {}.",
            names(false)
        );
        tools
            .add("shell.exec", looks, self.handler(false))
            .argument("timeout_seconds", "maximum", seconds.into())
            .title("Run a program that looks")
            .category(Category::Diagnostic)
            .risk(Risk::Low)
            .touches("nothing: a read-only sandbox on the gateway's machine")
            .timeout(bound)
            .annotations(Annotations {
                read_only: Some(true),
                open_world: Some(false),
                ..Annotations::default()
            });
        if shell.sandbox_to_write.is_none() {
            return;
        }
        let places: Vec<String> = shell
            .places
            .write
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let places = places.join(", ");
        let writes = format!(
            "Runs one program that may change files below {places}, without a shell, after a person has agreed. Programs: {}.",
            names(true)
        );
        tools
            .add("shell.exec_write", writes, self.handler(true))
            .argument("timeout_seconds", "maximum", seconds.into())
            .title("Run a program that writes")
            .remediation()
            .risk(Risk::High)
            .requires_approval()
            .touches(format!("files below {places} on the gateway's machine"))
            .timeout(bound)
            .weigh(self.weigher());
    }

    fn cooperative(&self) -> bool {
        true
    }
}

impl ShellPlugin {
    /// What says which program a call of `shell.exec_write` runs.
    fn weigher(&self) -> impl Fn(Json) -> std::future::Ready<Weight> + Send + Sync + 'static {
        let shell = Arc::clone(&self.shell);
        move |arguments| {
            std::future::ready(match shell.load_full() {
                Some(shell) => shell.weigh(&arguments),
                None => Weight::Refused(ToolError::new("the plugin has no settings")),
            })
        }
    }

    fn handler(
        &self,
        write: bool,
    ) -> impl Fn(
        Wanted,
        ToolContext,
    ) -> futures::future::BoxFuture<'static, Result<told::Told, ToolError>>
    + Send
    + Sync
    + 'static {
        let shell = Arc::clone(&self.shell);
        move |wanted, context| {
            let shell = shell.load_full();
            Box::pin(async move {
                let shell = shell.ok_or_else(|| ToolError::new("the plugin has no settings"))?;
                shell.exec(wanted, write, &context).await
            })
        }
    }
}

/// Reads the settings, finds the programs, and tries the sandbox.
async fn made(context: &PluginContext) -> Result<Shell, Box<dyn std::error::Error + Send + Sync>> {
    let settings: Settings = context.settings()?;
    let programs = context.programs()?;
    let list = List::of(&settings, &*programs)?;
    let places = Places::of(&settings)?;
    if let Some(listed) = list.within(&places.write) {
        return Err(format!(
            "`write_directories`: `{}` lies in one of them, so that a program that writes there could put another in its place",
            listed.name
        )
        .into());
    }
    let home = context.temp_dir()?.to_owned();
    let sandbox = programs.sandbox(false).await;
    if let (Want::Required, Some(why)) = (settings.sandbox, &sandbox.why_not) {
        return Err(format!(
            "there is no sandbox that holds, so nothing is offered: {why}. Use a kernel that has what is missing, or say `sandbox = \"best_effort\"` to do with the rules on programs and arguments"
        )
        .into());
    }
    let writes = list.names(true).next().is_some();
    let sandbox_to_write = match (writes, places.write.is_empty()) {
        (false, _) => None,
        (true, true) => {
            return Err("`write_directories` must name where programs with `writes = true` may write".into());
        }
        // Without a sandbox a program would write wherever it likes.
        (true, false) => Some(programs.sandbox(true).await).filter(|sandbox| {
            if let Some(why) = &sandbox.why_not {
                tracing::warn!(parent: context.span(), "`shell.exec_write` is not offered, as there is no sandbox that holds: {why}");
            }
            sandbox.holds()
        }),
    };
    let refused = sandbox.tried.iter().filter(|(_, refused)| *refused).count();
    match &sandbox.why_not {
        Some(why) => {
            tracing::warn!(parent: context.span(), "`shell.exec` runs without a sandbox that holds: {why}")
        }
        None => {
            tracing::info!(parent: context.span(), "The sandbox holds: it refused {refused} of the things that were tried from inside")
        }
    }
    Ok(Shell {
        settings,
        list,
        places,
        programs,
        home,
        sandbox,
        sandbox_to_write,
    })
}
