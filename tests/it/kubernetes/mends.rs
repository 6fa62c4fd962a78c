//! The tools that change something: what they send, and that they do not send it where they should not.

use serde_json::{Value, json};

use crate::kubernetes::api::{Api, Expect, error, list, object, on, pod, status, text, value};
use crate::kubernetes::{DEPLOYMENTS, LIMIT, POD, PODS, UID};
use crate::support::stand_in::Said;

/// The pod is looked at.
fn looked_at(pod: Value) -> Expect {
    on(&format!("GET {POD}"), &[], pod)
}

/// It is deleted, and no other one of its name.
pub(crate) fn deleted(grace: Option<u32>) -> Expect {
    let mut body = json!({ "preconditions": { "uid": UID } });
    if let Some(grace) = grace {
        body = json!({ "gracePeriodSeconds": grace, "preconditions": { "uid": UID } });
    }
    let mut gone = object!("pod");
    gone["metadata"]["deletionTimestamp"] = "2026-01-05T09:20:00Z".into();
    on(&format!("DELETE {POD}"), &[], gone).with("application/json", body)
}

pub(crate) fn scale(replicas: i32, version: &str) -> Value {
    let mut scale = object!("scale");
    scale["spec"]["replicas"] = replicas.into();
    scale["metadata"]["resourceVersion"] = version.into();
    scale
}

/// F7
#[tokio::test]
async fn a_pod_that_is_made_anew_is_deleted() {
    let answer = Api::call(
        [looked_at(object!("pod")), deleted(Some(5))],
        "restart_pod",
        json!({ "pod": "web-6d4b75cb6d-x2x4z", "grace_seconds": 5 }),
    )
    .await;
    assert_eq!(
        text(&answer),
        "Deleted pod shop/web-6d4b75cb6d-x2x4z (CrashLoopBackOff): ReplicaSet/web-6d4b75cb6d makes another one.\n"
    );
    assert_eq!(value(&answer)["uid"], UID);
    assert_eq!(value(&answer)["dry_run"], false);
}

/// F7: what would be gone for good stays, unless that is said.
#[tokio::test]
async fn a_pod_that_nobody_makes_anew_is_deleted_only_if_told() {
    let mut alone = object!("pod");
    alone["metadata"]["ownerReferences"] = Value::Null;
    let which = json!({ "pod": "web-6d4b75cb6d-x2x4z" });
    let answer = Api::call([looked_at(alone.clone())], "restart_pod", which.clone()).await;
    assert!(error(&answer).contains("say `even_if_gone_for_good`"));
    let told = json!({ "pod": "web-6d4b75cb6d-x2x4z", "even_if_gone_for_good": true });
    let answer = Api::call([looked_at(alone), deleted(None)], "restart_pod", told).await;
    assert!(text(&answer).ends_with("nothing makes it anew.\n"));
    assert_eq!(value(&answer)["controller"], Value::Null);
    let mut mirror = object!("pod");
    mirror["metadata"]["annotations"] = json!({ "kubernetes.io/config.mirror": "abc" });
    let answer = Api::call([looked_at(mirror)], "restart_pod", which.clone()).await;
    assert!(error(&answer).contains("is a static pod"));
    let mut going = object!("pod");
    going["metadata"]["deletionTimestamp"] = "2026-01-05T09:20:00Z".into();
    let answer = Api::call([looked_at(going)], "restart_pod", which).await;
    assert!(error(&answer).contains("is being deleted already"));
}

/// F7: another pod has come under its name: that one was not meant.
#[tokio::test]
async fn a_pod_that_was_replaced_meanwhile_is_left_alone() {
    let conflict = "Operation cannot be fulfilled on Pod \"web-6d4b75cb6d-x2x4z\": the UID in the precondition does not match the UID in record";
    let answer = Api::call(
        [
            looked_at(object!("pod")),
            deleted(None).refused(409, "Conflict", conflict),
        ],
        "restart_pod",
        json!({ "pod": "web-6d4b75cb6d-x2x4z" }),
    )
    .await;
    let said = error(&answer);
    assert!(said.contains("the API server answered 409"), "{said}");
    assert!(said.contains("look at it again, then decide"), "{said}");
}

