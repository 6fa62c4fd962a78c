//! The runtime of plugins that are part of this program.
//!
//! A plugin that promises never to block is polled in the tasks of its callers. Every other one has a thread of its own,
//! fed by a bounded queue, so that a blocked thread delays nobody else.

mod ask;

mod call;

mod crew;

mod given;

mod hooks;

mod metrics;

mod news;

mod offer;

mod route;

mod seat;

mod workplace;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::background::Supervisor;
use crate::background::work::Work;
use crate::manifest::{Grant, Isolation, Manifest};
use crate::model::answer::Answer;
use crate::model::fault::{Fault, FaultKind};
use crate::plugin::routes::{RouteRequest, RouteResponse, Routes};
use crate::plugin::{
    Announce, Events, Factory, Notifier, PluginContext, ToolError, Weight, Workers, no_resource,
};
use crate::runtime::in_process::ask::Ask;
use crate::runtime::in_process::call::{Call, Tool};
use crate::runtime::in_process::crew::Crew;
use crate::runtime::in_process::given::gather;
use crate::runtime::in_process::hooks::Life;
use crate::runtime::in_process::news::News;
use crate::runtime::in_process::offer::Offer;
use crate::runtime::in_process::route::Routed;
use crate::runtime::in_process::seat::Seat;
use crate::runtime::in_process::workplace::{AtSeat, Closing};
use crate::runtime::process::{Launcher, Runner};
use crate::runtime::rmcp_host::Hosted;
use crate::runtime::temp_dir::TempDir;
use crate::runtime::{CallContext, Host, Instance, Request, Runtime, Surface};
use crate::wire::error::{METHOD_NOT_FOUND, RpcError};
use crate::wire::json::Json;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// The table of compiled-in plugins, by the `entry` of their manifests: `builtin:echo`.
#[derive(Default, Clone)]
pub struct InProcess {
    entries: BTreeMap<String, Entry>,
    /// Where plugins get directories of their own, if anywhere.
    homes: Option<PathBuf>,
    /// How plugins run programs, if they can.
    launcher: Option<Launcher>,
}

/// How one of them is made.
#[derive(Clone)]
enum Entry {
    Plugin(Factory),
    Rmcp(Hosted),
}

/// A plugin that runs in this process.
struct Resident {
    life: Arc<Life>,
    manifest: Arc<Manifest>,
    offer: ArcSwap<Offer>,
    seat: Seat,
    temp_dir: Option<TempDir>,
    /// What it has asked to hear of.
    events: Events,
    /// Of the task that keeps the lists.
    supervisor: Supervisor,
    surface: watch::Sender<Arc<Surface>>,
    /// Never cancelled where the plugin has no thread that could end.
    ended: CancellationToken,
}

impl InProcess {
    /// A table without plugins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a plugin. A second one of the same entry takes its place.
    #[must_use]
    pub fn with(mut self, entry: impl Into<String>, factory: Factory) -> Self {
        self.entries.insert(entry.into(), Entry::Plugin(factory));
        self
    }

    /// Adds a server written with rmcp.
    #[must_use]
    pub fn with_rmcp(mut self, entry: impl Into<String>, hosted: Hosted) -> Self {
        self.entries.insert(entry.into(), Entry::Rmcp(hosted));
        self
    }

    /// Says where plugins that want one get a directory of their own.
    #[must_use]
    pub fn with_homes(mut self, homes: PathBuf) -> Self {
        self.homes = Some(homes);
        self
    }

    /// Says how plugins run programs.
    #[must_use]
    pub fn with_launcher(mut self, launcher: Launcher) -> Self {
        self.launcher = Some(launcher);
        self
    }

    fn find(&self, manifest: &Manifest) -> Result<Entry, Fault> {
        let unavailable = |message| Err(Fault::new(FaultKind::Unavailable, message));
        let id = &manifest.id;
        let Some(section) = &manifest.in_process else {
            return unavailable(format!("plugin `{id}` has no section `[in_process]`"));
        };
        match self.entries.get(&section.entry) {
            Some(entry) => Ok(entry.clone()),
            None => {
                let known: Vec<_> = self
                    .entries
                    .keys()
                    .map(|name| format!("`{name}`"))
                    .collect();
                unavailable(format!(
                    "plugin `{id}` wants the entry `{}`, which is not compiled in; there are {}",
                    section.entry,
                    known.join(", ")
                ))
            }
        }
    }
}

#[async_trait]
impl Runtime for InProcess {
    async fn start(&self, manifest: Arc<Manifest>, host: Host) -> Result<Arc<dyn Instance>, Fault> {
        match self.find(&manifest)? {
            Entry::Plugin(factory) => {
                let granted = host.grants.contains(&Grant::BackgroundTasks);
                let id = manifest.id.clone();
                let crew = Crew::new(id, granted, host.supervisor.child());
                let workers = Arc::clone(&crew) as Arc<dyn Workers>;
                let runner = self.launcher.clone().map(|launcher| {
                    Runner::new(launcher, host.supervisor.child(), manifest.id.clone())
                });
                let given = gather(&manifest, &host, self.homes.as_deref(), (workers, runner))?;
                Resident::start(manifest, &factory, &host, (given, crew)).await
            }
            Entry::Rmcp(hosted) => hosted.start(manifest, host).await,
        }
    }

