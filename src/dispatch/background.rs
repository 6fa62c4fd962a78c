//! Background work of plugins: what the gateway does for them again and again (`[[background]]`), and what those in this
//! process do themselves. It is shown, stopped and started here, whoever does it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;

use crate::background::Supervisor;
use crate::background::work::{Doing, Job, Rhythm, Seen, Work};
use crate::dispatch::Dispatcher;
use crate::manifest::Grant;
use crate::manifest::host::Background;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::plugin::{Cause, first_text, utc};
use crate::registry::life::State;
use crate::registry::plugin::Plugin;
use crate::wire::json::Json;
use crate::wire::members::Members;

/// One piece of background work, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackgroundInfo {
    /// Its name, unique in its plugin.
    pub name: String,
    /// Whose it is.
    pub plugin: PluginId,
    /// `worker` or `periodic`.
    pub kind: &'static str,
    /// `running`, `waiting`, `backoff` or `stopped`.
    pub state: &'static str,
    /// How often it was begun.
    pub runs: u64,
    /// How often it failed.
    pub failures: u64,
    /// What was wrong last. Kept until it goes well.
    pub last_error: Option<String>,
    /// When it was begun last: RFC 3339, UTC.
    pub last_run: Option<String>,
    /// When it is begun next, where that is known.
    pub next_run: Option<String>,
    /// Milliseconds from the end of one time to the beginning of the next, where it is periodic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
}

/// What an operator can want of background work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It is done again.
    Start,
    /// It is not done until it is started.
    Stop,
    /// It is done now.
    Run,
}

/// What the gateway does for plugins again and again.
#[derive(Default)]
pub(super) struct Jobs(Mutex<BTreeMap<PluginId, Crew>>);

/// The jobs of one plugin.
struct Crew {
    plugin: Weak<Plugin>,
    works: Vec<Arc<Work>>,
    supervisor: Supervisor,
}

impl Jobs {
    fn crews(&self) -> MutexGuard<'_, BTreeMap<PluginId, Crew>> {
        self.0.lock().expect("no holder of this lock panics")
    }

    fn of(&self, id: &PluginId) -> Vec<Arc<Work>> {
        let crews = self.crews();
        crews
            .get(id)
            .map(|crew| crew.works.clone())
            .unwrap_or_default()
    }
}

