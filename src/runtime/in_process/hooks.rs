//! The life of a plugin: its hooks, in order, none of which can take the gateway down.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::background::work::Work;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::plugin::routes::Routes;
use crate::plugin::{
    BuiltPrompt, BuiltResource, BuiltTool, Cause, HookResult, Notifier, Plugin, PluginContext,
    Prompts, Resources, Tools,
};
use crate::runtime::in_process::crew::Crew;
use crate::runtime::own_thread::panic_text;
use crate::runtime::{Milestone, Reached};

/// How long `on_stop` may take.
pub(super) const STOP_BOUND: Duration = Duration::from_secs(10);

/// How long `on_error` may take.
const ERROR_BOUND: Duration = Duration::from_secs(1);

/// A plugin and what its hooks need.
#[derive(Clone)]
pub(super) struct Life {
    pub(super) id: PluginId,
    pub(super) plugin: Arc<dyn Plugin>,
    given: PluginContext,
    crew: Arc<Crew>,
    notifier: Notifier,
    reached: Reached,
    /// The hook that runs, or ran last.
    stage: Arc<Mutex<&'static str>>,
    /// Why it did not stop well, if so.
    stop_failure: Arc<Mutex<Option<Fault>>>,
}

/// What a plugin offers, as it says.
pub(super) struct Offers {
    pub(super) tools: Vec<BuiltTool>,
    pub(super) prompts: Vec<BuiltPrompt>,
    pub(super) resources: Vec<BuiltResource>,
    pub(super) routes: Option<Routes>,
    pub(super) instructions: Option<String>,
    /// Whether it has taken the handle to tell of changes.
    pub(super) tells: Tells,
}

/// Where a plugin has taken the handle to tell of changes. Who takes it with the prompts may have some later.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tells {
    pub(super) tools: bool,
    pub(super) prompts: bool,
    pub(super) resources: bool,
}

impl Tells {
    /// Whether it has taken it at all.
    pub(super) fn any(self) -> bool {
        self.tools || self.prompts || self.resources
    }
}

impl Life {
    pub(super) fn new(
        id: PluginId,
        plugin: Arc<dyn Plugin>,
        (given, crew): (PluginContext, Arc<Crew>),
        (notifier, reached): (Notifier, Reached),
    ) -> Self {
        Self {
            notifier,
            reached,
            id,
            plugin,
            given,
            crew,
            stage: Arc::new(Mutex::new("on_load")),
            stop_failure: Arc::default(),
        }
    }

