//! `wait_seconds`: a list, then a watch from there on; one that is too old (410) begins again.

use serde_json::{Value, json};

use crate::kubernetes::api::{
    Api, Expect, event, list, object, on, pod, ready, status, text, value,
};
use crate::kubernetes::{DEPLOYMENTS, LIMIT, POD, PODS, UID};
use crate::support::stand_in::Said;

/// The Deployment, with so many of five pods available.
fn deployment(version: &str, available: i32) -> Value {
    let mut deployment = object!("deployment");
    deployment["metadata"]["resourceVersion"] = version.into();
    deployment["metadata"]["generation"] = 8.into();
    deployment["spec"]["replicas"] = 5.into();
    let status = &mut deployment["status"];
    status["observedGeneration"] = 8.into();
    for key in ["replicas", "updatedReplicas"] {
        status[key] = 5.into();
    }
    status["availableReplicas"] = available.into();
    deployment
}

/// It is scaled to five.
fn scaled() -> Vec<Expect> {
    let path = format!("{DEPLOYMENTS}/web/scale");
    let mut after = object!("scale");
    after["spec"]["replicas"] = 5.into();
    vec![
        on(&format!("GET {path}"), &[], object!("scale")),
        on(&format!("PUT {path}"), &[], after.clone()).with("application/json", after),
    ]
}

fn listed(version: &str, available: i32) -> Expect {
    let only = ("fieldSelector", "metadata.name=web");
    let items = [deployment(version, available)];
    let list = list("DeploymentList", version, &items);
    on(&format!("GET {DEPLOYMENTS}"), &[LIMIT, only], list)
}

fn watched(version: &str, seconds: &str, said: Said) -> Expect {
    let query = [
        ("allowWatchBookmarks", "true"),
        ("fieldSelector", "metadata.name=web"),
        ("resourceVersion", version),
        ("timeoutSeconds", seconds),
        ("watch", "true"),
    ];
    on(&format!("GET {DEPLOYMENTS}"), &query, Value::Null).said(said)
}

fn gone() -> Value {
    status(410, "Expired", "too old resource version: 48300 (48900)")
}

async fn scale(then: Vec<Expect>, seconds: u32) -> crate::support::Answer {
    let mut expected = scaled();
    expected.extend(then);
    let wanted = json!({ "deployment": "web", "replicas": 5, "wait_seconds": seconds });
    Api::call(expected, "scale_deployment", wanted).await
}

#[tokio::test]
async fn it_is_watched_until_all_are_available() {
    let bookmark = json!({ "kind": "Deployment", "apiVersion": "apps/v1", "metadata": { "resourceVersion": "48320", "creationTimestamp": null }, "spec": { "selector": null, "template": { "metadata": { "creationTimestamp": null }, "spec": { "containers": null } }, "strategy": {} }, "status": {} });
    let answer = scale(
        vec![
            listed("48300", 3),
            // The API server ends watches now and then: it goes on where that one ended.
            watched(
                "48300",
                "60",
                Said::Lines(vec![
                    event("MODIFIED", deployment("48310", 4)),
                    event("BOOKMARK", bookmark),
                ]),
            ),
            watched(
                "48320",
                "60",
                Said::OpenLines(vec![event("MODIFIED", deployment("48330", 5))]),
            ),
        ],
        60,
    )
    .await;
    let said = text(&answer);
    assert!(
        said.starts_with("Scaled Deployment shop/web: 3 → 5 replicas.\nAfter "),
        "{said}"
    );
    assert!(said.ends_with(" s: 5 of 5 pods are available.\n"), "{said}");
    assert_eq!(value(&answer)["waited"]["done"], true);
}

/// A watch from a version that the API server has forgotten: in the answer, and in the middle of the stream.
#[tokio::test]
async fn a_watch_that_is_too_old_begins_with_a_list_again() {
    let answer = scale(
        vec![
            listed("48300", 3),
            watched("48300", "60", Said::Whole(410, gone())),
            listed("48900", 4),
            watched(
                "48900",
                "60",
                Said::Lines(vec![
                    event("MODIFIED", deployment("48910", 4)),
                    event("ERROR", gone()),
                ]),
            ),
            listed("49500", 5),
        ],
        60,
    )
    .await;
    let waited = value(&answer)["waited"].clone();
    assert_eq!(
        (&waited["done"], &waited["said"]),
        (&json!(true), &json!("5 of 5 pods are available"))
    );
}

