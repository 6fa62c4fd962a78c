//! Plugins that reach other plugins: what stands behind their handles. None of it keeps the gateway alive.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::dispatch::address::{Address, denied};
use crate::dispatch::audit::Record;
use crate::dispatch::errand::{named, params};
use crate::dispatch::filters::{About, Way};
use crate::dispatch::notices::Notice;
use crate::dispatch::subject::Subject;
use crate::dispatch::{Dispatcher, WAKE_DEADLINE, bridge};
use crate::manifest::Kind;
use crate::metrics::spans::within;
use crate::model::caller::Caller;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::plugin::{Cause, ListedTool, PluginHandle, PluginKind, Reach, Supply};
use crate::registry::catalog::Entry;
use crate::registry::kinds;
use crate::registry::plugin::Plugin;
use crate::runtime::Request;
use crate::wire::json::Json;
use crate::wire::message::Outcome;
use crate::wire::method::Method;

/// Hands out the handles of one gateway.
pub(super) struct Handles {
    pub(super) dispatcher: Weak<Dispatcher>,
    pub(super) home: Option<Handle>,
    given: Mutex<HashMap<Key, Arc<PluginHandle>>>,
}

/// Whose handle it is, and to whom.
type Key = (PluginId, PluginKind, Option<PluginId>);

/// What one handle reaches.
struct Reached {
    dispatcher: Weak<Dispatcher>,
    /// Where the gateway's own work runs; plugins may ask from threads of their own, which end with them.
    home: Option<Handle>,
    owner: PluginId,
    kind: PluginKind,
    name: Option<PluginId>,
}

impl Dispatcher {
    /// Lets plugins reach each other from now on.
    pub fn hand_out(self: &Arc<Self>) {
        let handles = Handles {
            dispatcher: Arc::downgrade(self),
            home: Handle::try_current().ok(),
            given: Mutex::default(),
        };
        self.registry.surroundings().supplied_by(Arc::new(handles));
    }

    /// A call of `owner`, for itself or for a caller of its own.
    pub(super) async fn call_between(
        &self,
        owner: &PluginId,
        to: &PluginId,
        (tool, arguments): (&str, Json),
        (caller, cause): (Option<Arc<Caller>>, Cause),
    ) -> Result<Json, Fault> {
        if !arguments.is_object() {
            let message = format!("the arguments of `{tool}` must be an object");
            return Err(Fault::new(FaultKind::BadInput, message));
        }
        let caller = caller.unwrap_or_else(|| named(&format!("plugin:{owner}")));
        let context = self.errand(caller, None, CancellationToken::new());
        let subject = Subject::Tool(tool.to_owned());
        let mut record = Record::open(&self.audit, &Method::ToolsCall, tool, &context);
        let (unfiltered, untold) = self.exempt(owner, cause);
        if !untold {
            record.tell(&self.notices);
        }
        let mut params = params(tool, arguments);
        record.sent(&mut params);
        let trace = record.trace(&mut params);
        let called = async {
            let is_own = owner == to;
            let entry = self.entry_of(to, (tool, is_own), &context.caller).await?;
            let address = Address::of_call_between(entry, unfiltered);
            let request = Request {
                method: Method::ToolsCall,
                params,
            };
            let called = self.go(&address, &subject, request, &context, &mut record);
            match trace {
                None => Box::pin(called).await,
                Some(trace) => within(trace, called).await,
            }
        };
        let onward = match (unfiltered, cause) {
            (true, _) => Cause::Errand,
            (false, Cause::Event) => Cause::Event,
            (false, _) => Cause::Other,
        };
        let called = onward.during(called).await;
        let outcome = called.and_then(|answer| bridge::to_client(answer, &subject, context.era()));
        record.close(outcome.as_ref());
        match outcome? {
            Outcome::Result(reply) => Ok(reply.result),
            Outcome::Error(error) => {
                Err(Fault::new(FaultKind::Broken, error.message).because("refused_by_plugin"))
            }
        }
    }

    /// Whether filters are not asked about what `owner` calls, and whether notifiers are not told of it: what they do
    /// themselves would go on for ever else.
    pub(super) fn exempt(&self, owner: &PluginId, cause: Cause) -> (bool, bool) {
        let plugins = self.registry.plugins();
        let kinds = || {
            let named = plugins.iter().filter(|plugin| plugin.id() == owner);
            named.map(|plugin| plugin.manifest.kind)
        };
        let unfiltered = match cause {
            Cause::Errand => true,
            // A filter that waits for it to start cannot be asked.
            Cause::Hook => self
                .registry
                .with_catalog(|catalog| catalog.is_behind_filters(owner)),
            // Only the gateway asks a filter: no client has it call anything.
            Cause::Other | Cause::Event => {
                kinds().next().is_some() && kinds().all(|kind| kind == Kind::Filter)
            }
        };
        let untold =
            unfiltered || cause == Cause::Event || kinds().any(|kind| kind == Kind::Notifier);
        (unfiltered, untold)
    }

