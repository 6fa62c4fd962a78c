//! The tools that only look.

use serde_json::{Value, json};

use crate::kubernetes::api::{Api, list, object, on, pod, ready, text, value};
use crate::kubernetes::{LIMIT, POD, PODS, UID};
use crate::support::stand_in::Said;

fn get(path: &str) -> String {
    format!("GET {path}")
}

/// F2
#[tokio::test]
async fn pods_are_listed_with_how_they_do() {
    let pods = [
        object!("pod"),
        ready(pod(
            "shop",
            "cart-0",
            "22222222-0000-4000-8000-000000000000",
        )),
    ];
    let selected = [
        LIMIT,
        ("labelSelector", "app=web"),
        ("fieldSelector", "spec.nodeName=node-1"),
    ];
    let answer = Api::call(
        [on(&get(PODS), &selected, list("PodList", "48400", &pods))],
        "list_pods",
        json!({ "label_selector": "app=web", "field_selector": "spec.nodeName=node-1" }),
    )
    .await;
    let said = text(&answer);
    let lines: Vec<Vec<&str>> = said
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0].join(" "),
        "NAMESPACE NAME READY STATUS RESTARTS AGE NODE"
    );
    assert_eq!(lines[1][..5], ["shop", "cart-0", "1/1", "Running", "7"]);
    assert_eq!(
        lines[2][..5],
        [
            "shop",
            "web-6d4b75cb6d-x2x4z",
            "0/1",
            "CrashLoopBackOff",
            "7"
        ]
    );
    let found = value(&answer);
    let row = &found["pods"][1];
    for (key, expect) in [
        ("node", json!("node-1")),
        ("ip", json!("10.244.1.7")),
        ("controller", json!("ReplicaSet/web-6d4b75cb6d")),
        ("created", json!("2026-01-05T08:00:00Z")),
        ("images", json!(["registry.example/shop/web:1.4"])),
    ] {
        assert_eq!(row[key], expect, "{key}");
    }
    assert_eq!(
        (&found["omitted"], &found["incomplete"]),
        (&json!(0), &json!(false))
    );
}

#[tokio::test]
async fn what_is_not_shown_is_said_and_pages_are_followed() {
    let many = |from: usize| {
        let pods = (from..from + 2).map(|at| {
            let name = format!("web-{at}");
            match at {
                0 => ready(pod("shop", &name, &name)),
                _ => pod("shop", &name, &name),
            }
        });
        pods.collect::<Vec<Value>>()
    };
    let mut first = list("PodList", "48400", &many(0));
    first["metadata"]["continue"] = "token of the rest".into();
    let more = [LIMIT, ("continue", "token of the rest")];
    let answer = Api::call(
        [
            on(&get(PODS), &[LIMIT], first),
            on(&get(PODS), &more, list("PodList", "48400", &many(2))),
        ],
        "list_pods",
        json!({ "only_unwell": true, "limit": 2 }),
    )
    .await;
    let found = value(&answer);
    let names: Vec<&Value> = found["pods"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|pod| &pod["name"])
        .collect();
    assert_eq!(names, ["web-1", "web-2"]);
    assert_eq!(found["omitted"], 1);
    assert!(text(&answer).contains("… 1 more pod is not shown"));
}

/// The rest of a list is kept for minutes: what has expired is listed from its start, once.
#[tokio::test]
async fn a_list_whose_rest_has_expired_begins_again() {
    let mut first = list("PodList", "1", &[pod("shop", "old", "old")]);
    first["metadata"]["continue"] = "too old".into();
    let whole = list("PodList", "2", &[pod("shop", "new", "new")]);
    let gone = "The provided continue parameter is too old to display a consistent list result.";
    let answer = Api::call(
        [
            on(&get(PODS), &[LIMIT], first),
            on(&get(PODS), &[LIMIT, ("continue", "too old")], Value::Null)
                .refused(410, "Expired", gone),
            on(&get(PODS), &[LIMIT], whole),
        ],
        "list_pods",
        json!({}),
    )
    .await;
    let found = value(&answer);
    assert_eq!(found["pods"].as_array().map(Vec::len), Some(1));
    assert_eq!(found["pods"][0]["name"], "new");
}

