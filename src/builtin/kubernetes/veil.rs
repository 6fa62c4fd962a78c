//! Objects as they are given out: without the values of environment variables and of the headers of probes and hooks, which
//! may be secrets, and without what only machines need. Commands, arguments and annotations stay.

use serde_json::{Value, json};

/// What stands in place of a value.
const VEILED: &str = "***";

/// A whole earlier object in a text, its secrets included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The most parts of an object that are left out one by one.
const MAX_LEFT_OUT: usize = 20;

/// Lists of containers in the spec of a pod.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Takes out of a pod what nobody is to see.
pub(super) fn veil(pod: &mut Value) {
    if let Some(metadata) = pod.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
        let annotations = metadata.get_mut("annotations");
        if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
            annotations.shift_remove(LAST_APPLIED);
        }
    }
    for list in CONTAINERS {
        let containers = pod.pointer_mut(&format!("/spec/{list}"));
        let containers = containers.and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            veil_values(container.get_mut("env"));
            veil_headers(container);
        }
    }
}

/// Takes the values out of a list of names with values.
fn veil_values(list: Option<&mut Value>) {
    let list = list.and_then(Value::as_array_mut);
    for named in list.into_iter().flatten() {
        if let Some(value) = named.get_mut("value") {
            *value = VEILED.into();
        }
    }
}

/// Takes the values out of all `httpHeaders`, those of probes and of hooks, wherever there may come to be any.
fn veil_headers(value: &mut Value) {
    match value {
        Value::Object(members) => {
            veil_values(members.get_mut("httpHeaders"));
            members.values_mut().for_each(veil_headers);
        }
        Value::Array(items) => items.iter_mut().for_each(veil_headers),
        _ => {}
    }
}

/// Takes the largest parts out of an object until it has at most so many bytes; which, as JSON pointers. Its name stays.
pub(super) fn shorten(object: &mut Value, most: usize) -> Vec<String> {
    let mut left_out = Vec::new();
    let mut size = object.to_string().len();
    while size > most && left_out.len() < MAX_LEFT_OUT {
        let Some((outer, inner)) = largest(object) else {
            break;
        };
        let part = object.get_mut(&outer).and_then(Value::as_object_mut);
        part.and_then(|part| part.shift_remove(&inner));
        left_out.push(format!("/{outer}/{inner}"));
        size = object.to_string().len();
    }
    if size > most {
        // So many small parts that nothing of it can be kept.
        *object = json!({});
        left_out = vec!["/".to_owned()];
    }
    left_out
}

/// The names of the largest part of the second level.
fn largest(object: &Value) -> Option<(String, String)> {
    let outer = object.as_object()?.iter();
    let parts = outer.flat_map(|(outer, value)| {
        let inner = value.as_object().into_iter().flatten();
        inner.map(move |(inner, value)| (value.to_string().len(), outer, inner))
    });
    let parts = parts.filter(|(_, _, inner)| !["name", "namespace"].contains(&inner.as_str()));
    let (_, outer, inner) = parts.max_by_key(|(size, _, _)| *size)?;
    Some((outer.clone(), inner.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_veiled_in_all_kinds_of_containers() {
        let env = json!([{ "name": "A", "value": "secret" }, { "name": "B", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } }]);
        let mut pod = json!({
            "metadata": {
                "managedFields": [{ "manager": "kubectl" }],
                "annotations": { LAST_APPLIED: "secret", "kept": "yes" },
            },
            "spec": {
                "containers": [{ "name": "a", "env": env }, { "name": "b" }],
                "initContainers": [{ "name": "c", "env": env }],
                "ephemeralContainers": [{ "name": "d", "env": env }],
            },
        });
        veil(&mut pod);
        let text = pod.to_string();
        assert!(!text.contains("secret\""), "{text}");
        assert_eq!(text.matches(r#"{"name":"A","value":"***"}"#).count(), 3);
        assert_eq!(
            text.matches(r#""secretKeyRef":{"name":"s","key":"k"}"#)
                .count(),
            3
        );
        assert_eq!(pod["metadata"], json!({ "annotations": { "kept": "yes" } }));
        veil(&mut json!(7));
    }

    #[test]
    fn headers_of_probes_and_hooks_are_veiled() {
        let get = json!({ "httpGet": { "path": "/up", "port": 80, "httpHeaders": [{ "name": "Authorization", "value": "Basic secret" }] } });
        let container = json!({
            "name": "a", "args": ["--shown"],
            "livenessProbe": get, "readinessProbe": get, "startupProbe": get,
            "lifecycle": { "postStart": get, "preStop": get },
        });
        let mut pod = json!({ "spec": { "containers": [container], "initContainers": [container], "ephemeralContainers": [container] } });
        veil(&mut pod);
        let text = pod.to_string();
        assert!(!text.contains("secret"), "{text}");
        let veiled = r#"{"name":"Authorization","value":"***"}"#;
        assert_eq!(text.matches(veiled).count(), 15);
        assert_eq!(text.matches("--shown").count(), 3);
    }

    #[test]
    fn what_is_large_is_left_out_and_named() {
        let long = "x".repeat(1_000);
        let metadata =
            json!({ "name": "web", "annotations": { "a": long }, "labels": { "b": "c" } });
        let mut pod =
            json!({ "kind": "Pod", "metadata": metadata, "spec": { "containers": [long] } });
        assert!(shorten(&mut pod.clone(), 10_000).is_empty());
        let mut little = pod.clone();
        assert_eq!(shorten(&mut little, 1_500).len(), 1);
        let left_out = shorten(&mut pod, 200);
        assert_eq!(left_out, ["/metadata/annotations", "/spec/containers"]);
        let expect = json!({ "kind": "Pod", "metadata": { "name": "web", "labels": { "b": "c" } }, "spec": {} });
        assert_eq!(pod, expect);
        let many: serde_json::Map<_, _> = (0..500).map(|at| (at.to_string(), json!(at))).collect();
        let mut many = Value::Object(many);
        assert_eq!(shorten(&mut many, 100), ["/"]);
        assert_eq!(many, json!({}));
    }
}