    /// The tool of the plugin, if `caller` may see it; its own ones whether they are listed or not. Waits for a plugin that is not known yet.
    async fn entry_of(
        &self,
        id: &PluginId,
        (tool, is_own): (&str, bool),
        caller: &Caller,
    ) -> Result<Arc<Entry>, Fault> {
        let plugins = self.registry.plugins();
        let mut known = plugins.iter().filter(|_| caller.sees(id));
        let plugin = known.find(|known| known.id() == id).cloned();
        let plugin = plugin.ok_or_else(|| unknown(id))?;
        if !plugin.is_known() {
            tokio::time::timeout(WAKE_DEADLINE, plugin.warm())
                .await
                .unwrap_or_else(|_| {
                    let message = format!("plugin `{id}` is still being started");
                    Err(Fault::new(FaultKind::Unavailable, message))
                })?;
        }
        self.registry.catch_up();
        let catalog = self.registry.catalog();
        let entry = match is_own {
            true => catalog.own_tool(id, tool),
            false => catalog.tool_of(id, tool),
        };
        if let Some((entry, why)) = entry.and_then(|entry| Some((entry, entry.denied_to(caller)?)))
        {
            return Err(denied(entry, &why));
        }
        entry.cloned().ok_or_else(|| {
            let hidden = catalog
                .hidden(caller)
                .find(|hidden| hidden.plugin == *id && hidden.name.ends_with(tool));
            let offers_none = || format!("plugin `{id}` offers no such tool");
            let why = hidden.map_or_else(offers_none, |hidden| hidden.sentence());
            let message = format!("the tool `{tool}` of plugin `{id}` cannot be called: {why}");
            Fault::new(FaultKind::NotFound, message)
        })
    }

    /// Passes arguments of `owner` through the filters, all or the one named.
    async fn pass_for(
        &self,
        owner: &PluginId,
        name: Option<&PluginId>,
        (tool, arguments): (&str, Json),
        cause: Cause,
    ) -> Result<Json, Fault> {
        if self.exempt(owner, cause).0 {
            return Ok(arguments);
        }
        let plugins = self.registry.plugins();
        let all = kinds::in_order(plugins.iter(), Kind::Filter, |plugin| &plugin.manifest);
        let filters: Vec<Arc<Plugin>> = all
            .into_iter()
            .filter(|filter| name.is_none_or(|name| filter.manifest.id == *name))
            .filter(|filter| filter.manifest.filter.applies_to(owner, tool))
            .cloned()
            .collect();
        let caller = named(&format!("plugin:{owner}"));
        let context = &self.errand(caller, None, CancellationToken::new());
        let about = About {
            plugin: owner,
            tool,
            context,
            arguments: None,
        };
        self.pass(Way::In, &filters, &about, arguments).await
    }
}

impl Supply for Handles {
    fn handle(
        &self,
        owner: &PluginId,
        kind: PluginKind,
        name: Option<&str>,
    ) -> Result<Arc<PluginHandle>, Fault> {
        let dispatcher = self.dispatcher.upgrade().ok_or_else(gone)?;
        let plugins = dispatcher.registry.plugins();
        let of_kind = plugins
            .iter()
            .filter(|plugin| plugin.manifest.kind == kind_of(kind));
        let ids = of_kind.map(|plugin| plugin.manifest.id.clone());
        let together = matches!(kind, PluginKind::Filter | PluginKind::Notifier);
        let name = match name {
            None if together => None,
            name => {
                let is_named = name.map(|name| move |id: &PluginId| id.as_str() == name);
                Some(kinds::only(ids, is_named).map_err(|why| {
                    let noun = kind_of(kind).as_str();
                    let name = name.unwrap_or("(any)");
                    Fault::new(FaultKind::NotFound, format!("{noun} `{name}`: {why}"))
                })?)
            }
        };
        let key = (owner.clone(), kind, name.clone());
        let mut given = self.given.lock().expect("no holder of this lock panics");
        // Handles to plugins that are gone are given up by us; who has one keeps it.
        given.retain(|(owner, _, name), _| {
            let is_there = |id: &PluginId| plugins.iter().any(|known| known.manifest.id == *id);
            is_there(owner) && name.as_ref().is_none_or(is_there)
        });
        let handle = given.entry(key).or_insert_with(|| {
            Arc::new(PluginHandle::new(Reached {
                dispatcher: Weak::clone(&self.dispatcher),
                home: self.home.clone(),
                owner: owner.clone(),
                kind,
                name,
            }))
        });
        Ok(Arc::clone(handle))
    }