/// F3: all that a person needs, and no value of an environment variable.
#[tokio::test]
async fn a_pod_is_described_without_its_secrets() {
    let of_pod = format!("involvedObject.name=web-6d4b75cb6d-x2x4z,involvedObject.uid={UID}");
    let events = list("EventList", "48400", &[object!("event")]);
    let answer = Api::call(
        [
            on(&get(POD), &[], object!("pod")),
            on(
                "GET /api/v1/namespaces/shop/events",
                &[LIMIT, ("fieldSelector", &of_pod)],
                events,
            ),
        ],
        "describe_pod",
        json!({ "pod": "web-6d4b75cb6d-x2x4z" }),
    )
    .await;
    let said = text(&answer);
    for part in [
        "Pod web-6d4b75cb6d-x2x4z in shop\nStatus: CrashLoopBackOff (phase Running), made ",
        "Node: node-1 (10.0.0.11), IP 10.244.1.7\n",
        "Controlled by: ReplicaSet/web-6d4b75cb6d (by its name, of Deployment/web)\n",
        "  migrate: image registry.example/shop/migrate:1.4\n",
        "State: waiting (CrashLoopBackOff: back-off 5m0s",
        "not ready, restarts 7\n",
        "Before that: ended ",
        "with code 137 (OOMKilled)",
        "Resources: asks cpu 100m memory 128Mi, at most memory 256Mi\n",
        "Probes: readiness\n",
        "Environment: DB_PASSWORD, API_KEY from secret web/api-key, POD_IP from field status.podIP\n",
        "Ready: False for ",
        "ContainersNotReady, containers with unready status: [web]\n",
        "BackOff",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!answer.text().contains("hunter2"), "{}", answer.text());
    let found = value(&answer);
    let pod = &found["pod"];
    assert_eq!(
        pod["metadata"]["annotations"],
        json!({ "prometheus.io/scrape": "true" })
    );
    assert_eq!(pod["metadata"]["managedFields"], Value::Null);
    let environment = &pod["spec"]["containers"][0]["env"];
    assert_eq!(
        environment[0],
        json!({ "name": "DB_PASSWORD", "value": "***" })
    );
    assert_eq!(
        environment[1]["valueFrom"]["secretKeyRef"]["key"],
        "api-key"
    );
    assert_eq!(pod["spec"]["priority"], 0);
    let event = &found["events"]["events"][0];
    assert_eq!(
        (&event["count"], &event["object"]),
        (&json!(42), &json!("Pod/web-6d4b75cb6d-x2x4z"))
    );
}

#[tokio::test]
async fn what_is_used_where_nothing_is_given_stands_in_the_schemas() {
    let api = Api::start([]).await;
    let gateway = api.gateway("").await;
    let listed = crate::support::modern::request("tools/list", json!({}));
    let listed = gateway.send(&listed).await.json();
    let tools = listed["result"]["tools"].as_array().expect("a list");
    for (tool, argument, usual) in [
        ("list_pods", "limit", json!(100)),
        ("get_events", "limit", json!(50)),
        ("top_pods", "limit", json!(50)),
        ("top_pods", "sort_by", json!("cpu")),
        ("get_pod_logs", "tail_lines", json!(500)),
        ("delete_evicted_pods", "limit", json!(50)),
    ] {
        let known = tools.iter().find(|known| known["name"] == tool);
        let schema = &known.expect("it is listed")["inputSchema"];
        let default = &schema["properties"][argument]["default"];
        assert_eq!(*default, usual, "{tool}: {argument}");
    }
    gateway.finish().await;
}

