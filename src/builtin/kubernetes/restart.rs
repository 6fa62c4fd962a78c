//! `restart_pod`: deletes a pod whose controller makes it anew.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use k8s_openapi::api::core::v1::Pod;
use kube::Resource;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::core::Request;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::builtin::kubernetes::change::{Meant, teller};
use crate::builtin::kubernetes::cluster::Cluster;
use crate::builtin::kubernetes::describe::get_pod;
use crate::builtin::kubernetes::names::Name;
use crate::builtin::kubernetes::places::Scope;
use crate::builtin::kubernetes::pods::{controller, is_ready, status_of};
use crate::builtin::kubernetes::refusal::{Deed, Refusal};
use crate::builtin::kubernetes::watch::{Known, Verdict, Wait, Waited};
use crate::plugin::{ToolContext, ToolError, Weight, Worded};

/// Labels that differ between pods of the same controller.
const OWN_LABELS: [&str; 6] = [
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "job-completion-index",
];

/// Says of a pod that the kubelet made it from a file; the object is only its reflection.
const MIRROR: &str = "kubernetes.io/config.mirror";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RestartPod {
    /// The pod, as `list_pods` names it.
    pod: Name,
    /// Its namespace; the operator's usual one if not given.
    #[serde(default)]
    namespace: Option<Name>,
    /// Seconds that its containers have to end; the pod's own time (mostly 30) if not given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 3600))]
    grace_seconds: Option<u32>,
    /// Deletes it even if no controller makes it anew: then it is gone for good.
    #[serde(default)]
    even_if_gone_for_good: bool,
    /// Waits up to so many seconds until another pod of the same controller is ready; 0 (default) does not wait.
    #[serde(default)]
    #[schemars(range(min = 0, max = 300))]
    wait_seconds: u32,
}

/// A pod that was restarted, or would be.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Restarted {
    namespace: String,
    pod: String,
    /// The pod that was meant; one of the same name that is made later has another one.
    uid: String,
    dry_run: bool,
    /// What makes it anew, such as `ReplicaSet/web-6d4b75cb6d`; absent where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    controller: Option<String>,
    status_before: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    waited: Option<Waited>,
}

/// Restarts a pod.
pub(super) async fn restart_pod(
    cluster: &Cluster,
    wanted: RestartPod,
    context: &ToolContext,
) -> Result<Worded<Restarted>, ToolError> {
    let namespace = cluster.namespaces.one(wanted.namespace.as_ref())?;
    let (name, dry_run) = (wanted.pod.as_str(), context.is_dry_run());
    let pod: Pod = get_pod(cluster, &namespace, name).await?;
    may_be_deleted(&pod, name, wanted.even_if_gone_for_good)?;
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    if !dry_run {
        context.hold_to(&meant(cluster, &namespace, &pod))?;
    }
    let owner = owner_of(&pod);
    let waits = wanted.wait_seconds > 0 && !dry_run && owner.is_some();
    let siblings = match waits {
        true => siblings(cluster, &namespace, &pod).await?,
        false => BTreeSet::new(),
    };
    let status_before = status_of(&pod);
    let verb = match dry_run {
        true => "Would delete",
        false => {
            delete(cluster, (&namespace, name, &uid), wanted.grace_seconds).await?;
            "Deleted"
        }
    };
    let then = match &owner {
        Some(owner) => format!("{owner} makes another one"),
        None => "nothing makes it anew".to_owned(),
    };
    let mut words = format!("{verb} pod {namespace}/{name} ({status_before}): {then}.\n");
    let mut waited = None;
    if waits {
        let tell = teller(context);
        let ended = replaced(
            cluster,
            &namespace,
            &pod,
            siblings,
            wanted.wait_seconds,
            &tell,
        )
        .await;
        words.push_str(&ended.words());
        waited = Some(ended);
    }
    Ok(Worded {
        words,
        value: Restarted {
            pod: name.to_owned(),
            namespace,
            uid,
            dry_run,
            controller: owner,
            status_before,
            waited,
        },
    })
}

/// Which pod would be deleted.
pub(super) async fn weigh(cluster: &Cluster, wanted: RestartPod) -> Result<Weight, ToolError> {
    let namespace = cluster.namespaces.one(wanted.namespace.as_ref())?;
    let name = wanted.pod.as_str();
    let pod: Pod = get_pod(cluster, &namespace, name).await?;
    may_be_deleted(&pod, name, wanted.even_if_gone_for_good)?;
    let (status, place) = (status_of(&pod), cluster.words());
    let then = match owner_of(&pod) {
        Some(owner) => format!("{owner} makes another one"),
        None => "nothing makes it anew".to_owned(),
    };
    let words = format!(
        "deletes the pod `{name}` ({status}; {then}) of the namespace `{namespace}` in {place}"
    );
    let meant = meant(cluster, &namespace, &pod);
    Ok(Weight::Changes(meant.change(words)))
}

