//! Reading the configuration again: what came is registered, what went is taken out, what is another is exchanged, one by
//! one; what stayed the same is not touched. A file that is wrong changes nothing.

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use futures::StreamExt;
use serde::Serialize;

use crate::control::Control;
use crate::control::error::ControlError;
use crate::control::source::{Broken, Candidate, Found};
use crate::registry::plugin::{Plugin, Source};

/// How long clients are not told of single changes while a reload goes on: they are told of all of them at once.
const HOLD: Duration = Duration::from_secs(2);

/// How many plugins are exchanged at the same time.
const AT_ONCE: usize = 8;

/// What a reload did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reload {
    /// Plugins that are new.
    pub added: Vec<String>,
    /// Plugins that are another now.
    pub changed: Vec<String>,
    /// Plugins that went.
    pub removed: Vec<String>,
    /// Plugins that are the same.
    pub unchanged: usize,
    /// What was not done, and why: the plugin stays as it was.
    pub failed: Vec<Failed>,
    /// Sections of the configuration that count from the next start of the gateway only.
    pub needs_restart: Vec<&'static str>,
    /// What the configuration says of plugins that are nowhere.
    pub notes: Vec<String>,
}

/// A plugin that could not be taken in or exchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Its id, or where it lies.
    pub id: String,
    /// Why.
    pub error: String,
}

/// What became of the reloads so far.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Reloads {
    /// How many were done.
    pub done: u64,
    /// How many changed nothing, because the configuration was wrong.
    pub failed: u64,
    /// What was wrong with the configuration at the last one, if something was.
    pub last_error: Option<String>,
    /// Plugins that are wrong, as of the last one: those that are there stay as they were.
    pub broken: Vec<Failed>,
    /// Sections that need a restart, as of the last one: they are logged when they become others.
    #[serde(skip)]
    needs_restart: Vec<&'static str>,
}

impl Failed {
    fn of(broken: &Broken) -> Self {
        let place = || broken.source.to_string();
        Self {
            id: broken.id.as_ref().map_or_else(place, ToString::to_string),
            error: broken.problems.to_string(),
        }
    }
}

impl Reload {
    /// Whether it changed nothing.
    pub fn is_empty(&self) -> bool {
        let lists = [&self.added, &self.changed, &self.removed];
        lists.iter().all(|list| list.is_empty())
    }
}

/// What is to be done.
#[derive(Default)]
struct Plan {
    add: Vec<Arc<Plugin>>,
    exchange: Vec<(Arc<Plugin>, Arc<Plugin>)>,
    remove: Vec<Arc<Plugin>>,
}