    fn available(&self, plugin: &Manifest) -> Result<(), String> {
        self.find(plugin).map(drop).map_err(|fault| fault.message)
    }

    /// Our own plugins keep what belongs to a session in its drawer; a hosted server is one like any other.
    fn isolation(&self, plugin: &Manifest) -> Isolation {
        match self.find(plugin) {
            Ok(Entry::Rmcp(_)) => Isolation::Session,
            Ok(Entry::Plugin(_)) | Err(_) => Isolation::Shared,
        }
    }
}

impl Resident {
    async fn start(
        manifest: Arc<Manifest>,
        factory: &Factory,
        host: &Host,
        ((given, temp_dir), crew): ((PluginContext, Option<TempDir>), Arc<Crew>),
    ) -> Result<Arc<dyn Instance>, Fault> {
        let id = &manifest.id;
        let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let plugin = factory();
            (plugin.cooperative(), plugin)
        }));
        let (cooperative, plugin) = made.map_err(|_| {
            Fault::new(
                FaultKind::Unavailable,
                format!("plugin `{id}` panicked when it was made"),
            )
            .because("panic")
        })?;
        let news = Arc::new(News::new(Arc::clone(&host.updates)));
        let notifier = Notifier::new(Arc::clone(&news) as Arc<dyn Announce>);
        let reached = Arc::clone(&host.reached);
        let events = given.events().clone();
        let life = Arc::new(Life::new(
            id.clone(),
            plugin,
            (given, crew),
            (notifier, reached),
        ));
        // The code of a plugin that does not start may still hold on to what it was given.
        let closing = Closing::of(&events);
        let seated = match cooperative {
            true => Seat::here(&life, &manifest.limits).await,
            false => Seat::there(&life, &manifest.limits).await,
        };
        let (seat, offers) = seated.inspect_err(|_| life.abandon())?;
        closing.disarm();
        let offer = Offer::new(offers, &manifest.limits, &Surface::default());
        let ended = seat.thread_ended().cloned().unwrap_or_default();
        let (tells, name) = (offer.tells, format!("{id} lists"));
        let resident = Arc::new(Self {
            life,
            manifest,
            surface: watch::Sender::new(Arc::clone(&offer.surface)),
            offer: ArcSwap::from_pointee(offer),
            seat,
            temp_dir,
            events,
            supervisor: host.supervisor.child(),
            ended,
        });
        let workplace = AtSeat(Arc::downgrade(&resident));
        resident.events.open(Arc::new(workplace));
        if tells {
            let weak = Arc::downgrade(&resident);
            drop(
                resident
                    .supervisor
                    .spawn(name, |stop| news.keep_lists(weak, stop)),
            );
        }
        Ok(resident)
    }

    fn find(&self, request: &Request) -> Result<Arc<Tool>, Fault> {
        let name = request.params.members.string("name");
        let offer = self.offer.load();
        let tool = name.as_deref().and_then(|name| offer.tools.get(name));
        tool.cloned().ok_or_else(|| {
            let name = name.unwrap_or_default();
            Fault::new(FaultKind::NotFound, format!("Unknown tool: {name}"))
        })
    }

    /// Asks the plugin again what it offers; when that fails, everything stays as it was. `false` says to try again.
    async fn renew(&self) -> bool {
        let life = Arc::clone(&self.life);
        let asked = self
            .seat
            .run(&self.life, async move { life.offers().await });
        let bound = Duration::from_millis(self.manifest.limits.start_timeout_ms);
        let offers = tokio::time::timeout(bound, asked)
            .await
            .unwrap_or_else(|_| Err(self.life.late(bound)));
        let offers = match offers {
            Ok(offers) => offers,
            Err(fault) if fault.kind == FaultKind::Busy => return false,
            Err(fault) => {
                let (id, handled) = (&self.life.id, self.life.tell(&fault).await);
                tracing::warn!(plugin.id = %id, reason = fault.reason, handled, "Keeps the lists of `{id}` as they were: {fault}");
                return true;
            }
        };
        let before = Arc::clone(&self.offer.load().surface);
        let offer = Offer::new(offers, &self.manifest.limits, &before);
        let now = Arc::clone(&offer.surface);
        // What is listed can be called.
        self.offer.store(Arc::new(offer));
        if now != before {
            self.surface.send_replace(now);
        }
        true
    }

    /// Whether a resource can be watched: the gateway keeps who does, the plugin only tells of changes.
    fn subscribe(&self, request: &Request) -> Result<Json, RpcError> {
        let uri = request.params.members.string("uri").unwrap_or_default();
        let offer = self.offer.load();
        if !offer.tells {
            let message = format!("plugin `{}` does not tell of updates", self.life.id);
            return Err(RpcError::new(METHOD_NOT_FOUND, message));
        }
        let known = offer.resource(&uri).is_some();
        known
            .then(|| Json::literal("{}"))
            .ok_or_else(|| no_resource(&uri))
    }
}

