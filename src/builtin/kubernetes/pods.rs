//! `list_pods`: which pods there are, and how they do.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::kubernetes::cluster::Cluster;
use crate::builtin::kubernetes::names::Name;
use crate::builtin::kubernetes::words::{age, counted, moment, now, seconds_since};
use crate::builtin::table::Table;
use crate::plugin::{ToolError, Worded};

/// Pods that are shown unless told otherwise.
const USUAL: u32 = 100;

/// The most pods that are shown.
const MOST: u32 = 500;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListPods {
    /// The namespace; the operator's usual one if not given.
    #[serde(default)]
    namespace: Option<Name>,
    /// Looks into all namespaces that the operator allows, in place of one.
    #[serde(default)]
    all_namespaces: bool,
    /// Only pods with these labels, as Kubernetes selects by them: `app=web,tier!=cache`.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    label_selector: Option<String>,
    /// Only pods with these fields, such as `spec.nodeName=node-1` or `status.phase=Pending`.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    field_selector: Option<String>,
    /// Only pods that are not well: not ready and not done, failing, or on their way out.
    #[serde(default)]
    only_unwell: bool,
    /// How many pods are shown, at the most.
    #[serde(default = "usual")]
    #[schemars(range(min = 1, max = 500))]
    limit: u32,
}

fn usual() -> u32 {
    USUAL
}

/// Pods that were found.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Pods {
    pods: Vec<PodRow>,
    omitted: usize,
    /// Whether there are more pods than were read (5,000): then `omitted` counts only those that were.
    incomplete: bool,
}

/// A pod in short.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PodRow {
    namespace: String,
    name: String,
    /// In a word, as kubectl says it: `Running`, `Pending`, `CrashLoopBackOff`, `Evicted`, `Terminating`, …
    status: String,
    ready: usize,
    containers: usize,
    restarts: i32,
    created: Option<String>,
    age_seconds: Option<u64>,
    node: Option<String>,
    ip: Option<String>,
    /// What made it and makes it anew, such as `ReplicaSet/web-6d4b75cb6d`.
    controller: Option<String>,
    images: Vec<String>,
}

/// Lists pods.
pub(super) async fn list_pods(
    cluster: &Cluster,
    wanted: ListPods,
) -> Result<Worded<Pods>, ToolError> {
    let scope = cluster
        .namespaces
        .scope(wanted.namespace.as_ref(), wanted.all_namespaces)?;
    let query = ListParams {
        label_selector: wanted.label_selector,
        field_selector: wanted.field_selector,
        ..ListParams::default()
    };
    let found = cluster.list::<Pod>(&scope, &query).await?;
    let now = now(cluster.clock);
    let fits = |pod: &&Pod| !wanted.only_unwell || is_unwell(pod);
    let mut pods: Vec<PodRow> = found
        .items
        .iter()
        .filter(fits)
        .map(|pod| row(pod, now))
        .collect();
    pods.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
    let most = wanted.limit.clamp(1, MOST) as usize;
    let omitted = pods.len().saturating_sub(most);
    pods.truncate(most);
    let value = Pods {
        pods,
        omitted,
        incomplete: found.more,
    };
    Ok(Worded {
        words: words(&value),
        value,
    })
}

fn words(found: &Pods) -> String {
    let mut table = Table::new([
        "NAMESPACE",
        "NAME",
        "READY",
        "STATUS",
        "RESTARTS",
        "AGE",
        "NODE",
    ]);
    for pod in &found.pods {
        table.row([
            pod.namespace.clone(),
            pod.name.clone(),
            format!("{}/{}", pod.ready, pod.containers),
            pod.status.clone(),
            pod.restarts.to_string(),
            pod.age_seconds.map_or_else(|| "–".to_owned(), age),
            pod.node.clone().unwrap_or_else(|| "–".to_owned()),
        ]);
    }
    let mut words = table.render("No pods: there are none there that fit.\n");
    if found.omitted > 0 {
        let omitted = counted(found.omitted, "more pod is", "more pods are");
        words.push_str(&format!(
            "… {omitted} not shown: select by labels, or raise `limit`\n"
        ));
    }
    if found.incomplete {
        words.push_str("… there are more pods than were read: select by labels or namespace\n");
    }
    words
}

fn row(pod: &Pod, now: Timestamp) -> PodRow {
    let metadata = &pod.metadata;
    let spec = pod.spec.as_ref();
    let statuses = statuses(pod);
    let created = metadata.creation_timestamp.as_ref();
    let containers = spec.map_or(&[][..], |spec| &spec.containers);
    PodRow {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        status: status_of(pod),
        ready: statuses.iter().filter(|status| status.ready).count(),
        containers: containers.len(),
        restarts: statuses.iter().map(|status| status.restart_count).sum(),
        created: created.map(moment),
        age_seconds: created.map(|created| seconds_since(created.0, now)),
        node: spec.and_then(|spec| spec.node_name.clone()),
        ip: pod.status.as_ref().and_then(|status| status.pod_ip.clone()),
        controller: controller(pod).map(|owner| format!("{}/{}", owner.kind, owner.name)),
        images: containers
            .iter()
            .filter_map(|container| container.image.clone())
            .collect(),
    }
}

/// What made the pod, and makes it anew.
pub(super) fn controller(pod: &Pod) -> Option<&OwnerReference> {
    let owners = pod.metadata.owner_references.as_ref()?;
    owners.iter().find(|owner| owner.controller == Some(true))
}

