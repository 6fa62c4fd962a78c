//! `describe_pod`: all that a person needs to know of one pod.

mod text;

use k8s_openapi::api::core::v1::Pod;
use kube::Resource;
use kube::api::GetParams;
use kube::core::Request;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::builtin::kubernetes::cluster::Cluster;
use crate::builtin::kubernetes::happenings::{self, Events};
use crate::builtin::kubernetes::names::Name;
use crate::builtin::kubernetes::places::Scope;
use crate::builtin::kubernetes::refusal::{Deed, Refusal};
use crate::builtin::kubernetes::veil::{shorten, veil};
use crate::builtin::kubernetes::words::now;
use crate::plugin::{ToolError, Worded};

/// The most bytes of the object in the structured content.
const MAX_OBJECT: usize = 256 << 10;

/// The most bytes of the pod in words.
const MAX_WORDS: usize = 64 << 10;

/// The most events that are shown.
const MAX_EVENTS: usize = 25;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DescribePod {
    /// The pod, as `list_pods` names it.
    pod: Name,
    /// Its namespace; the operator's usual one if not given.
    #[serde(default)]
    namespace: Option<Name>,
}

/// A pod, and what happened to it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Described {
    /// The object as the API server has it, without `managedFields`; values of environment variables and of the headers of
    /// probes and hooks are `***`. Commands, arguments and annotations are as they are.
    pod: Map<String, Value>,
    /// What is too large to be given out, such as `/metadata/annotations`: `pod` is without it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    events: Events,
    #[serde(skip_serializing_if = "Option::is_none")]
    events_error: Option<String>,
}

/// Describes a pod.
pub(super) async fn describe_pod(
    cluster: &Cluster,
    wanted: DescribePod,
) -> Result<Worded<Described>, ToolError> {
    let namespace = cluster.namespaces.one(wanted.namespace.as_ref())?;
    let name = wanted.pod.as_str();
    let mut raw: Value = get_pod(cluster, &namespace, name).await?;
    let pod: Pod = serde_json::from_value(raw.clone()).map_err(|_| not_understood(name))?;
    veil(&mut raw);
    let left_out = shorten(&mut raw, MAX_OBJECT);
    let Value::Object(raw) = raw else {
        return Err(not_understood(name).into());
    };
    let events = events_of(cluster, namespace, &pod).await;
    let mut words = bounded(text::of(&pod, now(cluster.clock)));
    let (events, events_error) = match events {
        Ok(events) => (events, None),
        // All else is worth knowing without them.
        Err(refusal) => (
            Events {
                events: Vec::new(),
                omitted: 0,
                incomplete: false,
            },
            Some(refusal.to_string()),
        ),
    };
    words.push_str("\nEvents, the newest first:\n");
    match &events_error {
        Some(error) => words.push_str(&format!("  They could not be read: {error}\n")),
        None => words.push_str(&happenings::table(&events).render("  None.\n")),
    }
    if events.omitted > 0 {
        words.push_str(&format!("… {} older ones are not shown\n", events.omitted));
    }
    if !left_out.is_empty() {
        let what = left_out.join(", ");
        words.push_str(&format!(
            "The object is large: its {what} are not in the structured content\n"
        ));
    }
    Ok(Worded {
        words,
        value: Described {
            pod: raw,
            left_out,
            events,
            events_error,
        },
    })
}

/// The words, as far as they can be read.
fn bounded(mut words: String) -> String {
    if words.len() > MAX_WORDS {
        words.truncate(words.floor_char_boundary(MAX_WORDS));
        words.push_str("…\n(the rest is too much to read)\n");
    }
    words
}

/// Gets a pod, as an object or as a type that knows it.
pub(super) async fn get_pod<T: serde::de::DeserializeOwned>(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
) -> Result<T, Refusal> {
    let deed = Deed::new("get", "pods").of(name).within(namespace);
    let pods = Request::new(Pod::url_path(&(), Some(namespace)));
    cluster
        .get("Pod", &deed, pods.get(name, &GetParams::default()))
        .await
}

async fn events_of(cluster: &Cluster, namespace: String, pod: &Pod) -> Result<Events, Refusal> {
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    // A pod of the same name that was there before has events of its own.
    let fields = format!("involvedObject.name={name},involvedObject.uid={uid}");
    let scope = Scope::Each(vec![namespace]);
    happenings::find(cluster, &scope, &fields, None, MAX_EVENTS).await
}

fn not_understood(name: &str) -> Refusal {
    Refusal::new(format!(
        "the API server's answer about `{name}` is no pod; does the kubeconfig lead to an API server?"
    ))
}