impl Instance for Resident {
    fn surface(&self) -> watch::Receiver<Arc<Surface>> {
        self.surface.subscribe()
    }

    fn request<'a>(
        &'a self,
        request: Request,
        context: &'a CallContext,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        let done = match request.method {
            Method::ToolsCall => match self.find(&request) {
                Ok(tool) => {
                    let call = Call::new(&self.life, &tool, request, context);
                    return Box::pin(async move {
                        let _at_end = call.context.at_end();
                        self.seat.run(&self.life, call.run()).await
                    });
                }
                Err(fault) => Err(fault),
            },
            Method::Ping | Method::ResourcesUnsubscribe => {
                Ok(Answer::result(Json::literal("{}"), Era::Legacy))
            }
            Method::ResourcesSubscribe => Ok(answer(self.subscribe(&request))),
            _ => match Ask::new(&self.life, &self.offer.load(), request, context) {
                Ok(ask) => {
                    return Box::pin(async move {
                        let _at_end = ask.context.at_end();
                        self.seat.run(&self.life, ask.run()).await
                    });
                }
                Err(error) => Ok(Answer::error(error, Era::Legacy)),
            },
        };
        Box::pin(std::future::ready(done))
    }

    fn weigh(&self, request: &Request) -> BoxFuture<'_, Option<Weight>> {
        let found = self.find(request).ok();
        let Some(weighing) = found.and_then(|tool| tool.weighing(request)) else {
            return Box::pin(std::future::ready(None));
        };
        Box::pin(async move {
            let weighed = self.seat.run(&self.life, weighing.map(Ok)).await;
            Some(weighed.unwrap_or_else(|fault| Weight::Refused(ToolError::new(fault.message))))
        })
    }

    fn serve<'a>(
        &'a self,
        request: RouteRequest,
        context: &'a CallContext,
    ) -> BoxFuture<'a, Result<Option<RouteResponse>, Fault>> {
        let Some(routes) = Instance::routes(self) else {
            return Box::pin(std::future::ready(Ok(None)));
        };
        let routed = Routed::new(&self.life, routes, request, context, self.seat.stopping());
        Box::pin(self.seat.run(&self.life, routed.run()))
    }

    fn routes(&self) -> Option<Routes> {
        self.offer.load().routes.clone()
    }

    fn files(&self) -> Option<&'static include_dir::Dir<'static>> {
        self.life.plugin.files()
    }

    fn probe(&self, deadline: Duration) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let life = Arc::clone(&self.life);
            let asked = self.seat.run(&self.life, async move { life.probe().await });
            tokio::time::timeout(deadline, asked)
                .await
                .unwrap_or_else(|_| Err(self.life.late(deadline)))
        })
    }

    fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    fn last_words(&self) -> Option<String> {
        self.seat.last_words()
    }

    fn background(&self) -> Vec<Arc<Work>> {
        self.life.works()
    }

    fn reconfigure(&self, config: serde_json::Value) -> BoxFuture<'_, Result<bool, Fault>> {
        Box::pin(async move {
            let life = Arc::clone(&self.life);
            let asked = async move { life.reconfigure(config).await };
            let bound = Duration::from_millis(self.manifest.limits.start_timeout_ms);
            let taken = tokio::time::timeout(bound, self.seat.run(&self.life, asked)).await;
            taken.unwrap_or_else(|_| Err(self.life.late(bound)))?;
            // What it offers may depend on its settings.
            self.renew().await;
            Ok(true)
        })
    }

    fn stop(&self) -> BoxFuture<'_, Option<Fault>> {
        self.supervisor.stopping().cancel();
        self.events.close();
        Box::pin(async move {
            self.seat.stop(&self.life).await;
            let id = &self.life.id;
            tracing::debug!(plugin.id = %id, step = "resources", "Stops `{id}`");
            if let Some(directory) = &self.temp_dir {
                directory.remove().await;
            }
            self.life.stop_failure()
        })
    }

    /// The era of the words it answers in, which both eras know.
    fn era(&self) -> Era {
        Era::Legacy
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.life.abandon();
        self.supervisor.stopping().cancel();
        self.events.close();
    }
}

fn answer(done: Result<Json, RpcError>) -> Answer {
    match done {
        Ok(result) => Answer::result(result, Era::Legacy),
        Err(error) => Answer::error(error, Era::Legacy),
    }
}

#[cfg(test)]
mod tests;