    /// The hook that runs, or ran last.
    pub(super) fn stage(&self) -> &'static str {
        *self.stage.lock().expect("no holder of this lock panics")
    }

    /// Brings the plugin to where it can be called. `on_error` hears of a failure.
    pub(super) async fn start(&self) -> Result<Offers, Fault> {
        self.crew.settle_here();
        match self.steps().await {
            Ok(started) => Ok(started),
            Err(fault) if self.tell(&fault).await => Err(fault.because("hook_failed_handled")),
            Err(fault) => Err(fault),
        }
    }

    async fn steps(&self) -> Result<Offers, Fault> {
        let plugin = &*self.plugin;
        self.hook("on_load", || plugin.on_load()).await?;
        (self.reached)(Milestone::Loaded);
        self.hook("on_init", || plugin.on_init(&self.given)).await?;
        let offers = self.offers().await?;
        (self.reached)(Milestone::Initialized);
        self.hook("on_start", || plugin.on_start()).await?;
        Ok(offers)
    }

    /// Asks the plugin what it offers.
    pub(super) async fn offers(&self) -> Result<Offers, Fault> {
        let (plugin, notifier) = (&*self.plugin, &self.notifier);
        let mut tools = Tools::told_by(notifier);
        let mut instructions = None;
        self.hook("tools", || {
            plugin.tools(&mut tools);
            instructions = plugin.instructions();
            Box::pin(std::future::ready(Ok(())))
        })
        .await?;
        let mut prompts = Prompts::told_by(notifier);
        self.hook("prompts", || {
            plugin.prompts(&mut prompts);
            Box::pin(std::future::ready(Ok(())))
        })
        .await?;
        let mut resources = Resources::told_by(notifier);
        self.hook("resources", || {
            plugin.resources(&mut resources);
            Box::pin(std::future::ready(Ok(())))
        })
        .await?;
        let mut routes = None;
        self.hook("routes", || {
            routes = plugin.routes();
            Box::pin(std::future::ready(Ok(())))
        })
        .await?;
        Ok(Offers {
            routes,
            tells: Tells {
                tools: tools.tells(),
                prompts: prompts.tells(),
                resources: resources.tells(),
            },
            tools: tools.build(),
            prompts: prompts.build(),
            resources: resources.build(),
            instructions,
        })
    }

    /// Runs `on_stop`, then ends the background work, each within its bound.
    pub(super) async fn stop(&self) {
        let id = &self.id;
        tracing::debug!(plugin.id = %id, step = "on_stop", "Stops `{id}`");
        self.on_stop().await;
        tracing::debug!(plugin.id = %id, step = "background", "Stops `{id}`");
        self.crew.stop(STOP_BOUND).await;
    }

    /// Ends its background work without waiting for that.
    pub(super) fn abandon(&self) {
        self.crew.end();
    }

    /// Its background work.
    pub(super) fn works(&self) -> Vec<Arc<Work>> {
        self.crew.works()
    }

    /// Gives the plugin other settings. When it does not want them it gets back those it had.
    pub(super) async fn reconfigure(&self, config: serde_json::Value) -> Result<(), Fault> {
        let before = self.given.put_config(Arc::new(config));
        let taken = self
            .hook("on_init", || self.plugin.on_init(&self.given))
            .await;
        if taken.is_err() {
            self.given.put_config(before);
            let back = self
                .hook("on_init", || self.plugin.on_init(&self.given))
                .await;
            if let Err(fault) = back {
                tracing::warn!(plugin.id = %self.id, reason = fault.reason, "`{}` did not take back the settings it had: {fault}", self.id);
            }
        }
        taken
    }

    async fn on_stop(&self) {
        let hook = self.hook("on_stop", || self.plugin.on_stop());
        let failed = match tokio::time::timeout(STOP_BOUND, hook).await {
            Ok(Ok(())) => return,
            Ok(Err(fault)) => fault,
            Err(_) => self.late(STOP_BOUND),
        };
        tracing::warn!(plugin.id = %self.id, reason = failed.reason, "Stopped badly: {failed}");
        if !self.tell(&failed).await {
            *self
                .stop_failure
                .lock()
                .expect("no holder of this lock panics") = Some(failed);
        }
    }

    /// Why it did not stop well, if so and if it has not dealt with that itself.
    pub(super) fn stop_failure(&self) -> Option<Fault> {
        let failure = self.stop_failure.lock();
        failure
            .expect("no holder of this lock panics")
            .as_ref()
            .map(Fault::again)
    }

    /// Asks the plugin how it is.
    pub(super) async fn probe(&self) -> Result<(), Fault> {
        self.hook("health_check", || self.plugin.health_check())
            .await
    }

    /// Lets the plugin hear of a failure of its own; whether it has dealt with it.
    pub(super) async fn tell(&self, fault: &Fault) -> bool {
        let told = std::panic::catch_unwind(AssertUnwindSafe(|| self.plugin.on_error(fault)));
        let Ok(told) = told else { return false };
        let told = AssertUnwindSafe(told).catch_unwind();
        matches!(tokio::time::timeout(ERROR_BOUND, told).await, Ok(Ok(true)))
    }

    /// What is said when the plugin did not come through a hook in time.
    pub(super) fn late(&self, bound: Duration) -> Fault {
        let (id, hook, ms) = (&self.id, self.stage(), bound.as_millis());
        Fault::new(
            FaultKind::Timeout,
            format!("plugin `{id}` did not come through `{hook}` within {ms} ms"),
        )
    }

    async fn hook<'a>(
        &self,
        name: &'static str,
        hook: impl FnOnce() -> BoxFuture<'a, HookResult>,
    ) -> Result<(), Fault> {
        *self.stage.lock().expect("no holder of this lock panics") = name;
        let hook = match std::panic::catch_unwind(AssertUnwindSafe(hook)) {
            Ok(hook) => {
                let hook = AssertUnwindSafe(hook).catch_unwind();
                Cause::Hook.during(hook).await
            }
            Err(panic) => Err(panic),
        };
        let id = &self.id;
        match hook {
            Ok(Ok(())) => Ok(()),
            Ok(Err(err)) => {
                let message = format!("plugin `{id}` failed in `{name}`: {err}");
                Err(Fault::new(FaultKind::Unavailable, message)
                    .because("hook_failed")
                    .caused_by(err))
            }
            Err(panic) => {
                let message = format!("plugin `{id}` panicked in `{name}`");
                Err(Fault::new(FaultKind::Unavailable, message)
                    .because("panic")
                    .caused_by(panic_text(&*panic)))
            }
        }
    }
}
