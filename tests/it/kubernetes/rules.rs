//! What callers may do: namespaces, approvals, dry runs, what is shown, and which settings are refused.

use serde_json::{Value, json};

use crate::kubernetes::api::{Api, Expect, error, list, object, on, pod, text, value};
use crate::kubernetes::mends::evicted;
use crate::kubernetes::{DEPLOYMENTS, LIMIT, POD, PODS, REPLICA_SETS};
use crate::rest::{call, refused};
use crate::support::question::pending;
use crate::support::{Request, TestGateway};

const CHANGES: [&str; 5] = [
    "restart_pod",
    "scale_deployment",
    "rollback_deployment",
    "delete_evicted_pods",
    "cordon_node",
];

const LOOKS: [&str; 5] = [
    "list_pods",
    "describe_pod",
    "get_pod_logs",
    "get_events",
    "top_pods",
];

/// Arguments that fit the tool.
fn arguments(tool: &str) -> Value {
    match tool {
        "describe_pod" | "get_pod_logs" | "restart_pod" => json!({ "pod": "web-6d4b75cb6d-x2x4z" }),
        "scale_deployment" => json!({ "deployment": "web", "replicas": 5 }),
        "rollback_deployment" => json!({ "deployment": "web" }),
        "cordon_node" => json!({ "node": "node-1" }),
        _ => json!({}),
    }
}

async fn tools(gateway: &TestGateway) -> Vec<Value> {
    let all = gateway
        .send(&Request::new("GET", "/api/tools"))
        .await
        .json();
    let all = all.as_array().expect("a list").clone();
    let own = all.into_iter().filter(|tool| {
        let name = tool["name"].as_str().unwrap_or_default();
        CHANGES.contains(&name) || LOOKS.contains(&name)
    });
    own.collect()
}

fn names(tools: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = tools
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    names.sort_unstable();
    names
}

/// The others' namespaces are refused before anything is sent, whatever the tool.
#[tokio::test]
async fn a_namespace_that_is_not_allowed_is_not_asked_about() {
    let api = Api::start([]).await;
    let gateway = api.gateway("namespaces = ['shop', 'team-*']\n").await;
    for tool in LOOKS.iter().chain(&CHANGES[..4]) {
        let mut wanted = arguments(tool);
        wanted["namespace"] = "kube-system".into();
        let answer = gateway.send(&call(tool, &wanted.to_string())).await;
        let said = error(&answer);
        assert!(
            said.contains("the namespace `kube-system` is outside of what the operator allows: allowed are `shop`, `team-*`"),
            "{tool}: {said}"
        );
    }
    for (tool, wanted) in [
        ("list_pods", json!({ "namespace": "../../secrets" })),
        ("describe_pod", json!({ "pod": "a/../../b" })),
    ] {
        let answer = gateway.send(&call(tool, &wanted.to_string())).await;
        assert_eq!(answer.status, 422, "{}", answer.text());
    }
    api.finish("");
    gateway.finish().await;
}

