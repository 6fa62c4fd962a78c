//! What a person has agreed to is what is done, or nothing is.

use serde_json::{Value, json};

use crate::hostile::failure_of;
use crate::kubernetes::api::{Api, Expect, list, object, on, pod};
use crate::kubernetes::mends::{deleted, deletes, evicted, scale};
use crate::kubernetes::rollbacks::{looked_at, patched, revision, sets};
use crate::kubernetes::{DEPLOYMENTS, LIMIT, POD, PODS, UID};
use crate::support::question::Question;

/// Asks a user, who agrees. What is looked at is asked for before the question, after it, and by the tool itself.
async fn agreed(
    expected: impl IntoIterator<Item = Expect>,
    tool: &str,
    arguments: Value,
    shown: &str,
) -> Value {
    let api = Api::start(expected).await;
    let gateway = api.gateway_with("", "").await;
    let question = Question::of(&gateway, tool, arguments).await;
    assert!(question.text.contains(shown), "{}", question.text);
    let result = question.yes(&gateway).await;
    api.finish(&result.to_string());
    gateway.finish().await;
    result
}

fn looked_at_pod(uid: &str) -> Expect {
    on(
        &format!("GET {POD}"),
        &[],
        pod("shop", "web-6d4b75cb6d-x2x4z", uid),
    )
}

fn scaled(replicas: i32) -> Expect {
    let path = format!("GET {DEPLOYMENTS}/web/scale");
    on(&path, &[], scale(replicas, "48250"))
}

fn leftovers(names: &[&str]) -> Expect {
    let pods: Vec<Value> = names
        .iter()
        .map(|name| evicted(name, "2026-01-01T00:00:00Z"))
        .collect();
    let query = [LIMIT, ("fieldSelector", "status.phase=Failed")];
    on(&format!("GET {PODS}"), &query, list("PodList", "1", &pods))
}

#[tokio::test]
async fn what_was_agreed_to_is_done() {
    let which = json!({ "pod": "web-6d4b75cb6d-x2x4z" });
    let shown = "It deletes the pod `web-6d4b75cb6d-x2x4z` (";
    let looks = || looked_at_pod(UID);
    let expected = [looks(), looks(), looks(), deleted(None)];
    let result = agreed(expected, "restart_pod", which, shown).await;
    assert_eq!(result["structuredContent"]["uid"], UID, "{result}");

    let which = json!({ "deployment": "web", "replicas": 5 });
    let put = on(
        &format!("PUT {DEPLOYMENTS}/web/scale"),
        &[],
        scale(5, "48251"),
    )
    .with("application/json", scale(5, "48250"));
    let expected = [scaled(3), scaled(3), scaled(3), put];
    let result = agreed(expected, "scale_deployment", which, "3 → 5 replicas").await;
    assert_eq!(result["structuredContent"]["changed"], true, "{result}");

    let looks = || looked_at(&object!("deployment"), &sets());
    let mut expected: Vec<Expect> = [looks(), looks(), looks()].into_iter().flatten().collect();
    expected.push(patched(&revision("6", "1.3"), "48250"));
    let which = json!({ "deployment": "web" });
    let result = agreed(expected, "rollback_deployment", which, "revision 7 → 6").await;
    assert_eq!(result["structuredContent"]["to_revision"], 6, "{result}");

    let looks = || leftovers(&["a", "b"]);
    let expected = [looks(), looks(), looks(), deletes("a"), deletes("b")];
    let shown = "what is left of 2 evicted pods";
    let result = agreed(expected, "delete_evicted_pods", json!({}), shown).await;
    assert_eq!(result["structuredContent"]["left"], 0, "{result}");
}

/// Things are others when the answer comes: nothing is sent but what looks.
#[tokio::test]
async fn what_has_become_another_change_is_not_made() {
    let [get, sets_of] = looked_at(&object!("deployment"), &sets());
    let mut newer = sets();
    newer.push(revision("8", "1.5"));
    let [get_again, newer_sets] = looked_at(&object!("deployment"), &newer);
    for (tool, arguments, shown, expected) in [
        (
            "restart_pod",
            json!({ "pod": "web-6d4b75cb6d-x2x4z" }),
            "It deletes the pod",
            vec![looked_at_pod(UID), looked_at_pod("another")],
        ),
        (
            "scale_deployment",
            json!({ "deployment": "web", "replicas": 5 }),
            "3 → 5 replicas",
            vec![scaled(3), scaled(9)],
        ),
        // It has become what was wanted, or is gone: then nobody has agreed to anything either.
        (
            "scale_deployment",
            json!({ "deployment": "web", "replicas": 5 }),
            "3 → 5 replicas",
            vec![scaled(3), scaled(5)],
        ),
        (
            "rollback_deployment",
            json!({ "deployment": "web" }),
            "revision 7 → 6",
            vec![get, sets_of, get_again, newer_sets],
        ),
        (
            "delete_evicted_pods",
            json!({}),
            "1 evicted pod ",
            vec![leftovers(&["a"]), leftovers(&["a", "b"])],
        ),
    ] {
        let result = agreed(expected, tool, arguments, shown).await;
        let (reason, words) = failure_of(&result);
        assert_eq!(reason, "approval_needed", "{tool}");
        assert!(words.contains("not any more what was agreed to"), "{words}");
    }
}

/// Nor where that happens at the last moment, when the tool itself looks.
#[tokio::test]
async fn the_tool_itself_does_nothing_else() {
    let conflict = "Operation cannot be fulfilled on deployments.apps \"web\"";
    let put = on(&format!("PUT {DEPLOYMENTS}/web/scale"), &[], Value::Null)
        .with("application/json", scale(5, "48250"))
        .refused(409, "Conflict", conflict);
    for (tool, arguments, expected) in [
        (
            "restart_pod",
            json!({ "pod": "web-6d4b75cb6d-x2x4z" }),
            vec![
                looked_at_pod(UID),
                looked_at_pod(UID),
                looked_at_pod("another"),
            ],
        ),
        (
            "scale_deployment",
            json!({ "deployment": "web", "replicas": 5 }),
            vec![scaled(3), scaled(3), scaled(3), put, scaled(4)],
        ),
        (
            "delete_evicted_pods",
            json!({}),
            vec![leftovers(&["a"]), leftovers(&["a"]), leftovers(&["b"])],
        ),
    ] {
        let result = agreed(expected, tool, arguments, "").await;
        assert_eq!(result["isError"], true, "{result}");
        let words = result["content"][0]["text"].as_str().expect("a text");
        assert!(
            words.starts_with("what this call would do is not any more what was agreed to"),
            "{words}"
        );
    }
}

/// What a caller itself says was agreed to is not believed, nor in its way.
#[tokio::test]
async fn a_caller_does_not_say_what_was_agreed_to() {
    let put = on(
        &format!("PUT {DEPLOYMENTS}/web/scale"),
        &[],
        scale(5, "48251"),
    )
    .with("application/json", scale(5, "48250"));
    let api = Api::start([scaled(3), put]).await;
    let gateway = api.gateway("").await;
    let params = json!({
        "name": "scale_deployment",
        "arguments": { "deployment": "web", "replicas": 5 },
        "_meta": { "toolgate/agreed": null },
    });
    let request = crate::support::modern::request("tools/call", params);
    let answer = gateway.send(&request).await;
    api.finish(&answer.text());
    let content = &answer.json()["result"]["structuredContent"];
    assert_eq!(content["changed"], true, "{}", answer.text());
    gateway.finish().await;
}
