//! `delete_evicted_pods`: takes away what is left of pods that their node has thrown out.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::kubernetes::change::Meant;
use crate::builtin::kubernetes::cluster::Cluster;
use crate::builtin::kubernetes::names::Name;
use crate::builtin::kubernetes::restart::delete;
use crate::builtin::kubernetes::words::{age, counted, line, now, seconds_since};
use crate::builtin::table::Table;
use crate::plugin::{ToolContext, ToolError, Weight, Worded};

/// Pods that are deleted unless told otherwise.
const USUAL: u32 = 50;

/// The most pods that are deleted by one call.
const MOST: u32 = 200;

/// The most pods that are named in the question whether to delete them.
const MAX_TOLD: usize = 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteEvictedPods {
    /// The namespace; the operator's usual one if not given.
    #[serde(default)]
    namespace: Option<Name>,
    /// Looks into all namespaces that the operator allows, in place of one.
    #[serde(default)]
    all_namespaces: bool,
    /// How many are deleted, at the most, the oldest first.
    #[serde(default = "usual")]
    #[schemars(range(min = 1, max = 200))]
    limit: u32,
}

fn usual() -> u32 {
    USUAL
}

/// Evicted pods that were deleted, or would be.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Deleted {
    dry_run: bool,
    /// Those that were deleted; in a dry run, those that would be.
    pods: Vec<Leftover>,
    failed: Vec<Failure>,
    left: usize,
    incomplete: bool,
}

/// Pods that are to go.
struct Chosen {
    evicted: Vec<Leftover>,
    /// How many there are in all.
    all: usize,
    incomplete: bool,
}

/// What is left of a pod.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Leftover {
    namespace: String,
    name: String,
    uid: String,
    age_seconds: Option<u64>,
    node: Option<String>,
    message: String,
}

/// A pod that could not be deleted.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Failure {
    namespace: String,
    name: String,
    error: String,
}

/// Deletes evicted pods.
pub(super) async fn delete_evicted_pods(
    cluster: &Cluster,
    wanted: DeleteEvictedPods,
    context: &ToolContext,
) -> Result<Worded<Deleted>, ToolError> {
    let Chosen {
        evicted,
        all,
        incomplete,
    } = choose(cluster, &wanted).await?;
    let dry_run = context.is_dry_run();
    if !dry_run && !evicted.is_empty() {
        context.hold_to(&meant(cluster, &evicted))?;
    }
    let (pods, failed) = match dry_run {
        true => (evicted, Vec::new()),
        false => delete_all(cluster, evicted).await,
    };
    let value = Deleted {
        left: all - pods.len(),
        dry_run,
        pods,
        failed,
        incomplete,
    };
    Ok(Worded {
        words: words(&value),
        value,
    })
}

/// Which pods would be deleted.
pub(super) async fn weigh(
    cluster: &Cluster,
    wanted: DeleteEvictedPods,
) -> Result<Weight, ToolError> {
    let evicted = choose(cluster, &wanted).await?.evicted;
    if evicted.is_empty() {
        return Ok(Weight::Looks);
    }
    let count = counted(evicted.len(), "evicted pod", "evicted pods");
    let named = evicted.iter().take(MAX_TOLD);
    let named = named.map(|pod| format!("`{}/{}`", pod.namespace, pod.name));
    let mut named: Vec<String> = named.collect();
    if evicted.len() > MAX_TOLD {
        named.push(format!("{} more", evicted.len() - MAX_TOLD));
    }
    let (named, place) = (named.join(", "), cluster.words());
    let words = format!("deletes what is left of {count} in {place} ({named})");
    let meant = meant(cluster, &evicted);
    Ok(Weight::Changes(meant.change(words)))
}

fn meant<'a>(cluster: &'a Cluster, evicted: &'a [Leftover]) -> Meant<'a, BTreeSet<[&'a str; 3]>> {
    let pods = evicted.iter();
    let pods = pods.map(|pod| [&*pod.namespace, &*pod.name, &*pod.uid]);
    Meant::new(cluster, pods.collect())
}

