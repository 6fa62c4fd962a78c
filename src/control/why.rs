//! Why a tool is listed or not, with what is known of plugins that are not in the registry.

use std::time::Duration;

use crate::control::Control;
use crate::control::source::{Broken, Candidate, Found};
use crate::model::caller::Caller;
use crate::model::fault::Fault;
use crate::model::plugin_id::PluginId;
use crate::registry::Viewer;
use crate::registry::life::State;
use crate::registry::why::{About, Reason, Why, try_again};

/// How long a plugin that would be woken by a call may take to start before it is said that it is being started.
const WAKE: Duration = Duration::from_secs(10);

impl Control {
    /// Why a tool of that name is listed for `viewer`, or why not. A plugin that a call would start is started.
    pub async fn why(&self, tool: &str, viewer: &Viewer) -> Why {
        let (registry, caller) = (&self.registry, &*viewer.caller);
        let catalog = registry.settled_view(viewer).await;
        let mut why = registry.explain(&catalog, tool, caller);
        if matches!(
            why.reason,
            Reason::Failed | Reason::NotOffered | Reason::Unknown
        ) {
            let woken = tokio::time::timeout(WAKE, registry.wake(tool, caller)).await;
            why = match woken {
                Ok(Some(Err(fault))) => failed(why, fault),
                Ok(None) => why,
                Ok(Some(Ok(()))) | Err(_) => {
                    registry.explain(&registry.view(&viewer.who), tool, caller)
                }
            };
        }
        if matches!(why.reason, Reason::Unknown | Reason::Failed) {
            // Where the configuration is wrong, the report says so.
            let found = self.found().await.unwrap_or_default();
            why = with_found(why, &found, caller);
        }
        why
    }
}

/// About a tool whose plugin could not be started for it.
fn failed(why: Why, fault: Fault) -> Why {
    Why {
        reason: Reason::Failed,
        message: fault.to_string(),
        mend: why.plugin.as_ref().and_then(|plugin| {
            let id: PluginId = plugin.id.parse().ok()?;
            Some(try_again(&id))
        }),
        ..why
    }
}

fn with_found(why: Why, found: &Found, caller: &Caller) -> Why {
    if let Some(plugin) = &why.plugin {
        let mut candidates = found.candidates.iter();
        let found = candidates.find(|candidate| candidate.manifest.id.as_str() == plugin.id);
        return match found.map(|found| (found, found.state)) {
            Some((found, State::SourceOnly)) => {
                let id = &found.manifest.id;
                why.mend(format!("`toolgate plugins build {id}`"))
            }
            Some((found, State::Incomplete)) => {
                let lacks = found.lacks.clone().unwrap_or_default();
                why.mend(format!(
                    "put it there, or write `scripts/build.sh`: {lacks}"
                ))
            }
            _ => why,
        };
    }
    let fits = |id: &PluginId, prefix: &str| {
        caller.sees(id) && !prefix.is_empty() && why.tool.starts_with(prefix)
    };
    let candidates = found.candidates.iter();
    let fitting = candidates.filter(|candidate| {
        let manifest = &candidate.manifest;
        let prefix = manifest.effective_prefix();
        let mut declared = manifest.tools.iter();
        let is_declared = declared.any(|tool| format!("{prefix}{}", tool.name) == why.tool);
        fits(&manifest.id, &prefix) || (is_declared && caller.sees(&manifest.id))
    });
    if let Some(candidate) =
        fitting.max_by_key(|candidate| candidate.manifest.effective_prefix().len())
    {
        return of_candidate(&why, candidate);
    }
    let mut broken = found.broken.iter();
    let is_of = |broken: &&Broken| {
        let named = broken.id.as_ref();
        named.is_some_and(|id| fits(id, &format!("{id}__")))
    };
    match broken.find(is_of) {
        Some(broken) => of_broken(&why, broken),
        None => why,
    }
}

fn of_candidate(why: &Why, candidate: &Candidate) -> Why {
    let id = &candidate.manifest.id;
    let lacks = candidate.lacks.clone().unwrap_or_default();
    let (what, mend) = match candidate.state {
        State::Disabled => (
            "it is disabled".to_owned(),
            format!(
                "set `plugins.{id}.enabled = true` in the configuration, then `toolgate reload`"
            ),
        ),
        State::SourceOnly => (
            lacks,
            format!("`toolgate plugins register {id}` builds it and takes it in"),
        ),
        State::Incomplete => (
            lacks,
            "put it there, or write `scripts/build.sh`, which makes it".to_owned(),
        ),
        _ => (
            "it was taken out, or has come since".to_owned(),
            format!("`toolgate plugins register {id}`"),
        ),
    };
    not_registered(why, id, candidate.state, &what).mend(mend)
}

fn of_broken(why: &Why, broken: &Broken) -> Why {
    let Some(id) = &broken.id else {
        return why.clone();
    };
    let problems = &broken.problems;
    let what = format!("its manifest or its settings are wrong:\n{problems}");
    let source = &broken.source;
    not_registered(why, id, State::Incomplete, &what)
        .mend(format!("mend them ({source}), then `toolgate reload`"))
}

fn not_registered(why: &Why, id: &PluginId, state: State, what: &str) -> Why {
    let message = format!("plugin `{id}` is not registered: {what}");
    Why {
        plugin: Some(About {
            id: id.to_string(),
            runtime: None,
            state,
            state_seconds: 0.0,
            health: None,
            error: None,
        }),
        ..Why::new(&why.tool, Reason::NotRegistered, message)
    }
}