impl Control {
    pub(super) fn reloads(&self) -> MutexGuard<'_, Reloads> {
        self.reloads.lock().expect("no holder of this lock panics")
    }

    /// Reads the configuration and the plugin directories again and does what is another. `Err` says that nothing was
    /// changed.
    pub async fn reload(&self) -> Result<Reload, ControlError> {
        let _alone = self.alone().await?;
        let found = match self.found().await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!("Keeps the configuration as it was:\n{error}");
                let mut reloads = self.reloads();
                reloads.failed += 1;
                reloads.last_error = Some(error.message.clone());
                return Err(error);
            }
        };
        let mut reload = Reload {
            needs_restart: found.needs_restart.clone(),
            notes: found.notes.clone(),
            ..Reload::default()
        };
        let plan = self.plan(&found, &mut reload);
        self.carry_out(plan, &mut reload).await;
        let before = {
            let mut reloads = self.reloads();
            reloads.done += 1;
            reloads.last_error = None;
            std::mem::replace(&mut reloads.needs_restart, reload.needs_restart.clone())
        };
        self.complain(&reload.failed);
        if !reload.needs_restart.is_empty() && reload.needs_restart != before {
            let sections = reload.needs_restart.join(", ");
            tracing::warn!("These settings count from the next start only: {sections}");
        }
        if !reload.is_empty() {
            let Reload {
                added,
                changed,
                removed,
                ..
            } = &reload;
            tracing::info!(?added, ?changed, ?removed, "Read the configuration again");
        }
        Ok(reload)
    }

    fn plan(&self, found: &Found, reload: &mut Reload) -> Plan {
        let mut plan = Plan::default();
        let plugins = self.registry.plugins();
        for plugin in plugins.iter() {
            let mut candidates = found.candidates.iter();
            let same = candidates.find(|candidate| candidate.key() == plugin.key());
            match same.filter(|candidate| candidate.is_wanted()) {
                Some(candidate) if candidate.is(plugin) => reload.unchanged += 1,
                Some(candidate) => {
                    let new = self.source.make(candidate);
                    plan.exchange.push((Arc::clone(plugin), new));
                }
                // What is wrong with it is told with all that is broken.
                None if is_broken(found, plugin) => {}
                None => plan.remove.push(Arc::clone(plugin)),
            }
        }
        reload.failed.extend(found.broken.iter().map(Failed::of));
        let new = |candidate: &&Candidate| {
            let (kind, id) = candidate.key();
            candidate.is_wanted()
                && !plugins.iter().any(|plugin| plugin.key() == (kind, id))
                && !self.set_aside().contains(&(kind, id.clone()))
        };
        let mut room = (self.max_plugins + plan.remove.len()).saturating_sub(plugins.len());
        for candidate in found.candidates.iter().filter(new) {
            if room == 0 {
                reload.failed.push(Failed {
                    id: candidate.manifest.id.to_string(),
                    error: self.full().message,
                });
                continue;
            }
            room -= 1;
            plan.add.push(self.source.make(candidate));
        }
        plan
    }

    /// Says what stays as it was, once for each mistake.
    fn complain(&self, failed: &[Failed]) {
        let known = std::mem::replace(&mut self.reloads().broken, failed.to_vec());
        for one in failed.iter().filter(|one| !known.contains(one)) {
            let Failed { id, error } = one;
            tracing::error!(plugin.id = %id, "Keeps `{id}` as it was: {error}");
        }
    }

    async fn carry_out(&self, plan: Plan, reload: &mut Reload) {
        let told_at_once = self.registry.hold();
        let id = |plugin: &Arc<Plugin>| plugin.id().to_string();
        reload.removed.extend(plan.remove.iter().map(id));
        reload.added.extend(plan.add.iter().map(id));
        let removing = plan.remove.iter().map(|plugin| async move {
            // The turn is refused when the gateway stops, which stops everything.
            if let Ok(_turn) = self.turn(plugin.id().as_str()).await {
                self.registry.remove(plugin, self.drain).await;
            }
        });
        let exchanging = plan.exchange.into_iter().map(|(old, new)| async move {
            let id = new.id().to_string();
            let done = match self.turn(&id).await {
                Ok(_turn) => {
                    let done = self.registry.replace(&old, &new, self.drain).await;
                    done.map_err(|err| err.to_string())
                }
                Err(err) => Err(err.message),
            };
            (id, done)
        });
        let exchanging = futures::stream::iter(exchanging).buffer_unordered(AT_ONCE);
        let adding = self.registry.insert(plan.add);
        let work = async {
            tokio::join!(
                futures::future::join_all(removing),
                exchanging.collect::<Vec<_>>(),
                adding
            )
        };
        tokio::pin!(work);
        let mut done = None;
        tokio::select! {
            biased;
            all = &mut work => done = Some(all),
            () = tokio::time::sleep(HOLD) => {}
        }
        drop(told_at_once);
        let (_, exchanged, added) = match done {
            Some(done) => done,
            None => work.await,
        };
        for (id, done) in exchanged {
            match done {
                Ok(()) => reload.changed.push(id),
                Err(error) => reload.failed.push(Failed { id, error }),
            }
        }
        if let Err(error) = added {
            reload.failed.push(Failed {
                id: String::new(),
                error: error.to_string(),
            });
        }
    }
}

/// Whether something is wrong with the place that `plugin` came from.
fn is_broken(found: &Found, plugin: &Plugin) -> bool {
    let at_its_place = |source: &Source| match source {
        Source::Builtin | Source::Config(_) => false,
        Source::Folder(_) => *source == plugin.source,
    };
    let mut broken = found.broken.iter();
    broken.any(|broken| at_its_place(&broken.source) || broken.id.as_ref() == Some(plugin.id()))
}
