//! Going back to an earlier revision, as `kubectl rollout undo` does. F9

use serde_json::{Value, json};

use crate::kubernetes::api::{Api, Expect, error, list, object, on, text, value};
use crate::kubernetes::{DEPLOYMENTS, LIMIT, REPLICA_SETS};

/// A ReplicaSet of a revision, with this image.
pub(crate) fn revision(number: &str, image: &str) -> Value {
    let mut set = object!("replicaset");
    set["metadata"]["name"] = format!("web-{number}").into();
    set["metadata"]["uid"] = number.into();
    set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = number.into();
    let container = &mut set["spec"]["template"]["spec"]["containers"][0];
    container["image"] = format!("registry.example/shop/web:{image}").into();
    if image == "1.4" {
        container
            .as_object_mut()
            .expect("an object")
            .shift_remove("fieldOfTheFuture");
    }
    set
}

/// The Deployment and its revisions are looked at.
pub(crate) fn looked_at(deployment: &Value, sets: &[Value]) -> [Expect; 2] {
    [
        on(&format!("GET {DEPLOYMENTS}/web"), &[], deployment.clone()),
        on(
            &format!("GET {REPLICA_SETS}"),
            &[LIMIT, ("labelSelector", "app=web")],
            list("ReplicaSetList", "48400", sets),
        ),
    ]
}

pub(crate) fn sets() -> Vec<Value> {
    let mut foreign = revision("9", "9.9");
    foreign["metadata"]["ownerReferences"][0]["uid"] = "another".into();
    vec![
        revision("7", "1.4"),
        foreign,
        revision("2", "1.0"),
        revision("6", "1.3"),
    ]
}

/// It is patched to have the template of that ReplicaSet.
pub(crate) fn patched(set: &Value, version: &str) -> Expect {
    let mut template = set["spec"]["template"].clone();
    template["metadata"]["labels"] = json!({ "app": "web" });
    let annotations = json!({ "deployment.kubernetes.io/revision": "7", "kubernetes.io/change-cause": "web 1.3" });
    let mut after = object!("deployment");
    after["metadata"]["generation"] = 8.into();
    after["spec"]["template"] = template.clone();
    let changes = json!([
        { "op": "replace", "path": "/spec/template", "value": template },
        { "op": "add", "path": "/metadata/annotations", "value": annotations },
        { "op": "replace", "path": "/metadata/resourceVersion", "value": version },
    ]);
    on(&format!("PATCH {DEPLOYMENTS}/web"), &[], after).with("application/json-patch+json", changes)
}

#[tokio::test]
async fn a_deployment_goes_back_to_the_revision_before() {
    let [get, sets_of] = looked_at(&object!("deployment"), &sets());
    let answer = Api::call(
        [get, sets_of, patched(&revision("6", "1.3"), "48250")],
        "rollback_deployment",
        json!({ "deployment": "web" }),
    )
    .await;
    assert_eq!(
        text(&answer),
        "Rolled Deployment shop/web back: revision 7 → 6.\n  \
         web: registry.example/shop/web:1.4 → registry.example/shop/web:1.3\n\
         Revisions that are kept: 2, 6, 7.\n"
    );
    let value = value(&answer);
    assert_eq!(value["revisions"], json!([2, 6, 7]));
    assert_eq!(value["changed"], true);
}

#[tokio::test]
async fn a_deployment_goes_back_to_a_named_revision() {
    let [get, sets_of] = looked_at(&object!("deployment"), &sets());
    let answer = Api::call(
        [get, sets_of, patched(&revision("2", "1.0"), "48250")],
        "rollback_deployment",
        json!({ "deployment": "web", "revision": 2 }),
    )
    .await;
    assert_eq!(value(&answer)["to_revision"], 2);
    let [get, sets_of] = looked_at(&object!("deployment"), &sets());
    let unknown = json!({ "deployment": "web", "revision": 9 });
    let answer = Api::call([get, sets_of], "rollback_deployment", unknown).await;
    assert!(error(&answer).contains("there is no revision 9; kept are 2, 6, 7"));
}

#[tokio::test]
async fn nothing_is_done_where_there_is_nothing_to_do_or_it_is_paused() {
    let [get, sets_of] = looked_at(&object!("deployment"), &sets());
    let current = json!({ "deployment": "web", "revision": 7 });
    let answer = Api::call([get, sets_of], "rollback_deployment", current).await;
    assert_eq!(value(&answer)["changed"], false);
    assert!(text(&answer).contains("has the pods of revision 7 already"));
    let [get, sets_of] = looked_at(&object!("deployment"), &[revision("7", "1.4")]);
    let which = json!({ "deployment": "web" });
    let answer = Api::call([get, sets_of], "rollback_deployment", which.clone()).await;
    assert!(error(&answer).contains("there is no revision before the current one; kept are 7"));
    let mut paused = object!("deployment");
    paused["spec"]["paused"] = true.into();
    let [get, _] = looked_at(&paused, &[]);
    let answer = Api::call([get], "rollback_deployment", which).await;
    assert!(error(&answer).contains("kubectl rollout resume"));
}

/// The status of a Deployment changes all the time; a change of the Deployment itself is another matter.
#[tokio::test]
async fn a_conflict_is_tried_again_only_where_nobody_has_changed_the_deployment() {
    let conflict = "Operation cannot be fulfilled on deployments.apps \"web\": the object has been modified; please apply your changes to the latest version and try again";
    let third = revision("6", "1.3");
    for (generation, is_tried) in [(7, true), (8, false)] {
        let mut changed = object!("deployment");
        changed["metadata"]["resourceVersion"] = "48260".into();
        changed["metadata"]["generation"] = generation.into();
        let mut expected = Vec::from(looked_at(&object!("deployment"), &sets()));
        expected.push(patched(&third, "48250").refused(409, "Conflict", conflict));
        expected.extend(looked_at(&changed, &sets()));
        if is_tried {
            expected.push(patched(&third, "48260"));
        }
        let which = json!({ "deployment": "web" });
        let answer = Api::call(expected, "rollback_deployment", which).await;
        match is_tried {
            true => assert_eq!(value(&answer)["to_revision"], 6),
            false => assert!(error(&answer).contains("by someone else at the same time")),
        }
    }
}
