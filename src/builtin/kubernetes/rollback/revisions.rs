//! The revisions of a Deployment: its ReplicaSets, each with the pods of its time.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::Resource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::builtin::kubernetes::listing::Kind;

/// Says of a ReplicaSet which revision it is.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// The label by which the pods of one ReplicaSet are told from those of another.
const HASH: &str = "pod-template-hash";

/// Annotations that belong to a Deployment and its controller, not to a revision.
const OWN: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

/// A Deployment, the template of its pods as it is.
#[derive(Debug, Deserialize)]
pub(super) struct Current {
    pub(super) metadata: ObjectMeta,
    pub(super) spec: CurrentSpec,
}

#[derive(Debug, Deserialize)]
pub(super) struct CurrentSpec {
    #[serde(default)]
    pub(super) paused: bool,
    pub(super) selector: LabelSelector,
    pub(super) template: Value,
}

/// A ReplicaSet, the template of its pods as it is: fields that are newer than this program are not to be lost.
#[derive(Debug, Deserialize)]
pub(super) struct Recorded {
    pub(super) metadata: ObjectMeta,
    pub(super) spec: RecordedSpec,
}

#[derive(Debug, Deserialize)]
pub(super) struct RecordedSpec {
    pub(super) template: Value,
}

/// The image of a container, before and after.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct ImageChange {
    container: String,
    before: Option<String>,
    after: Option<String>,
}

impl Kind for Recorded {
    const RESOURCE: &'static str = "replicasets";

    fn path(namespace: Option<&str>) -> String {
        ReplicaSet::url_path(&(), namespace)
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
}

impl Recorded {
    /// Whether the Deployment of that uid controls it.
    pub(super) fn is_of(&self, uid: &str) -> bool {
        let owners = self.metadata.owner_references.iter().flatten();
        owners
            .filter(|owner| owner.controller == Some(true))
            .any(|owner| owner.uid == uid)
    }

    pub(super) fn revision(&self) -> Option<i64> {
        let annotations = self.metadata.annotations.as_ref()?;
        annotations.get(REVISION)?.parse().ok()
    }
}

/// Which revision to go to: the one that is wanted, or the one before the newest. `all` ascend.
pub(super) fn choose(all: &[i64], wanted: Option<i64>) -> Result<i64, String> {
    let kept: Vec<String> = all.iter().map(ToString::to_string).collect();
    let kept = match kept.is_empty() {
        true => "none is kept".to_owned(),
        false => format!("kept are {}", kept.join(", ")),
    };
    match wanted {
        Some(wanted) if all.contains(&wanted) => Ok(wanted),
        Some(wanted) => Err(format!("there is no revision {wanted}; {kept}")),
        None => match all {
            [.., before, _] => Ok(*before),
            _ => Err(format!(
                "there is no revision before the current one; {kept} (`revisionHistoryLimit` says how many)"
            )),
        },
    }
}

/// The template as a Deployment has it.
pub(super) fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    let labels = template.pointer_mut("/metadata/labels");
    if let Some(labels) = labels.and_then(Value::as_object_mut) {
        labels.shift_remove(HASH);
    }
    template
}

/// Whether pods made from both are the same.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    without_hash(one) == without_hash(other)
}

/// The annotations that the Deployment gets: those of the revision, and its own.
pub(super) fn annotations(current: &ObjectMeta, target: &ObjectMeta) -> BTreeMap<String, String> {
    let of = |metadata: &ObjectMeta, own: bool| {
        let all = metadata.annotations.iter().flatten();
        all.filter(|(key, _)| OWN.contains(&key.as_str()) == own)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<Vec<_>>()
    };
    let mut all = BTreeMap::from_iter(of(target, false));
    all.extend(of(current, true));
    all
}

/// The containers whose images differ.
pub(super) fn image_changes(before: &Value, after: &Value) -> Vec<ImageChange> {
    let (before, after) = (images(before), images(after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let changes = names.into_iter().filter_map(|name| {
        let (before, after) = (before.get(name), after.get(name));
        (before != after).then(|| ImageChange {
            container: name.clone(),
            before: before.cloned(),
            after: after.cloned(),
        })
    });
    changes.collect()
}

fn images(template: &Value) -> BTreeMap<String, String> {
    let mut images = BTreeMap::new();
    for list in ["initContainers", "containers"] {
        let containers = template.pointer(&format!("/spec/{list}"));
        let containers = containers.and_then(Value::as_array);
        for container in containers.into_iter().flatten() {
            let text = |key: &str| container.get(key).and_then(Value::as_str);
            if let (Some(name), Some(image)) = (text("name"), text("image")) {
                images.insert(name.to_owned(), image.to_owned());
            }
        }
    }
    images
}

impl fmt::Display for ImageChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |image: &Option<String>| image.clone().unwrap_or_else(|| "none".to_owned());
        let (before, after) = (or_none(&self.before), or_none(&self.after));
        write!(f, "{}: {before} → {after}", self.container)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_one_before_is_chosen_unless_one_is_named() {
        for (all, wanted, expect) in [
            (&[1, 3, 7][..], None, Ok(3)),
            (&[1, 3, 7], Some(1), Ok(1)),
            (
                &[1, 3, 7],
                Some(2),
                Err("there is no revision 2; kept are 1, 3, 7"),
            ),
            (&[4], None, Err("no revision before")),
            (&[], None, Err("none is kept")),
        ] {
            match (choose(all, wanted), expect) {
                (Ok(came), Ok(expect)) => assert_eq!(came, expect),
                (Err(came), Err(part)) => assert!(came.contains(part), "{came}"),
                (came, expect) => panic!("{all:?} {wanted:?}: {came:?}, not {expect:?}"),
            }
        }
    }

    #[test]
    fn templates_are_the_same_but_for_the_hash() {
        let template = |hash: Option<&str>, image: &str| {
            let mut labels = json!({ "app": "web" });
            if let Some(hash) = hash {
                labels[HASH] = hash.into();
            }
            json!({ "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "web", "image": image }] } })
        };
        assert!(same(&template(None, "a"), &template(Some("1"), "a")));
        assert!(!same(&template(None, "a"), &template(Some("1"), "b")));
        assert_eq!(without_hash(&template(Some("1"), "a")), template(None, "a"));
        let changes = image_changes(&template(None, "a"), &template(None, "b"));
        assert_eq!(changes[0].to_string(), "web: a → b");
        assert!(image_changes(&template(None, "a"), &template(Some("1"), "a")).is_empty());
    }

    #[test]
    fn a_deployment_keeps_the_annotations_of_its_own() {
        let with = |pairs: &[(&str, &str)]| ObjectMeta {
            annotations: Some(
                pairs
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                    .collect(),
            ),
            ..ObjectMeta::default()
        };
        let current = with(&[
            (REVISION, "7"),
            ("kubernetes.io/change-cause", "new"),
            ("x", "y"),
        ]);
        let target = with(&[
            (REVISION, "3"),
            (OWN[3], "5"),
            ("kubernetes.io/change-cause", "old"),
        ]);
        let expect = with(&[(REVISION, "7"), ("kubernetes.io/change-cause", "old")]);
        assert_eq!(Some(annotations(&current, &target)), expect.annotations);
    }
}