/// Of an object that is larger than can be read the large parts are left out, and said.
#[tokio::test]
async fn a_pod_that_is_huge_is_described_without_what_makes_it_so() {
    let mut huge = object!("pod");
    huge["metadata"]["annotations"]["large"] = "x".repeat(12 << 20).into();
    let of_pod = format!("involvedObject.name=web-6d4b75cb6d-x2x4z,involvedObject.uid={UID}");
    let expected = [
        on(&get(POD), &[], huge),
        on(
            "GET /api/v1/namespaces/shop/events",
            &[LIMIT, ("fieldSelector", &of_pod)],
            list("EventList", "48400", &[]),
        ),
    ];
    let wanted = json!({ "pod": "web-6d4b75cb6d-x2x4z" });
    let answer = Api::call(expected, "describe_pod", wanted).await;
    assert!(answer.text().len() < 300 << 10, "{}", answer.text().len());
    let found = value(&answer);
    assert_eq!(found["left_out"], json!(["/metadata/annotations"]));
    assert_eq!(found["pod"]["metadata"]["annotations"], Value::Null);
    assert_eq!(found["pod"]["spec"]["priority"], 0);
    assert!(
        text(&answer).contains("its /metadata/annotations are not in the structured content"),
        "{}",
        text(&answer)
    );
}

#[tokio::test]
async fn a_pod_is_described_also_where_its_events_may_not_be_read() {
    let of_pod = format!("involvedObject.name=web-6d4b75cb6d-x2x4z,involvedObject.uid={UID}");
    let no = "events is forbidden: User \"system:serviceaccount:ops:toolgate\" cannot list resource \"events\" in API group \"\" in the namespace \"shop\"";
    let answer = Api::call(
        [
            on(&get(POD), &[], object!("pod")),
            on(
                "GET /api/v1/namespaces/shop/events",
                &[LIMIT, ("fieldSelector", &of_pod)],
                Value::Null,
            )
            .refused(403, "Forbidden", no),
        ],
        "describe_pod",
        json!({ "pod": "web-6d4b75cb6d-x2x4z", "namespace": "shop" }),
    )
    .await;
    let found = value(&answer);
    assert_eq!(found["pod"]["status"]["qosClass"], "Burstable");
    assert!(
        found["events_error"]
            .to_string()
            .contains("cannot list resource")
    );
    assert!(text(&answer).contains("They could not be read: could not list events"));
}

/// F4: the end of a log, within its bound; what was left out is said.
#[tokio::test]
async fn a_log_is_cut_at_its_beginning_and_that_is_said() {
    let written: String = (0..100)
        .map(|at| format!("line {at:03}\u{1b}[0m\n"))
        .collect();
    let asked = [
        ("container", "web"),
        ("previous", "true"),
        ("sinceSeconds", "3600"),
        ("tailLines", "100"),
        ("timestamps", "true"),
    ];
    let api = Api::start([on(&get(&format!("{POD}/log")), &asked, written.into())]).await;
    let gateway = api.gateway("max_log_bytes = 30\n").await;
    let arguments = json!({ "pod": "web-6d4b75cb6d-x2x4z", "container": "web", "previous": true, "since_seconds": 3600, "tail_lines": 100, "timestamps": true });
    let answer = gateway
        .send(&crate::rest::call("get_pod_logs", &arguments.to_string()))
        .await;
    api.finish(&answer.text());
    gateway.finish().await;
    assert_eq!(
        text(&answer),
        "… only the last 100 lines were asked for: raise `tail_lines` to see what came before\n\
         … the first 98 lines, 1.3 kB, were left out: take fewer by `tail_lines` or `since_seconds`\n\
         line 098 [0m\nline 099 [0m\n"
    );
    let log = value(&answer);
    assert_eq!(log["log"], "line 098\u{1b}[0m\nline 099\u{1b}[0m\n");
    for (key, expect) in [
        ("lines", 2),
        ("left_out_lines", 98),
        ("left_out_bytes", 1_274),
    ] {
        assert_eq!(log[key], expect, "{key}");
    }
}

#[tokio::test]
async fn a_log_may_be_empty_and_a_container_must_be_named_among_several() {
    let path = get(&format!("{POD}/log"));
    let usual = [("tailLines", "500")];
    let pod = json!({ "pod": "web-6d4b75cb6d-x2x4z" });
    let answer = Api::call([on(&path, &usual, "".into())], "get_pod_logs", pod.clone()).await;
    assert_eq!(text(&answer), "The log is empty for what was asked.\n");
    let several = "a container name must be specified for pod web-6d4b75cb6d-x2x4z, choose one of: [web proxy]";
    let answer = Api::call(
        [on(&path, &usual, Value::Null).refused(400, "BadRequest", several)],
        "get_pod_logs",
        pod,
    )
    .await;
    assert!(crate::kubernetes::api::error(&answer).contains("choose one of: [web proxy]"));
}

