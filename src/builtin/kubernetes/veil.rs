//! Objects as they are given out: without the values of environment variables, which may be secrets, and without what
//! only machines need.

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
            let variables = container.get_mut("env").and_then(Value::as_array_mut);
            for variable in variables.into_iter().flatten() {
                if let Some(value) = variable.get_mut("value") {
                    *value = VEILED.into();
                }
            }
        }
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
}