/// F8
#[tokio::test]
async fn a_deployment_is_scaled_from_what_it_was() {
    let path = format!("{DEPLOYMENTS}/web/scale");
    let which = json!({ "deployment": "web", "replicas": 5 });
    let answer = Api::call(
        [
            on(&format!("GET {path}"), &[], scale(3, "48250")),
            on(&format!("PUT {path}"), &[], scale(5, "48251"))
                .with("application/json", scale(5, "48250")),
        ],
        "scale_deployment",
        which.clone(),
    )
    .await;
    assert_eq!(
        text(&answer),
        "Scaled Deployment shop/web: 3 → 5 replicas.\n"
    );
    let scaled = value(&answer);
    assert_eq!(
        [&scaled["before"], &scaled["after"], &scaled["changed"]],
        [&json!(3), &json!(5), &json!(true)]
    );
    let answer = Api::call(
        [on(&format!("GET {path}"), &[], scale(5, "48251"))],
        "scale_deployment",
        which,
    )
    .await;
    assert_eq!(
        text(&answer),
        "Deployment shop/web has 5 replicas already.\n"
    );
    assert_eq!(value(&answer)["changed"], false);
}

/// F8: others change a Deployment all the time; what is wanted is a number, so it is read and written again.
#[tokio::test]
async fn a_conflict_is_tried_again_with_what_is_there_now() {
    let path = format!("{DEPLOYMENTS}/web/scale");
    let (get, put) = (format!("GET {path}"), format!("PUT {path}"));
    let conflict = "Operation cannot be fulfilled on deployments.apps \"web\": the object has been modified; please apply your changes to the latest version and try again";
    let write = |version: &str| {
        on(&put, &[], scale(0, "48300")).with("application/json", scale(0, version))
    };
    let answer = Api::call(
        [
            on(&get, &[], scale(3, "48250")),
            write("48250").refused(409, "Conflict", conflict),
            on(&get, &[], scale(4, "48260")),
            write("48260"),
        ],
        "scale_deployment",
        json!({ "deployment": "web", "replicas": 0 }),
    )
    .await;
    assert_eq!(
        text(&answer),
        "Scaled Deployment shop/web: 4 → 0 replicas.\nAll its pods end; nothing serves until it is scaled up again.\n"
    );
    // Not for ever.
    let again = (0..4).flat_map(|_| {
        [
            on(&get, &[], scale(3, "1")),
            write("1").refused(409, "Conflict", conflict),
        ]
    });
    let answer = Api::call(
        again.collect::<Vec<_>>(),
        "scale_deployment",
        json!({ "deployment": "web", "replicas": 0 }),
    )
    .await;
    assert!(error(&answer).contains("409"));
}

/// F8
#[tokio::test]
async fn more_than_a_hundred_are_refused_before_anything_is_asked() {
    for replicas in [-1, 101] {
        let wanted = json!({ "deployment": "web", "replicas": replicas });
        let answer = Api::call([], "scale_deployment", wanted).await;
        assert_eq!(answer.status, 422, "{}", answer.text());
    }
}