/// Whether all of it serves.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    pod.metadata.deletion_timestamp.is_none()
        && conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn is_unwell(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    !is_ready(pod) && phase != Some("Succeeded")
}

fn statuses(pod: &Pod) -> &[ContainerStatus] {
    let status = pod.status.as_ref();
    let statuses = status.and_then(|status| status.container_statuses.as_deref());
    statuses.unwrap_or_default()
}

/// How it does, in a word: what kubectl says in its column STATUS.
pub(super) fn status_of(pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref());
    let reason = status.and_then(|status| status.reason.as_deref());
    if pod.metadata.deletion_timestamp.is_some() {
        return match reason {
            Some("NodeLost") => "Unknown".to_owned(),
            _ => "Terminating".to_owned(),
        };
    }
    let preparing = status.and_then(|status| status.init_container_statuses.as_deref());
    if let Some(word) = preparing.and_then(|all| preparing_word(pod, all)) {
        return word;
    }
    let of_containers = statuses(pod)
        .iter()
        .filter_map(|status| trouble(status.state.as_ref()?))
        .next();
    let word = of_containers.or_else(|| reason.map(str::to_owned));
    // One that has ended among others that run says less than that they run.
    match word {
        Some(word) if word == "Completed" && phase == Some("Running") => match is_ready(pod) {
            true => "Running".to_owned(),
            false => "NotReady".to_owned(),
        },
        Some(word) => word,
        None => phase.unwrap_or("Unknown").to_owned(),
    }
}

/// How far it is prepared, where it is not yet.
fn preparing_word(pod: &Pod, all: &[ContainerStatus]) -> Option<String> {
    let spec = pod.spec.as_ref()?.init_containers.as_deref()?;
    let is_sidecar = |name: &str| {
        let container = spec.iter().find(|container| container.name == name);
        container.is_some_and(|container| container.restart_policy.as_deref() == Some("Always"))
    };
    for (at, status) in all.iter().enumerate() {
        let state = status.state.as_ref();
        let ended = state.and_then(|state| state.terminated.as_ref());
        if ended.is_some_and(|ended| ended.exit_code == 0)
            || (is_sidecar(&status.name) && status.started == Some(true))
        {
            continue;
        }
        return Some(match state.and_then(trouble) {
            Some(word) if word != "PodInitializing" => format!("Init:{word}"),
            _ => format!("Init:{at}/{}", spec.len()),
        });
    }
    None
}

/// Why a container does not run.
fn trouble(state: &ContainerState) -> Option<String> {
    if let Some(waiting) = &state.waiting {
        return waiting.reason.clone();
    }
    let ended = state.terminated.as_ref()?;
    Some(match (&ended.reason, ended.signal) {
        (Some(reason), _) => reason.clone(),
        (None, Some(signal)) if signal != 0 => format!("Signal:{signal}"),
        (None, _) => format!("ExitCode:{}", ended.exit_code),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(pod: Value, expect: &str) {
        let read: Pod = serde_json::from_value(pod.clone()).expect("it is a pod");
        assert_eq!(status_of(&read), expect, "{pod}");
    }

    fn container(state: Value) -> Value {
        json!({ "name": "a", "image": "a", "imageID": "", "ready": false, "restartCount": 0, "state": state })
    }

    #[test]
    fn a_word_says_how_a_pod_does() {
        let status = |status: Value| json!({ "metadata": {}, "status": status });
        check(status(json!({})), "Unknown");
        check(status(json!({ "phase": "Pending" })), "Pending");
        check(
            status(json!({ "phase": "Failed", "reason": "Evicted" })),
            "Evicted",
        );
        for (state, expect) in [
            (
                json!({ "waiting": { "reason": "CrashLoopBackOff" } }),
                "CrashLoopBackOff",
            ),
            (
                json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } }),
                "OOMKilled",
            ),
            (json!({ "terminated": { "exitCode": 3 } }), "ExitCode:3"),
            (
                json!({ "terminated": { "exitCode": 0, "signal": 9 } }),
                "Signal:9",
            ),
            (
                json!({ "terminated": { "exitCode": 0, "reason": "Completed" } }),
                "NotReady",
            ),
            (json!({ "running": {} }), "Running"),
        ] {
            check(
                status(json!({ "phase": "Running", "containerStatuses": [container(state)] })),
                expect,
            );
        }
        check(
            json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" }, "status": { "phase": "Running" } }),
            "Terminating",
        );
    }

    #[test]
    fn a_pod_that_is_being_prepared_says_how_far() {
        let pod = |states: [Value; 2], policy: Option<&str>| {
            let [first, second] = states.map(container);
            let mut prepares = json!({ "name": "a" });
            if let Some(policy) = policy {
                prepares["restartPolicy"] = policy.into();
            }
            json!({
                "metadata": {},
                "spec": { "containers": [], "initContainers": [prepares, { "name": "b" }] },
                "status": { "phase": "Pending", "initContainerStatuses": [first, second] },
            })
        };
        let (done, runs) = (
            json!({ "terminated": { "exitCode": 0 } }),
            json!({ "running": {} }),
        );
        let fails = json!({ "terminated": { "exitCode": 1, "reason": "Error" } });
        check(pod([done.clone(), runs.clone()], None), "Init:1/2");
        check(pod([done.clone(), fails], None), "Init:Error");
        check(pod([done.clone(), done.clone()], None), "Pending");
        let mut sidecar = pod([runs, done], Some("Always"));
        sidecar["status"]["initContainerStatuses"][0]["started"] = true.into();
        check(sidecar, "Pending");
    }
}
