//! Objects as they are given out: without the values of environment variables and of the headers of probes and hooks, which
//! may be secrets, and without what only machines need. Commands, arguments and annotations stay.

use serde_json::Value;

/// What stands in place of a value.
const VEILED: &str = "***";

/// A whole earlier object in a text, its secrets included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

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

#[cfg(test)]
mod tests {
    use serde_json::json;

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
}