/// F5
#[tokio::test]
async fn events_are_listed_the_newest_first() {
    let mut scheduled = object!("event");
    let own = json!({
        "reason": "Scheduled", "type": "Normal", "message": "Assigned", "count": null,
        "firstTimestamp": null, "lastTimestamp": null, "eventTime": "2026-01-05T10:00:00.000000Z", "source": {},
        "reportingComponent": "default-scheduler",
    });
    for (key, with) in own.as_object().expect("an object") {
        scheduled[key] = with.clone();
    }
    let fields = "involvedObject.kind=Pod,involvedObject.name=web-6d4b75cb6d-x2x4z,type=Warning";
    let events = list("EventList", "48400", &[object!("event"), scheduled.clone()]);
    let answer = Api::call(
        [on(
            "GET /api/v1/namespaces/shop/events",
            &[LIMIT, ("fieldSelector", fields)],
            events,
        )],
        "get_events",
        json!({ "kind": "Pod", "name": "web-6d4b75cb6d-x2x4z", "only_warnings": true, "limit": 1 }),
    )
    .await;
    let found = value(&answer);
    assert_eq!(found["events"][0]["reason"], "Scheduled");
    assert_eq!(found["events"][0]["source"], "default-scheduler");
    assert_eq!(found["omitted"], 1);
    assert!(text(&answer).contains("… 1 older event is not shown"));
    let answer = Api::call(
        [on(
            "GET /api/v1/namespaces/shop/events",
            &[LIMIT],
            list("EventList", "48400", &[object!("event")]),
        )],
        "get_events",
        json!({ "since_seconds": 60 }),
    )
    .await;
    assert_eq!(
        value(&answer)["events"],
        json!([]),
        "it is older than a minute"
    );
}

/// F6
#[tokio::test]
async fn pods_are_listed_by_what_they_use() {
    let mut small = object!("pod_metrics");
    small["metadata"]["name"] = "cart-0".into();
    small["containers"] = json!([{ "name": "cart", "usage": { "cpu": "1", "memory": "1Mi" } }]);
    let path = "GET /apis/metrics.k8s.io/v1beta1/namespaces/shop/pods";
    let both = list("PodMetricsList", "", &[object!("pod_metrics"), small]);
    let answer = Api::call(
        [on(path, &[LIMIT, ("labelSelector", "app")], both.clone())],
        "top_pods",
        json!({ "label_selector": "app" }),
    )
    .await;
    assert_eq!(
        text(&answer),
        "NAMESPACE  POD                   CPU    MEMORY  CONTAINERS\n\
         shop       cart-0                1000m  1Mi\n\
         shop       web-6d4b75cb6d-x2x4z  236m   216Mi   web 232m 200Mi, proxy 4m 16Mi\n"
    );
    let usage = value(&answer);
    assert_eq!(usage["pods"][1]["memory_bytes"], 216 << 20);
    assert_eq!(usage["total_cpu_millicores"], 1_236);
    let answer = Api::call(
        [on(path, &[LIMIT], both)],
        "top_pods",
        json!({ "sort_by": "memory", "limit": 1 }),
    )
    .await;
    assert_eq!(value(&answer)["pods"][0]["name"], "web-6d4b75cb6d-x2x4z");
    assert!(text(&answer).contains("… 1 more pod is not shown; all together use 1236m and 217Mi"));
    let answer = Api::call(
        [on(path, &[LIMIT], Value::Null).said(Said::Whole(404, "404 page not found\n".into()))],
        "top_pods",
        json!({}),
    )
    .await;
    let said = crate::kubernetes::api::error(&answer);
    assert!(
        said.contains("404 page not found; the cluster has no metrics API"),
        "{said}"
    );
}
