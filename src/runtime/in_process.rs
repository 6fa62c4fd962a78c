//! The runtime of plugins that are part of this program.
//!
//! A plugin that promises never to block is polled in the tasks of its callers. Every other one has a thread of its own,
//! fed by a bounded queue, so that a blocked thread delays nobody else.

mod call;

mod hooks;

mod seat;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::manifest::limits::Limits;
use crate::manifest::{Isolation, Manifest};
use crate::model::answer::Answer;
use crate::model::fault::{Fault, FaultKind};
use crate::plugin::Factory;
use crate::runtime::in_process::call::{Call, Tool};
use crate::runtime::in_process::hooks::{Life, Started};
use crate::runtime::in_process::seat::Seat;
use crate::runtime::rmcp_host::Hosted;
use crate::runtime::{CallContext, Host, Instance, Listing, Request, Runtime, Surface};
use crate::wire::error::{METHOD_NOT_FOUND, RpcError};
use crate::wire::json::Json;
use crate::wire::list::ListKind;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// The table of compiled-in plugins, by the `entry` of their manifests: `builtin:echo`.
#[derive(Default, Clone)]
pub struct InProcess(BTreeMap<String, Entry>);

/// How one of them is made.
#[derive(Clone)]
enum Entry {
    Plugin(Factory),
    Rmcp(Hosted),
}

/// A plugin that runs in this process.
struct Resident {
    life: Arc<Life>,
    tools: HashMap<Arc<str>, Arc<Tool>>,
    seat: Seat,
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
        self.0.insert(entry.into(), Entry::Plugin(factory));
        self
    }

    /// Adds a server written with rmcp.
    #[must_use]
    pub fn with_rmcp(mut self, entry: impl Into<String>, hosted: Hosted) -> Self {
        self.0.insert(entry.into(), Entry::Rmcp(hosted));
        self
    }

    fn find(&self, manifest: &Manifest) -> Result<Entry, Fault> {
        let unavailable = |message| Err(Fault::new(FaultKind::Unavailable, message));
        let id = &manifest.id;
        let Some(section) = &manifest.in_process else {
            return unavailable(format!("plugin `{id}` has no section `[in_process]`"));
        };
        match self.0.get(&section.entry) {
            Some(entry) => Ok(entry.clone()),
            None => {
                let known: Vec<_> = self.0.keys().map(|name| format!("`{name}`")).collect();
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
            Entry::Plugin(factory) => Resident::start(&manifest, &factory).await,
            Entry::Rmcp(hosted) => hosted.start(manifest, host).await,
        }
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
    async fn start(manifest: &Manifest, factory: &Factory) -> Result<Arc<dyn Instance>, Fault> {
        let id = &manifest.id;
        let config = serde_json::to_value(&manifest.config).map_err(|err| {
            Fault::new(
                FaultKind::Unavailable,
                format!("the config of `{id}` is no JSON"),
            )
            .caused_by(err)
        })?;
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
        let life = Arc::new(Life::new(id.clone(), plugin, config));
        let (seat, started) = match cooperative {
            true => Seat::here(&life, &manifest.limits).await?,
            false => Seat::there(&life, &manifest.limits).await?,
        };
        let (tools, surface) = offer(started, &manifest.limits);
        let ended = seat.thread_ended().cloned().unwrap_or_default();
        Ok(Arc::new(Self {
            life,
            tools,
            seat,
            surface: watch::Sender::new(Arc::new(surface)),
            ended,
        }))
    }

    fn find(&self, request: &Request) -> Result<&Arc<Tool>, Fault> {
        let name = request.params.members.string("name");
        let tool = name.as_deref().and_then(|name| self.tools.get(name));
        tool.ok_or_else(|| {
            let name = name.unwrap_or_default();
            Fault::new(FaultKind::NotFound, format!("Unknown tool: {name}"))
        })
    }
}

/// What is listed and can be called, and what was left out.
fn offer(started: Started, limits: &Limits) -> (HashMap<Arc<str>, Arc<Tool>>, Surface) {
    let mut tools = HashMap::new();
    let mut listing = Listing::default();
    for tool in started.tools {
        let definition = match tool.definition {
            Ok(definition) => definition,
            Err(problem) => {
                listing.omit(tool.name, problem);
                continue;
            }
        };
        let known = listing.definitions.len();
        listing.add(ListKind::Tools, &definition, limits);
        if let Some(listed) = listing.definitions.get(known) {
            let name = Arc::clone(&listed.name);
            let tool = Tool {
                name: Arc::clone(&name),
                handler: tool.handler,
                timeout: tool.timeout,
            };
            tools.insert(name, Arc::new(tool));
        }
    }
    let mut surface = Surface {
        capabilities: Some(Json::literal(r#"{"tools":{},"logging":{}}"#)),
        instructions: started.instructions,
        ..Surface::default()
    };
    surface.set(ListKind::Tools, Arc::new(listing));
    (tools, surface)
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
                    let call = Call::new(&self.life, tool, request, context);
                    return Box::pin(async move {
                        let _at_end = call.context.at_end();
                        self.seat.run(&self.life, call.run()).await
                    });
                }
                Err(fault) => Err(fault),
            },
            Method::Ping => Ok(Answer::result(Json::literal("{}"), Era::Legacy)),
            other => {
                let message = format!("plugin `{}` has no method `{other}`", self.life.id);
                let error = RpcError::new(METHOD_NOT_FOUND, message);
                Ok(Answer::error(error, Era::Legacy))
            }
        };
        Box::pin(std::future::ready(done))
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

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.seat.stop(&self.life))
    }

    /// The era of the words it answers in, which both eras know.
    fn era(&self) -> Era {
        Era::Legacy
    }
}

#[cfg(test)]
mod tests;