/// F10
#[tokio::test]
async fn a_node_is_cordoned_and_opened_again() {
    let path = "/api/v1/nodes/node-1";
    let mut closed = object!("node");
    closed["spec"]["unschedulable"] = true.into();
    let patched = |to: bool, answer: &Value| {
        on(&format!("PATCH {path}"), &[], answer.clone()).with(
            "application/merge-patch+json",
            json!({ "spec": { "unschedulable": to } }),
        )
    };
    let get = format!("GET {path}");
    let answer = Api::call(
        [on(&get, &[], object!("node")), patched(true, &closed)],
        "cordon_node",
        json!({ "node": "node-1" }),
    )
    .await;
    assert_eq!(
        text(&answer),
        "Node node-1 was open to new pods and is closed to new pods. The pods on it stay.\n"
    );
    let answer = Api::call(
        [
            on(&get, &[], closed.clone()),
            patched(false, &object!("node")),
        ],
        "cordon_node",
        json!({ "node": "node-1", "uncordon": true }),
    )
    .await;
    assert_eq!(value(&answer)["after"], false);
    let answer = Api::call(
        [on(&get, &[], closed)],
        "cordon_node",
        json!({ "node": "node-1" }),
    )
    .await;
    assert_eq!(value(&answer)["changed"], false);
}

pub(crate) fn evicted(name: &str, created: &str) -> Value {
    let mut pod = pod("shop", name, name);
    pod["metadata"]["creationTimestamp"] = created.into();
    pod["status"] = json!({ "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory.", "startTime": created });
    pod
}

pub(crate) fn deletes(name: &str) -> Expect {
    let gone = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": { "name": name, "kind": "pods", "uid": name } });
    on(&format!("DELETE {PODS}/{name}"), &[], gone).with(
        "application/json",
        json!({ "preconditions": { "uid": name } }),
    )
}

/// F11: the oldest first, as many as may be; what failed for another reason stays.
#[tokio::test]
async fn evicted_pods_are_deleted_and_nothing_else() {
    let mut failed = evicted("job-1", "2025-01-01T00:00:00Z");
    failed["status"]["reason"] = Value::Null;
    let mut running = evicted("web-1", "2025-01-01T00:00:00Z");
    running["status"]["phase"] = "Running".into();
    let all = [
        evicted("young", "2026-01-05T00:00:00Z"),
        failed,
        evicted("gone", "2026-01-02T00:00:00Z"),
        running,
        evicted("old", "2026-01-01T00:00:00Z"),
    ];
    let listed = on(
        &format!("GET {PODS}"),
        &[LIMIT, ("fieldSelector", "status.phase=Failed")],
        list("PodList", "48400", &all),
    );
    let answer = Api::call(
        [
            listed,
            deletes("old"),
            deletes("gone").refused(404, "NotFound", "pods \"gone\" not found"),
        ],
        "delete_evicted_pods",
        json!({ "limit": 2 }),
    )
    .await;
    let said = text(&answer);
    assert!(
        said.starts_with("Deleted 1 evicted pod; 2 more are there.\n"),
        "{said}"
    );
    assert!(
        said.contains("Not shop/gone: could not delete pods `gone`"),
        "{said}"
    );
    let value = value(&answer);
    assert_eq!(value["pods"][0]["name"], "old");
    assert_eq!(value["pods"].as_array().map(Vec::len), Some(1));
    assert_eq!(value["failed"][0]["name"], "gone");
}

#[tokio::test]
async fn what_may_not_be_deleted_is_not_tried_pod_by_pod() {
    let all = [
        evicted("a", "2026-01-01T00:00:00Z"),
        evicted("b", "2026-01-02T00:00:00Z"),
    ];
    let no = "pods \"a\" is forbidden: User \"toolgate\" cannot delete resource \"pods\" in API group \"\" in the namespace \"shop\"";
    let answer = Api::call(
        [
            on(
                &format!("GET {PODS}"),
                &[LIMIT, ("fieldSelector", "status.phase=Failed")],
                list("PodList", "48400", &all),
            ),
            deletes("a").said(Said::Whole(403, status(403, "Forbidden", no))),
        ],
        "delete_evicted_pods",
        json!({}),
    )
    .await;
    let value = value(&answer);
    assert_eq!((&value["left"], &value["pods"]), (&json!(2), &json!([])));
    assert!(
        value["failed"][0]["error"]
            .to_string()
            .contains("the verb `delete` on `pods`")
    );
}
