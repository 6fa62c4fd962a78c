//! Whether a Deployment is rolled out: what `kubectl rollout status` goes by.

use std::ops::ControlFlow;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::ListParams;

use crate::builtin::kubernetes::cluster::Cluster;
use crate::builtin::kubernetes::listing::Kind;
use crate::builtin::kubernetes::watch::{Known, Verdict, Wait, Waited};

impl Kind for Deployment {
    const RESOURCE: &'static str = "deployments";

    fn path(namespace: Option<&str>) -> String {
        Self::url_path(&(), namespace)
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
}

/// Waits until a Deployment is rolled out, as it was asked to be in `generation` or later.
pub(super) async fn finished(
    cluster: &Cluster,
    (namespace, name): (&str, &str),
    generation: Option<i64>,
    seconds: u32,
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Waited {
    let wait = Wait {
        cluster,
        namespace,
        query: ListParams::default().fields(&format!("metadata.name={name}")),
        seconds,
        judge: |known: &Known<Deployment>| match known.values().next() {
            Some(deployment) => judge(deployment, generation),
            None => ControlFlow::Break(Err("the deployment is gone".to_owned())),
        },
        tell,
    };
    wait.run().await
}

fn judge(deployment: &Deployment, generation: Option<i64>) -> Verdict {
    let none = DeploymentStatus::default();
    let status = deployment.status.as_ref().unwrap_or(&none);
    let wanted = generation.max(deployment.metadata.generation).unwrap_or(0);
    if status.observed_generation.unwrap_or(0) < wanted {
        return ControlFlow::Continue("its controller has not seen the change yet".to_owned());
    }
    let conditions = status.conditions.iter().flatten();
    let late = conditions
        .filter(|condition| condition.reason.as_deref() == Some("ProgressDeadlineExceeded"))
        .find_map(|condition| condition.message.clone());
    if let Some(message) = late {
        return ControlFlow::Break(Err(format!("it is stuck: {message}")));
    }
    let wanted = deployment.spec.replicas.unwrap_or(1);
    let count = |count: Option<i32>| count.unwrap_or(0);
    let (all, updated, available) = (
        count(status.replicas),
        count(status.updated_replicas),
        count(status.available_replicas),
    );
    if updated < wanted {
        return ControlFlow::Continue(format!("{updated} of {wanted} pods are as they should be"));
    }
    if all > updated {
        let old = all - updated;
        return ControlFlow::Continue(format!("{old} pods too many are still there"));
    }
    if available < updated {
        return ControlFlow::Continue(format!("{available} of {updated} pods are available"));
    }
    ControlFlow::Break(Ok(format!("{available} of {wanted} pods are available")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_rollout_is_over_when_all_pods_are_new_and_available() {
        let conditions = json!([{ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too slow" }]);
        for (generation, status, expect) in [
            (
                2,
                json!({ "observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3 }),
                "… not seen",
            ),
            (
                2,
                json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 1 }),
                "… 1 of 3 pods are as",
            ),
            (
                2,
                json!({ "observedGeneration": 2, "replicas": 4, "updatedReplicas": 3, "availableReplicas": 3 }),
                "… 1 pods too many",
            ),
            (
                2,
                json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 2 }),
                "… 2 of 3 pods are available",
            ),
            (
                2,
                json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3 }),
                "✓ 3 of 3",
            ),
            (
                2,
                json!({ "observedGeneration": 2, "conditions": conditions }),
                "✗ it is stuck: too slow",
            ),
            // What others have asked since is waited for, too.
            (1, json!({ "observedGeneration": 1 }), "… not seen"),
        ] {
            let deployment: Value = json!({
                "metadata": { "generation": 2 },
                "spec": { "replicas": 3, "selector": {}, "template": {} },
                "status": status,
            });
            let deployment = serde_json::from_value(deployment).expect("it is a deployment");
            let said = match judge(&deployment, Some(generation)) {
                ControlFlow::Continue(said) => format!("… {said}"),
                ControlFlow::Break(Ok(said)) => format!("✓ {said}"),
                ControlFlow::Break(Err(said)) => format!("✗ {said}"),
            };
            let (sign, part) = expect.split_once(' ').expect("a sign and a part");
            assert!(
                said.starts_with(sign) && said.contains(part),
                "{said}: {expect}"
            );
        }
    }
}