impl Dispatcher {
    /// Begins to do what manifests want done again and again, now and for plugins that come.
    pub fn begin_background(self: &Arc<Self>) {
        let dispatcher = Arc::clone(self);
        let mut life = self.registry.surroundings().life.subscribe();
        self.take_jobs();
        self.supervisor
            .spawn("background of plugins", |stop| async move {
                loop {
                    let event = tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        event = life.recv() => event,
                    };
                    // Who missed some looks at what there is now, as always.
                    if matches!(event, Err(RecvError::Closed)) {
                        return;
                    }
                    dispatcher.take_jobs();
                }
            });
    }

    /// Gives each plugin the jobs of its manifest, and ends those of plugins that went or were exchanged. What an operator
    /// has stopped stays stopped.
    fn take_jobs(self: &Arc<Self>) {
        let plugins = self.registry.plugins();
        let wanted = plugins.iter().filter(|plugin| {
            let granted = plugin.grants.contains(&Grant::BackgroundTasks);
            granted && !plugin.manifest.background.is_empty()
        });
        let wanted: Vec<_> = wanted.collect();
        let mut crews = self.jobs.crews();
        crews.retain(|id, crew| {
            let stays = wanted.iter().any(|plugin| plugin.id() == id);
            if !stays {
                crew.supervisor.stopping().cancel();
            }
            stays
        });
        for plugin in wanted {
            let known = crews.get(plugin.id());
            if known.is_some_and(|crew| crew.plugin.as_ptr() == Arc::as_ptr(plugin)) {
                continue;
            }
            let mut stopped = Vec::new();
            if let Some(old) = known {
                old.supervisor.stopping().cancel();
                let names = old.works.iter().filter(|work| work.is_stopped());
                stopped.extend(names.map(|work| work.name.clone()));
            }
            let crew = self.crew_of(plugin);
            let halted = crew
                .works
                .iter()
                .filter(|work| stopped.contains(&work.name));
            for work in halted {
                work.stop();
            }
            crews.insert(plugin.id().clone(), crew);
        }
    }

    fn crew_of(self: &Arc<Self>, plugin: &Arc<Plugin>) -> Crew {
        let supervisor = self.supervisor.child();
        let jobs = plugin.manifest.background.iter();
        let works = jobs.map(|job| {
            let interval = std::time::Duration::from_millis(job.interval_ms);
            let work = Work::new(&*job.name, Rhythm::Every(interval), self.job(plugin, job));
            work.begin(plugin.id().as_str(), &supervisor, None);
            work
        });
        Crew {
            works: works.collect(),
            plugin: Arc::downgrade(plugin),
            supervisor,
        }
    }

    fn job(self: &Arc<Self>, plugin: &Arc<Plugin>, job: &Background) -> Job {
        let weak = (Arc::downgrade(self), Arc::downgrade(plugin));
        let (tool, arguments) = (job.tool.clone(), Json::of(&job.arguments));
        Arc::new(move || {
            let (there, tool, arguments) = (
                (weak.0.upgrade(), weak.1.upgrade()),
                tool.clone(),
                arguments.clone(),
            );
            Box::pin(async move {
                let (Some(dispatcher), Some(plugin)) = there else {
                    return Ok(false);
                };
                if plugin.life.state() != State::Active {
                    return Ok(false);
                }
                match dispatcher.do_job(&plugin, &tool, arguments).await {
                    Ok(()) => Ok(true),
                    Err(fault) if fault.reason == "shutting_down" => Ok(false),
                    Err(fault) => Err(fault.message),
                }
            })
        })
    }

    /// Calls the plugin's own tool, the way of every call. One that the plugin itself does not expose is called as well:
    /// it may be there for just this.
    async fn do_job(&self, plugin: &Arc<Plugin>, tool: &str, arguments: Json) -> Result<(), Fault> {
        let id = plugin.id();
        let called = self.call_between(id, id, (tool, arguments), (None, Cause::Other));
        let result = called.await?;
        let members = Members::of(&result).unwrap_or_default();
        if members.get("isError").is_some_and(Json::is_true) {
            let words = first_text(&members).unwrap_or_else(|| "it does not say why".to_owned());
            let message = format!("`{tool}` failed: {words}");
            return Err(Fault::new(FaultKind::Broken, message).because("tool_failed"));
        }
        Ok(())
    }

    /// The background work of all plugins, by plugin and name.
    pub fn background(&self) -> Vec<BackgroundInfo> {
        let plugins = self.registry.plugins();
        let mut all: Vec<_> = plugins
            .iter()
            .flat_map(|plugin| self.background_of(plugin.id()))
            .collect();
        all.sort_by(|a, b| (&a.plugin, &a.name).cmp(&(&b.plugin, &b.name)));
        all.dedup_by(|a, b| (&a.plugin, &a.name) == (&b.plugin, &b.name));
        all
    }

    /// The background work of one plugin, by name.
    pub fn background_of(&self, id: &PluginId) -> Vec<BackgroundInfo> {
        let works = self.works_of(id);
        let mut shown: Vec<_> = works.iter().map(|work| info(id, work)).collect();
        shown.sort_by(|a, b| a.name.cmp(&b.name));
        shown
    }

    /// Does with background work what an operator wants. Fails where there is none of that name, or it stands where that
    /// cannot be done.
    pub fn order_background(
        &self,
        id: &PluginId,
        name: &str,
        order: Order,
    ) -> Result<BackgroundInfo, Fault> {
        let works = self.works_of(id);
        let work = works.iter().find(|work| work.name == name);
        let work = work.ok_or_else(|| {
            let message = format!("plugin `{id}` has no background work `{name}`");
            Fault::new(FaultKind::NotFound, message)
        })?;
        let (done, why_not) = match order {
            Order::Start => (work.start(), "is not stopped"),
            Order::Stop => (work.stop(), "is stopped already"),
            Order::Run => (work.run_now(), "runs already"),
        };
        if !done {
            let message = format!("the background work `{name}` of `{id}` {why_not}");
            return Err(Fault::new(FaultKind::BadInput, message).because("conflict"));
        }
        Ok(info(id, work))
    }

    fn works_of(&self, id: &PluginId) -> Vec<Arc<Work>> {
        let mut works = self.jobs.of(id);
        let plugins = self.registry.named(id.as_str());
        let instances = plugins.iter().flat_map(|plugin| plugin.pool.instances());
        works.extend(instances.flat_map(|instance| instance.background()));
        works
    }
}

fn info(plugin: &PluginId, work: &Work) -> BackgroundInfo {
    let Seen {
        doing,
        runs,
        failures,
        last_error,
        last_run,
        next_run,
    } = work.seen();
    let (kind, interval) = match work.rhythm {
        Rhythm::Steady => ("worker", None),
        Rhythm::Every(interval) => ("periodic", Some(interval)),
    };
    BackgroundInfo {
        name: work.name.clone(),
        plugin: plugin.clone(),
        kind,
        state: match doing {
            Doing::Running => "running",
            Doing::Waiting => "waiting",
            Doing::Backoff => "backoff",
            Doing::Stopped => "stopped",
        },
        runs,
        failures,
        last_error,
        last_run: last_run.map(written),
        next_run: next_run.map(written),
        interval_ms: interval
            .map(|interval| u64::try_from(interval.as_millis()).unwrap_or(u64::MAX)),
    }
}

fn written(time: SystemTime) -> String {
    utc(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}
