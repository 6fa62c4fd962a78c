//! `delete_evicted_pods`: takes away what is left of pods that their node has thrown out.

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::kubernetes::cluster::Cluster;
use crate::builtin::kubernetes::names::Name;
use crate::builtin::kubernetes::restart::delete;
use crate::builtin::kubernetes::words::{age, counted, line, now, seconds_since};
use crate::builtin::table::Table;
use crate::plugin::{ToolContext, ToolError, Worded};

/// Pods that are deleted unless told otherwise.
const USUAL: u32 = 50;

/// The most pods that are deleted by one call.
const MOST: u32 = 200;

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
    let scope = cluster
        .namespaces
        .scope(wanted.namespace.as_ref(), wanted.all_namespaces)?;
    let query = ListParams::default().fields("status.phase=Failed");
    let found = cluster.list::<Pod>(&scope, &query).await?;
    let mut evicted: Vec<Leftover> = found
        .items
        .iter()
        .filter(|pod| is_evicted(pod))
        .map(|pod| leftover(cluster, pod))
        .collect();
    evicted.sort_by_key(|pod| std::cmp::Reverse(pod.age_seconds));
    let all = evicted.len();
    evicted.truncate(wanted.limit.clamp(1, MOST) as usize);
    let dry_run = context.is_dry_run();
    let (pods, failed) = match dry_run {
        true => (evicted, Vec::new()),
        false => delete_all(cluster, evicted).await,
    };
    let value = Deleted {
        left: all - pods.len(),
        dry_run,
        pods,
        failed,
        incomplete: found.more,
    };
    Ok(Worded {
        words: words(&value),
        value,
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