/// What was done stays done, whatever becomes of waiting.
#[tokio::test]
async fn that_it_was_scaled_is_said_also_where_it_cannot_be_watched() {
    let no = status(
        403,
        "Forbidden",
        "deployments.apps is forbidden: User \"toolgate\" cannot watch resource \"deployments\" in API group \"apps\" in the namespace \"shop\"",
    );
    let answer = scale(
        vec![
            listed("48300", 3),
            watched("48300", "60", Said::Whole(403, no)),
        ],
        60,
    )
    .await;
    let value = value(&answer);
    assert_eq!(
        (&value["changed"], &value["waited"]["done"]),
        (&json!(true), &json!(false))
    );
    let said = text(&answer);
    assert!(
        said.contains("3 of 5 pods are available; it can no longer be watched"),
        "{said}"
    );
    assert!(said.contains("the verb `watch` on `deployments`"), "{said}");
}

#[tokio::test]
async fn waiting_has_an_end() {
    let answer = scale(
        vec![
            listed("48300", 3),
            watched("48300", "1", Said::OpenLines(vec![])),
        ],
        1,
    )
    .await;
    let waited = value(&answer)["waited"].clone();
    assert_eq!(waited["done"], false);
    assert_eq!(
        waited["said"],
        "3 of 5 pods are available; it goes on without being watched"
    );
    let seconds = waited["seconds"].as_f64().expect("a number");
    assert!((1.0..10.0).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_rollout_that_is_stuck_is_not_waited_for() {
    let mut stuck = deployment("48310", 3);
    stuck["status"]["conditions"][1] = json!({ "type": "Progressing", "status": "False", "lastUpdateTime": "2026-01-05T08:00:00Z", "lastTransitionTime": "2026-01-05T08:00:00Z", "reason": "ProgressDeadlineExceeded", "message": "ReplicaSet \"web-6d4b75cb6d\" has timed out progressing." });
    let answer = scale(
        vec![
            listed("48300", 3),
            watched(
                "48300",
                "290",
                Said::OpenLines(vec![event("MODIFIED", stuck)]),
            ),
        ],
        300,
    )
    .await;
    assert!(
        text(&answer)
            .contains("it is stuck: ReplicaSet \"web-6d4b75cb6d\" has timed out progressing.")
    );
}

/// F7: until another pod of the same controller is ready and the old one is gone.
#[tokio::test]
async fn a_restart_waits_for_the_pod_that_comes_in_its_place() {
    let sibling = ready(pod("shop", "web-6d4b75cb6d-aaaaa", "sibling"));
    let new = pod("shop", "web-6d4b75cb6d-bbbbb", "new");
    let mut foreign = ready(pod("shop", "web-77-ccccc", "foreign"));
    foreign["metadata"]["ownerReferences"][0]["uid"] = "another".into();
    let alike = ("labelSelector", "app=web,pod-template-hash=6d4b75cb6d");
    let listed = |version: &str, pods: &[Value]| {
        on(
            &format!("GET {PODS}"),
            &[LIMIT, alike],
            list("PodList", version, pods),
        )
    };
    let watch = [
        alike,
        ("allowWatchBookmarks", "true"),
        ("resourceVersion", "48410"),
        ("timeoutSeconds", "60"),
        ("watch", "true"),
    ];
    let changes = vec![
        event("ADDED", foreign),
        event("ADDED", new.clone()),
        event("MODIFIED", ready(new)),
        event("DELETED", object!("pod")),
    ];
    let answer = Api::call(
        [
            on(&format!("GET {POD}"), &[], object!("pod")),
            listed("48400", &[object!("pod"), sibling.clone()]),
            on(&format!("DELETE {POD}"), &[], object!("pod")).with(
                "application/json",
                json!({ "preconditions": { "uid": UID } }),
            ),
            listed("48410", &[object!("pod"), sibling]),
            on(&format!("GET {PODS}"), &watch, Value::Null).said(Said::OpenLines(changes)),
        ],
        "restart_pod",
        json!({ "pod": "web-6d4b75cb6d-x2x4z", "wait_seconds": 60 }),
    )
    .await;
    let waited = value(&answer)["waited"].clone();
    assert_eq!(
        (&waited["done"], &waited["said"]),
        (
            &json!(true),
            &json!("pod web-6d4b75cb6d-bbbbb is ready in its place")
        )
    );
}