    fn tools(&self, caller: Arc<Caller>) -> BoxFuture<'_, Result<Vec<ListedTool>, Fault>> {
        Box::pin(self.tools_of(caller))
    }

    fn call_listed(
        &self,
        owner: &PluginId,
        tool: &str,
        arguments: Json,
        caller: Arc<Caller>,
    ) -> BoxFuture<'_, Result<Json, Fault>> {
        Box::pin(self.call_of(owner.clone(), tool.to_owned(), arguments, caller))
    }

    fn changes(&self, caller: Arc<Caller>) -> BoxStream<'static, Vec<&'static str>> {
        self.changes_for(caller)
    }

    fn sessions(&self) -> usize {
        let dispatcher = self.dispatcher.upgrade();
        dispatcher.map_or(0, |dispatcher| {
            dispatcher.registry.surroundings().sessions()
        })
    }
}

impl Reached {
    /// Does the gateway's work where that runs. Dropping the future ends the work.
    async fn at_home<W>(&self, work: impl FnOnce(Arc<Dispatcher>) -> W) -> Result<Json, Fault>
    where
        W: Future<Output = Result<Json, Fault>> + Send + 'static,
    {
        at_home(&self.dispatcher, self.home.as_ref(), work).await
    }
}

impl Reach for Reached {
    fn call(
        &self,
        tool: &str,
        arguments: Json,
        caller: Option<Arc<Caller>>,
    ) -> BoxFuture<'_, Result<Json, Fault>> {
        let tool = tool.to_owned();
        Box::pin(async move {
            let to = match (&self.name, self.kind) {
                (Some(id), PluginKind::Tool | PluginKind::Provider | PluginKind::Handler) => {
                    id.clone()
                }
                _ => return Err(not_for("filters and notifiers are not called by name")),
            };
            let (owner, cause) = (self.owner.clone(), Cause::now());
            self.at_home(|dispatcher| async move {
                dispatcher
                    .call_between(&owner, &to, (&tool, arguments), (caller, cause))
                    .await
            })
            .await
        })
    }

    fn chain(&self, tool: &str, arguments: Json) -> BoxFuture<'_, Result<Json, Fault>> {
        let tool = tool.to_owned();
        Box::pin(async move {
            if self.kind != PluginKind::Filter {
                return Err(not_for("only filters make a chain"));
            }
            let (owner, name, cause) = (self.owner.clone(), self.name.clone(), Cause::now());
            self.at_home(|dispatcher| async move {
                dispatcher
                    .pass_for(&owner, name.as_ref(), (&tool, arguments), cause)
                    .await
            })
            .await
        })
    }

    fn tell(&self, event: &str, message: &str) {
        let Some(dispatcher) = self.dispatcher.upgrade() else {
            return;
        };
        if self.kind != PluginKind::Notifier
            || !dispatcher.notices.is_listening()
            || dispatcher.exempt(&self.owner, Cause::now()).1
        {
            return;
        }
        dispatcher.notices.tell(Notice {
            plugin: Some(self.owner.clone()),
            message: Some(message.to_owned()),
            ..Notice::now(format!("{}.{event}", self.owner))
        });
    }
}

/// Does the gateway's work where that runs. Dropping the future ends the work.
pub(super) async fn at_home<T, W>(
    dispatcher: &Weak<Dispatcher>,
    home: Option<&Handle>,
    work: impl FnOnce(Arc<Dispatcher>) -> W,
) -> Result<T, Fault>
where
    T: Send + 'static,
    W: Future<Output = Result<T, Fault>> + Send + 'static,
{
    let dispatcher = dispatcher.upgrade().ok_or_else(gone)?;
    let supervisor = dispatcher.supervisor.clone();
    let work = work(dispatcher);
    let Some(home) = home else {
        return work.await;
    };
    let task = AbortOnDropHandle::new(supervisor.spawn_request_on(home, work));
    task.await.unwrap_or_else(|_| Err(gone()))
}

fn kind_of(kind: PluginKind) -> Kind {
    match kind {
        PluginKind::Tool => Kind::Tool,
        PluginKind::Provider => Kind::Provider,
        PluginKind::Filter => Kind::Filter,
        PluginKind::Handler => Kind::Handler,
        PluginKind::Notifier => Kind::Notifier,
    }
}

fn unknown(id: &PluginId) -> Fault {
    Fault::new(FaultKind::NotFound, format!("there is no plugin `{id}`"))
}

fn gone() -> Fault {
    Fault::new(FaultKind::Unavailable, "the gateway has stopped").because("shutting_down")
}

pub(super) fn not_for(why: &str) -> Fault {
    Fault::new(FaultKind::BadInput, why)
}