fn meant<'a>(
    cluster: &'a Cluster,
    namespace: &'a str,
    pod: &'a Pod,
) -> Meant<'a, (&'a str, Option<&'a str>, Option<&'a str>)> {
    let (name, uid) = (&pod.metadata.name, &pod.metadata.uid);
    Meant::new(cluster, (namespace, name.as_deref(), uid.as_deref()))
}

fn owner_of(pod: &Pod) -> Option<String> {
    controller(pod).map(|owner| format!("{}/{}", owner.kind, owner.name))
}

fn may_be_deleted(pod: &Pod, name: &str, for_good: bool) -> Result<(), ToolError> {
    let annotations = pod.metadata.annotations.as_ref();
    let is_mirror = annotations.is_some_and(|annotations| annotations.contains_key(MIRROR));
    if is_mirror || controller(pod).is_some_and(|owner| owner.kind == "Node") {
        return Err(ToolError::new(format!(
            "`{name}` is a static pod, which the kubelet of its node runs from a file: deleting the object restarts nothing"
        )));
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return Err(ToolError::new(format!(
            "`{name}` is being deleted already; look at it by `describe_pod` if it does not end"
        )));
    }
    if controller(pod).is_none() && !for_good {
        return Err(ToolError::new(format!(
            "no controller makes `{name}` anew, so it would be gone for good; nothing was done. If that is what you want, say `even_if_gone_for_good`"
        )));
    }
    Ok(())
}

/// Deletes this very pod, not one of the same name that has come since.
pub(super) async fn delete(
    cluster: &Cluster,
    (namespace, name, uid): (&str, &str, &str),
    grace_seconds: Option<u32>,
) -> Result<(), Refusal> {
    let deed = Deed::new("delete", "pods").of(name).within(namespace);
    let params = DeleteParams {
        grace_period_seconds: grace_seconds,
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    let pods = Request::new(Pod::url_path(&(), Some(namespace)));
    let ended: Result<Value, Refusal> = cluster.ask(&deed, pods.delete(name, &params)).await;
    ended.map(drop)
}

/// Finds pods of the same controller, before and after.
fn alike(pod: &Pod) -> ListParams {
    let labels = pod.metadata.labels.iter().flatten();
    let labels: Vec<String> = labels
        .filter(|(key, _)| !OWN_LABELS.contains(&key.as_str()))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    ListParams {
        label_selector: Some(labels.join(",")).filter(|labels| !labels.is_empty()),
        ..ListParams::default()
    }
}

/// The pods of its controller that are there before.
async fn siblings(
    cluster: &Cluster,
    namespace: &str,
    pod: &Pod,
) -> Result<BTreeSet<String>, Refusal> {
    let scope = Scope::Each(vec![namespace.to_owned()]);
    let found = cluster.list::<Pod>(&scope, &alike(pod)).await?;
    let uids = found.items.into_iter().filter_map(|pod| pod.metadata.uid);
    Ok(uids.collect())
}

async fn replaced(
    cluster: &Cluster,
    namespace: &str,
    pod: &Pod,
    siblings: BTreeSet<String>,
    seconds: u32,
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Waited {
    let owner = controller(pod).map(|owner| owner.uid.clone());
    let old = pod.metadata.uid.clone().unwrap_or_default();
    let judge = |known: &Known<Pod>| -> Verdict {
        let is_new = |(uid, pod): &(&String, &Pod)| {
            !siblings.contains(*uid) && controller(pod).map(|owner| &owner.uid) == owner.as_ref()
        };
        let is_there = known.contains_key(&old);
        let mut new: Vec<&Pod> = known.iter().filter(is_new).map(|(_, pod)| pod).collect();
        new.sort_by_key(|pod| !is_ready(pod));
        let Some(first) = new.first() else {
            return ControlFlow::Continue(match is_there {
                true => "the old pod is ending".to_owned(),
                false => "the old pod is gone, another one is not there yet".to_owned(),
            });
        };
        let (name, status) = (
            first.metadata.name.as_deref().unwrap_or_default(),
            status_of(first),
        );
        match (is_ready(first), is_there) {
            (true, false) => ControlFlow::Break(Ok(format!("pod {name} is ready in its place"))),
            (true, true) => {
                ControlFlow::Continue(format!("pod {name} is ready, the old one is still ending"))
            }
            (false, _) => {
                ControlFlow::Continue(format!("pod {name} is there and not ready yet ({status})"))
            }
        }
    };
    let wait = Wait {
        cluster,
        namespace,
        query: alike(pod),
        seconds,
        judge,
        tell,
    };
    wait.run().await
}