/// Finds those that are to go, the oldest first.
async fn choose(cluster: &Cluster, wanted: &DeleteEvictedPods) -> Result<Chosen, ToolError> {
    let scope = cluster
        .namespaces
        .scope(wanted.namespace.as_ref(), wanted.all_namespaces)?;
    let query = ListParams::default().fields("status.phase=Failed");
    let found = cluster.list::<Pod>(&scope, &query).await?;
    let mut evicted: Vec<&Pod> = found.items.iter().filter(|pod| is_evicted(pod)).collect();
    evicted.sort_by_key(|pod| {
        let created = pod.metadata.creation_timestamp.as_ref();
        (created.is_none(), created.map(|created| created.0))
    });
    let all = evicted.len();
    evicted.truncate(wanted.limit.clamp(1, MOST) as usize);
    let evicted = evicted.into_iter().map(|pod| leftover(cluster, pod));
    Ok(Chosen {
        evicted: evicted.collect(),
        all,
        incomplete: found.more,
    })
}

/// The API server is asked for failed ones, and they are looked at all the same: nothing else may go.
fn is_evicted(pod: &Pod) -> bool {
    let Some(status) = &pod.status else {
        return false;
    };
    status.phase.as_deref() == Some("Failed") && status.reason.as_deref() == Some("Evicted")
}

fn leftover(cluster: &Cluster, pod: &Pod) -> Leftover {
    let (metadata, now) = (&pod.metadata, now(cluster.clock));
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let created = metadata.creation_timestamp.as_ref();
    Leftover {
        namespace: text(&metadata.namespace),
        name: text(&metadata.name),
        uid: text(&metadata.uid),
        age_seconds: created.map(|created| seconds_since(created.0, now)),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        message: pod
            .status
            .as_ref()
            .map_or_else(String::new, |status| text(&status.message)),
    }
}

/// One after the other. One that is gone or was replaced is no reason to stop, all else is.
async fn delete_all(cluster: &Cluster, evicted: Vec<Leftover>) -> (Vec<Leftover>, Vec<Failure>) {
    let (mut deleted, mut failed) = (Vec::new(), Vec::new());
    for pod in evicted {
        let which = (pod.namespace.as_str(), pod.name.as_str(), pod.uid.as_str());
        match delete(cluster, which, None).await {
            Ok(()) => deleted.push(pod),
            Err(refusal) => {
                let goes_on = refusal.is_missing() || refusal.is_conflict();
                failed.push(Failure {
                    namespace: pod.namespace,
                    name: pod.name,
                    error: refusal.to_string(),
                });
                if !goes_on {
                    break;
                }
            }
        }
    }
    (deleted, failed)
}

fn words(value: &Deleted) -> String {
    let count = counted(value.pods.len(), "evicted pod", "evicted pods");
    let mut words = match value.dry_run {
        true => format!("Would delete {count}"),
        false => format!("Deleted {count}"),
    };
    words.push_str(&format!("; {} more are there.\n", value.left));
    if !value.pods.is_empty() {
        let mut table = Table::new(["NAMESPACE", "NAME", "AGE", "NODE", "WHY"]);
        for pod in &value.pods {
            table.row([
                pod.namespace.clone(),
                pod.name.clone(),
                pod.age_seconds.map_or_else(|| "–".to_owned(), age),
                pod.node.clone().unwrap_or_else(|| "–".to_owned()),
                line(&pod.message, 100),
            ]);
        }
        words.push_str(&table.render(""));
    }
    for failure in &value.failed {
        let (namespace, name, error) = (&failure.namespace, &failure.name, &failure.error);
        words.push_str(&format!("Not {namespace}/{name}: {error}\n"));
    }
    if value.incomplete {
        words.push_str(
            "… there are more failed pods than were looked at: call again, or name a namespace\n",
        );
    }
    words
}