/// Names are asked one by one; with patterns all are asked for, and those that do not fit are left out.
#[tokio::test]
async fn all_namespaces_are_those_that_are_allowed() {
    let in_shop = pod("shop", "web-1", "1");
    let in_team = pod("team-a", "api-1", "2");
    let foreign = pod("kube-system", "etcd-0", "3");
    let by_name: [Expect; 2] = [
        on(
            &format!("GET {PODS}"),
            &[LIMIT],
            list("PodList", "1", std::slice::from_ref(&in_shop)),
        ),
        on(
            "GET /api/v1/namespaces/team-a/pods",
            &[LIMIT],
            list("PodList", "1", std::slice::from_ref(&in_team)),
        ),
    ];
    let all = || {
        let pods = [in_shop.clone(), in_team.clone(), foreign.clone()];
        [on(
            "GET /api/v1/pods",
            &[LIMIT],
            list("PodList", "1", &pods),
        )]
    };
    for (settings, expected, expect) in [
        (
            "namespaces = ['team-a', 'shop']\n",
            Vec::from(by_name),
            vec!["web-1", "api-1"],
        ),
        (
            "namespaces = ['shop', 'team-*']\n",
            Vec::from(all()),
            vec!["web-1", "api-1"],
        ),
        ("", Vec::from(all()), vec!["etcd-0", "web-1", "api-1"]),
    ] {
        let api = Api::start(expected).await;
        let gateway = api.gateway(settings).await;
        let answer = gateway
            .send(&call("list_pods", r#"{"all_namespaces":true}"#))
            .await;
        api.finish(&answer.text());
        gateway.finish().await;
        let value = value(&answer);
        let names: Vec<&Value> = value["pods"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|pod| &pod["name"])
            .collect();
        assert_eq!(names, expect, "{settings}");
        assert_eq!(answer.text().contains("etcd-0"), settings.is_empty());
    }
}

/// A dry run says exactly what would be done, and only reads: every request that is not a GET would be a complaint.
#[tokio::test]
async fn a_dry_run_reads_and_changes_nothing() {
    let mut evicted = pod("shop", "web-old", "old");
    evicted["status"] = json!({ "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory." });
    let mut set = object!("replicaset");
    set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "7".into();
    set["metadata"]["uid"] = "7".into();
    let sets = list("ReplicaSetList", "1", &[object!("replicaset"), set]);
    let failed = list("PodList", "1", &[evicted]);
    let expected = [
        on(&format!("GET {POD}"), &[], object!("pod")),
        on(
            &format!("GET {DEPLOYMENTS}/web/scale"),
            &[],
            object!("scale"),
        ),
        on(
            &format!("GET {DEPLOYMENTS}/web"),
            &[],
            object!("deployment"),
        ),
        on(
            &format!("GET {REPLICA_SETS}"),
            &[LIMIT, ("labelSelector", "app=web")],
            sets,
        ),
        on(
            &format!("GET {PODS}"),
            &[LIMIT, ("fieldSelector", "status.phase=Failed")],
            failed,
        ),
        on("GET /api/v1/nodes/node-1", &[], object!("node")),
    ];
    let api = Api::start(expected).await;
    let gateway = api.gateway("").await;
    for (tool, part) in CHANGES.iter().zip([
        "Would delete pod shop/web-6d4b75cb6d-x2x4z (CrashLoopBackOff): ReplicaSet/web-6d4b75cb6d makes another one.",
        "Would scale Deployment shop/web from 3 to 5 replicas.",
        "Would roll Deployment shop/web back from revision 7 to 6.\n  web: registry.example/shop/web:1.4 → registry.example/shop/web:1.3",
        "Would delete 1 evicted pod; 0 more are there.",
        "Node node-1 is open to new pods; it would be closed to new pods.",
    ]) {
        let mut wanted = arguments(tool);
        if ["restart_pod", "scale_deployment", "rollback_deployment"].contains(tool) {
            wanted["wait_seconds"] = 60.into();
        }
        let answer = gateway.send(&call(&format!("{tool}?dry_run=true"), &wanted.to_string())).await;
        assert!(text(&answer).contains(part), "{tool}: {}", answer.text());
        assert_eq!(value(&answer)["dry_run"], true, "{tool}");
    }
    api.finish("");
    gateway.finish().await;
}

/// What may end something waits for a person, who sees what would be done, where, and to what; closing a node ends nothing.
#[tokio::test]
async fn an_approval_is_asked_for_where_something_may_be_lost() {
    let mut closed = object!("node");
    closed["spec"]["unschedulable"] = true.into();
    let mut set = object!("replicaset");
    set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "7".into();
    set["metadata"]["uid"] = "7".into();
    let sets = list("ReplicaSetList", "1", &[object!("replicaset"), set]);
    let (scale, deployment) = (
        format!("{DEPLOYMENTS}/web/scale"),
        format!("{DEPLOYMENTS}/web"),
    );
    let failed = [LIMIT, ("fieldSelector", "status.phase=Failed")];
    let leftovers = [
        evicted("web-young", "2026-01-02T00:00:00Z"),
        evicted("web-old", "2026-01-01T00:00:00Z"),
    ];
    let api = Api::start([
        on(&format!("GET {POD}"), &[], object!("pod")),
        on(&format!("GET {scale}"), &[], object!("scale")),
        on(&format!("GET {deployment}"), &[], object!("deployment")),
        on(
            &format!("GET {REPLICA_SETS}"),
            &[LIMIT, ("labelSelector", "app=web")],
            sets,
        ),
        on(
            &format!("GET {PODS}"),
            &failed,
            list("PodList", "1", &leftovers),
        ),
        on("GET /api/v1/nodes/node-1", &[], closed),
    ])
    .await;
    let gateway = api
        .gateway_with("[policy.approval]\nwait_ms = 0\n", "")
        .await;
    let place = format!("in the cluster at `{}` (context `test`)", api.address());
    for (tool, shown) in CHANGES[..4].iter().zip([
        format!("deletes the pod `web-6d4b75cb6d-x2x4z` (CrashLoopBackOff; ReplicaSet/web-6d4b75cb6d makes another one) of the namespace `shop` {place}"),
        format!("scales the Deployment `web` of the namespace `shop` {place}: 3 → 5 replicas"),
        format!("rolls the Deployment `web` of the namespace `shop` {place} back: revision 7 → 6 (web: registry.example/shop/web:1.4 → registry.example/shop/web:1.3)"),
        format!("deletes what is left of 2 evicted pods {place} (`shop/web-old`, `shop/web-young`)"),
    ]) {
        let answer = gateway
            .send(&call(tool, &arguments(tool).to_string()))
            .await;
        assert_eq!(refused(&answer, 403), "approval_pending", "{tool}");
        let effect = pending(&gateway).await[0]["effect"].clone();
        let effect = effect.as_str().expect("a text");
        assert!(effect.starts_with(&format!("{shown}, which changes things (risk ")), "{effect}");
    }
    let answer = gateway
        .send(&call("cordon_node", r#"{"node":"node-1"}"#))
        .await;
    assert_eq!(value(&answer)["changed"], false);
    api.finish(&answer.text());
    gateway.finish().await;
}

/// Where nothing would be done, or nothing can be, there is nothing to ask about.
#[tokio::test]
async fn nobody_is_asked_about_what_is_not_going_to_be_done() {
    let scale = format!("GET {DEPLOYMENTS}/web/scale");
    let failed = [LIMIT, ("fieldSelector", "status.phase=Failed")];
    let none = || on(&format!("GET {PODS}"), &failed, list("PodList", "1", &[]));
    let gone = "deployments.apps \"web\" not found";
    let api = Api::start([
        // Each is looked at before, and then again when the call is made.
        on(&scale, &[], object!("scale")),
        on(&scale, &[], object!("scale")),
        none(),
        none(),
        on(&scale, &[], Value::Null).refused(404, "NotFound", gone),
    ])
    .await;
    let gateway = api
        .gateway_with("[policy.approval]\nwait_ms = 0\n", "")
        .await;
    let three = json!({ "deployment": "web", "replicas": 3 }).to_string();
    let answer = gateway.send(&call("scale_deployment", &three)).await;
    assert_eq!(value(&answer)["changed"], false);
    let answer = gateway.send(&call("delete_evicted_pods", "{}")).await;
    assert_eq!(value(&answer)["pods"], json!([]));
    let answer = gateway.send(&call("scale_deployment", &three)).await;
    assert!(error(&answer).contains("404"), "{}", answer.text());
    assert_eq!(pending(&gateway).await, [Value::Null; 0]);
    api.finish("");
    gateway.finish().await;
}

/// F1: every tool says what it is; a gateway that only reads has the five that look.
#[tokio::test]
async fn a_gateway_that_only_reads_shows_what_looks() {
    let api = Api::start([]).await;
    let gateway = api.gateway("").await;
    let all = tools(&gateway).await;
    assert_eq!(all.len(), 10, "{:?}", names(&all));
    for tool in &all {
        let name = tool["name"].as_str().expect("a name");
        let changes = CHANGES.contains(&name);
        let category = match changes {
            true => "remediation",
            false => "diagnostic",
        };
        assert_eq!(tool["category"], category, "{name}");
        assert_eq!(
            tool["requires_approval"],
            changes && name != "cordon_node",
            "{name}"
        );
    }
    gateway.finish().await;
    let gateway = api.gateway_with("[policy]\nread_only = true\n", "").await;
    let mut looks = LOOKS;
    looks.sort_unstable();
    assert_eq!(names(&tools(&gateway).await), looks);
    let answer = gateway
        .send(&call("restart_pod", r#"{"pod":"web-1"}"#))
        .await;
    assert_eq!(refused(&answer, 403), "read_only");
    gateway.finish().await;
    let gateway = api.gateway("nodes = false\n").await;
    assert!(!names(&tools(&gateway).await).contains(&"cordon_node"));
    gateway.finish().await;
    api.finish("");
}
