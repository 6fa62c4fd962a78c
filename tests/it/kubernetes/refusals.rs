//! What the API server refuses, and what does not answer at all: sentences with a mend.

use serde_json::{Value, json};

use crate::kubernetes::api::{Api, TOKEN, error, kubeconfig, list, on, status, text, value};
use crate::kubernetes::{LIMIT, POD, PODS};
use crate::support::TestGateway;
use crate::support::stand_in::Said;

#[tokio::test]
async fn every_refusal_is_a_sentence_with_a_mend() {
    let forbidden = "pods is forbidden: User \"system:serviceaccount:ops:toolgate\" cannot list resource \"pods\" in API group \"\" in the namespace \"shop\"";
    for (code, reason, message, parts) in [
        (
            401,
            "Unauthorized",
            "Unauthorized",
            ["answered 401, Unauthorized", "renew them"],
        ),
        (
            403,
            "Forbidden",
            forbidden,
            [
                forbidden,
                "needs the verb `list` on `pods` in the namespace `shop`: the plugin's README has the role",
            ],
        ),
        (
            429,
            "TooManyRequests",
            "the server has received too many requests",
            ["answered 429", "try again later"],
        ),
        (
            500,
            "InternalError",
            "etcdserver: no leader",
            ["etcdserver: no leader", "try again later"],
        ),
        (
            503,
            "ServiceUnavailable",
            "apiserver not ready",
            ["answered 503", "try again later"],
        ),
    ] {
        let answer = Api::call(
            [on(&format!("GET {PODS}"), &[LIMIT], Value::Null).refused(code, reason, message)],
            "list_pods",
            json!({}),
        )
        .await;
        let said = error(&answer);
        assert!(
            said.starts_with("could not list pods in the namespace `shop`: the API server"),
            "{said}"
        );
        for part in parts {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let missing = "pods \"web-6d4b75cb6d-x2x4z\" not found";
    for (tool, arguments) in [
        ("describe_pod", json!({ "pod": "web-6d4b75cb6d-x2x4z" })),
        ("restart_pod", json!({ "pod": "web-6d4b75cb6d-x2x4z" })),
    ] {
        let answer = Api::call(
            [on(&format!("GET {POD}"), &[], Value::Null).refused(404, "NotFound", missing)],
            tool,
            arguments,
        )
        .await;
        assert_eq!(
            error(&answer),
            "could not get pods `web-6d4b75cb6d-x2x4z` in the namespace `shop`: the API server answered 404, pods \"web-6d4b75cb6d-x2x4z\" not found; look at the name and the namespace of the pods"
        );
    }
}

/// Nodes are in no namespace; who redirects is no API server.
#[tokio::test]
async fn a_node_that_is_not_there_and_a_redirect_have_their_own_mends() {
    let get = || on("GET /api/v1/nodes/node-9", &[], Value::Null);
    let missing = get().refused(404, "NotFound", "nodes \"node-9\" not found");
    for (expected, part) in [
        (missing, "look at the name of the node"),
        (
            get().said(Said::Whole(302, "/login".into())),
            "redirects are not followed",
        ),
    ] {
        let answer = Api::call([expected], "cordon_node", json!({ "node": "node-9" })).await;
        let said = error(&answer);
        assert!(said.contains(part) && !said.contains("namespace"), "{said}");
    }
}

/// What can be read as an object with nothing in it is none.
#[tokio::test]
async fn an_answer_that_is_another_object_is_not_told_as_the_one() {
    let mut other = crate::kubernetes::api::object!("pod");
    other["metadata"]["name"] = "web-2".into();
    let mut elsewhere = crate::kubernetes::api::object!("pod");
    elsewhere["metadata"]["namespace"] = "kube-system".into();
    let mut config = crate::kubernetes::api::object!("pod");
    config["kind"] = "ConfigMap".into();
    let name = "web-6d4b75cb6d-x2x4z";
    let bare = json!({ "metadata": { "name": "web-2" }, "spec": {} });
    for rubbish in [json!({ "a": [1] }), json!([]), other, elsewhere, config] {
        for tool in ["describe_pod", "restart_pod"] {
            let expected = on(&format!("GET {POD}"), &[], rubbish.clone());
            let answer = Api::call([expected], tool, json!({ "pod": name })).await;
            let said = error(&answer);
            assert!(
                said.contains("the API server's answer is not understood ("),
                "{said}"
            );
        }
    }
    let deployment = "GET /apis/apps/v1/namespaces/shop/deployments/web";
    let scale = format!("{deployment}/scale");
    for (line, tool, arguments) in [
        (
            "GET /api/v1/nodes/node-1",
            "cordon_node",
            json!({ "node": "node-1" }),
        ),
        (
            &*scale,
            "scale_deployment",
            json!({ "deployment": "web", "replicas": 3 }),
        ),
        (
            deployment,
            "rollback_deployment",
            json!({ "deployment": "web" }),
        ),
    ] {
        for rubbish in [json!({ "a": [1] }), bare.clone()] {
            let answer = Api::call([on(line, &[], rubbish)], tool, arguments.clone()).await;
            let said = error(&answer);
            assert!(
                said.contains("the API server's answer is not understood ("),
                "{said}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_object_is_told_by_field() {
    let path = "/api/v1/nodes/node-1";
    let invalid = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Invalid", "code": 422,
        "message": "Node \"node-1\" is invalid",
        "details": { "name": "node-1", "kind": "Node", "causes": [{ "reason": "FieldValueForbidden", "message": "Forbidden: may not be set", "field": "spec.unschedulable" }] },
    });
    let answer = Api::call(
        [
            on(
                &format!("GET {path}"),
                &[],
                crate::kubernetes::api::object!("node"),
            ),
            on(&format!("PATCH {path}"), &[], Value::Null)
                .with(
                    "application/merge-patch+json",
                    json!({ "spec": { "unschedulable": true } }),
                )
                .said(Said::Whole(422, invalid)),
        ],
        "cordon_node",
        json!({ "node": "node-1" }),
    )
    .await;
    let said = error(&answer);
    assert!(said.contains("answered 422, Node \"node-1\" is invalid; spec.unschedulable: Forbidden: may not be set"), "{said}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for() {
    for (tool, arguments, line, query, part) in [
        (
            "list_pods",
            json!({}),
            format!("GET {PODS}"),
            vec![LIMIT],
            "try again",
        ),
        (
            "get_pod_logs",
            json!({ "pod": "web-6d4b75cb6d-x2x4z" }),
            format!("GET {POD}/log"),
            vec![("tailLines", "500")],
            "try again",
        ),
    ] {
        let silent = on(&line, &query, Value::Null).said(Said::Nothing);
        let api = Api::start([silent]).await;
        let gateway = api.gateway("request_timeout_ms = 200\n").await;
        let answer = gateway
            .send(&crate::rest::call(tool, &arguments.to_string()))
            .await;
        let said = error(&answer);
        assert!(
            said.contains("did not answer within 200 ms (`request_timeout_ms`)"),
            "{said}"
        );
        assert!(said.contains(part), "{said}");
        api.finish(&said);
        gateway.finish().await;
    }
}

/// Whether it was done is not known then, and that is said.
#[tokio::test]
async fn a_change_that_is_not_answered_may_have_been_made() {
    let path = "/api/v1/nodes/node-1";
    let api = Api::start([
        on(
            &format!("GET {path}"),
            &[],
            crate::kubernetes::api::object!("node"),
        ),
        on(&format!("PATCH {path}"), &[], Value::Null)
            .with(
                "application/merge-patch+json",
                json!({ "spec": { "unschedulable": true } }),
            )
            .said(Said::Nothing),
    ])
    .await;
    let gateway = api.gateway("request_timeout_ms = 500\n").await;
    let answer = gateway
        .send(&crate::rest::call("cordon_node", r#"{"node":"node-1"}"#))
        .await;
    let said = error(&answer);
    assert!(
        said.contains("it may have been done all the same: look before you call again"),
        "{said}"
    );
    api.finish(&answer.text());
    gateway.finish().await;
}

/// Servers and proxies repeat what they were sent.
#[tokio::test]
async fn the_token_is_told_to_nobody() {
    let long = format!("{} {TOKEN}", "x".repeat(480));
    let details = json!({ "causes": [{ "field": TOKEN, "message": format!("not {TOKEN}") }] });
    let mut whole = status(401, "Unauthorized", &format!("no: Bearer {TOKEN}!"));
    whole["details"] = details;
    let page = format!(
        "\n502 {}\u{1b}[1m {TOKEN}\nAuthorization: {TOKEN}",
        "x".repeat(140)
    );
    for (said, part) in [
        (
            Said::Whole(401, whole),
            "no: Bearer ***!; ***: not ***; the credentials",
        ),
        (
            Said::Whole(403, status(403, "Forbidden", &long)),
            "xxx ***; the account",
        ),
        (
            Said::Whole(403, status(403, TOKEN, "")),
            "answered 403, ***; the account",
        ),
        (Said::Whole(502, page.into()), "502, 502 xxx"),
        (
            Said::Whole(503, json!({ "message": "a proxy", "token": TOKEN })),
            r#"503, {"message":"a proxy","token":"***"}; the trouble"#,
        ),
    ] {
        let asked = on(&format!("GET {PODS}"), &[LIMIT], Value::Null).said(said);
        let answer = Api::call([asked], "list_pods", json!({})).await;
        let words = error(&answer);
        assert!(words.contains(part), "{part}: {words}");
        let whole = answer.text();
        assert!(!whole.contains(&TOKEN[..12]), "{whole}");
        assert!(!whole.contains("Authorization"), "{whole}");
    }
}

/// A server that says for ever that there is more is not asked for ever.
#[tokio::test]
async fn pages_with_nothing_in_them_come_to_an_end() {
    let mut page = list("PodList", "1", &[]);
    page["metadata"]["continue"] = "again".into();
    let more = [LIMIT, ("continue", "again")];
    let pages = (0..100).map(|number| {
        let query: &[_] = if number == 0 { &[LIMIT] } else { &more };
        on(&format!("GET {PODS}"), query, page.clone())
    });
    let answer = Api::call(pages, "list_pods", json!({})).await;
    assert_eq!(value(&answer)["incomplete"], true, "{}", answer.text());
    let words = text(&answer);
    assert!(
        words.contains("there are more pods than were read"),
        "{words}"
    );
}

/// The client would panic at one that is no header.
#[tokio::test]
async fn a_token_that_is_no_header_stops_the_start_with_a_sentence() {
    for (server, user, part) in [
        (
            "http://127.0.0.1:1",
            r#"token: "TOK\nHUNTER""#,
            "the `token` of its user `test` must be visible ASCII",
        ),
        (
            "http://admin:HUNTER@127.0.0.1:1",
            "token: t",
            "has a user or a password before an `@`",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("config");
        std::fs::write(&file, kubeconfig(server, user)).expect("it can be written");
        let config = format!(
            "[plugins.kubernetes]\nenabled = true\nconfig.kubeconfig = '{}'\n",
            file.display()
        );
        let gateway = TestGateway::builder().config(&config).build().await;
        let error = gateway.plugin("kubernetes").life.snapshot().error;
        let error = error.unwrap_or_default();
        assert!(error.contains(part), "{error}");
        assert!(!error.contains("HUNTER"), "{error}");
        gateway.finish().await;
    }
}

async fn called(server: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("config");
    std::fs::write(&file, kubeconfig(server, "token: t")).expect("it can be written");
    let config = format!(
        "[plugins.kubernetes]\nenabled = true\nconfig.kubeconfig = '{}'\n",
        file.display()
    );
    let gateway = TestGateway::builder().config(&config).build().await;
    let answer = gateway.send(&crate::rest::call("list_pods", "{}")).await;
    gateway.finish().await;
    error(&answer)
}

#[tokio::test]
async fn no_cluster_is_a_sentence_with_its_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let said = called(&format!("http://{address}")).await;
    let begin = format!(
        "could not list pods in the namespace `shop`: the API server at {address} could not be reached: "
    );
    assert!(said.starts_with(&begin), "{said}");
    assert!(said.contains("look whether the cluster runs"), "{said}");
}

/// A server that speaks no TLS, or whose certificate nobody has vouched for.
#[tokio::test]
async fn trouble_with_tls_is_a_sentence() {
    let api = Api::start([]).await;
    let plain = std::fs::read_to_string(api.kubeconfig()).expect("it is there");
    let server = plain
        .lines()
        .find_map(|line| line.trim().strip_prefix("server: http://"));
    let server = server.expect("it names its server");
    let authority = include_str!("objects/authority.pem");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("config");
    std::fs::write(folder.path().join("authority.pem"), authority).expect("it can be written");
    let secure = kubeconfig(
        &format!("https://{server}\n    certificate-authority: authority.pem"),
        "token: t",
    );
    std::fs::write(&file, secure).expect("it can be written");
    let config = format!(
        "[plugins.kubernetes]\nenabled = true\nconfig.kubeconfig = '{}'\n",
        file.display()
    );
    let gateway = TestGateway::builder().config(&config).build().await;
    let answer = gateway.send(&crate::rest::call("list_pods", "{}")).await;
    gateway.finish().await;
    let said = error(&answer);
    assert!(
        said.contains("TLS failed: look whether `server` and `certificate-authority-data`"),
        "{said}"
    );
}
