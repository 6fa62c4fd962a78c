//! Commands that change things: who is asked, and what an approval is worth.

use serde_json::{Value, json};

use crate::llm::{Cluster, TOOL};
use crate::rest::{call, refused};
use crate::support::{LegacySession, Request, within};

/// The approval that waits.
async fn waiting(cluster: &Cluster) -> Option<Value> {
    let list = Request::new("GET", "/api/approvals?status=pending");
    let list = cluster.gateway.send(&list).await.json();
    list["approvals"].as_array()?.first().cloned()
}

async fn approve(cluster: &Cluster, id: &str) {
    let given = Request::new("POST", &format!("/api/approvals/{id}/approve"));
    let given = cluster.gateway.send(&given.body_of(&json!({}))).await;
    assert_eq!(given.status, 200, "{}", given.text());
}

#[tokio::test]
async fn what_changes_things_waits_for_an_operator_who_sees_the_whole_command() {
    let settings = "context = 'prod'\nnamespace = 'shop'";
    let cluster = Cluster::open(settings, "[policy.approval]\nwait_ms = 0\n").await;
    let command = "kubectl delete pod web-0";
    let waits = cluster.command(command).await;
    assert_eq!(refused(&waits, 403), "approval_pending");
    assert_eq!(cluster.calls(), [""; 0]);
    let approval = waiting(&cluster).await.expect("it waits");
    let effect = approval["effect"].as_str().expect("a text");
    let whole = format!(
        "runs `kubectl --context=prod --namespace=shop delete pod web-0 --wait=false` with the kubeconfig `{}`, which changes things (risk high): what the command names",
        cluster.path("config").display()
    );
    assert!(effect.starts_with(&whole), "{effect}");
    assert_eq!(approval["arguments"], json!({ "command": command }));
    let id = approval["id"].as_str().expect("an id");
    approve(&cluster, id).await;
    // Another command is another one.
    let other = cluster.command("kubectl delete pod web-1").await;
    assert_eq!(refused(&other, 403), "approval_pending");
    let answer = cluster.command(command).await;
    assert_eq!(
        answer.json()["structuredContent"]["effect"],
        "remediation",
        "{}",
        answer.text()
    );
    let expect = "[--context=prod][--namespace=shop][delete][pod][web-0][--wait=false]";
    assert_eq!(cluster.calls(), [expect]);
    let records = cluster.gateway.records.all();
    assert!(
        records
            .iter()
            .any(|record| record.approval.as_deref() == Some(id))
    );
    // It was used up.
    assert_eq!(
        refused(&cluster.command(command).await, 403),
        "approval_pending"
    );
    // What only looks asks nobody.
    assert_eq!(cluster.command("kubectl get pods").await.status, 200);
    cluster.gateway.finish().await;
}

#[tokio::test]
async fn an_approval_is_for_the_cluster_that_was_shown() {
    let cluster = Cluster::open("context = 'staging'", "[policy.approval]\nwait_ms = 0\n").await;
    let command = "kubectl rollout restart deploy/web";
    assert_eq!(
        refused(&cluster.command(command).await, 403),
        "approval_pending"
    );
    let approval = waiting(&cluster).await.expect("it waits");
    let id = approval["id"].as_str().expect("an id");
    approve(&cluster, id).await;
    let other = Request::new("PUT", "/api/config/llm").body_of(&json!({ "context": "prod" }));
    let other = cluster.gateway.send(&other).await;
    assert_eq!(other.status, 200, "{}", other.text());
    assert_eq!(
        refused(&cluster.command(command).await, 403),
        "approval_pending"
    );
    assert_eq!(cluster.calls(), [""; 0]);
    cluster.gateway.finish().await;
}

#[tokio::test]
async fn the_user_of_a_client_that_can_be_asked_sees_the_whole_command() {
    let cluster = Cluster::open("context = 'prod'", "").await;
    let session = LegacySession::open_able(&cluster.gateway, "2025-11-25").await;
    for (approve, calls) in [(false, 0), (true, 1)] {
        let mut connection = cluster.gateway.connect().await;
        let command = json!({ "command": "kubectl cordon n1" });
        let request = session.call(5, TOOL, command);
        assert!(connection.begin(&request).await.is_stream());
        let asked = connection.event().await.expect("a question");
        assert_eq!(asked["method"], "elicitation/create");
        let message = asked["params"]["message"].to_string();
        assert!(
            message.contains("runs `kubectl --context=prod cordon n1`"),
            "{message}"
        );
        let said = json!({ "action": "accept", "content": { "approve": approve } });
        cluster
            .gateway
            .send(&session.answer(&asked["id"], said))
            .await;
        let answer = connection.event().await.expect("the answer");
        assert_eq!(answer["result"]["isError"] == true, !approve, "{answer}");
        assert_eq!(cluster.calls().len(), calls);
    }
    // What only looks asks nobody.
    let mut connection = cluster.gateway.connect().await;
    let look = session.call(6, TOOL, json!({ "command": "kubectl get nodes" }));
    let look = connection.send(&look).await;
    assert_eq!(
        look.json()["result"]["structuredContent"]["state"],
        "ran",
        "{}",
        look.text()
    );
    session.delete(&cluster.gateway).await;
    cluster.gateway.finish().await;
}

#[tokio::test]
async fn an_operator_may_want_approvals_of_all_commands() {
    let more = format!("[policy.approval]\nwait_ms = 0\ntools = ['{TOOL}']\n");
    let cluster = Cluster::open("", &more).await;
    let answer = cluster.command("kubectl get pods").await;
    assert_eq!(refused(&answer, 403), "approval_pending");
    assert_eq!(cluster.calls(), [""; 0]);
    cluster.gateway.finish().await;
}

#[tokio::test]
async fn a_call_that_has_waited_while_the_cluster_became_another_is_not_made() {
    let more = "[policy.approval]\nwait_ms = 600000\n";
    let cluster = Cluster::open("context = 'staging'", more).await;
    let mut connection = cluster.gateway.connect().await;
    let command = json!({ "command": "kubectl delete pod web-0" }).to_string();
    let command = call(TOOL, &command).bytes(cluster.gateway.address);
    connection.write(&command).await;
    let approval = within("the call waits", async {
        loop {
            if let Some(approval) = waiting(&cluster).await {
                return approval;
            }
        }
    })
    .await;
    let other = Request::new("PUT", "/api/config/llm").body_of(&json!({ "context": "prod" }));
    assert_eq!(cluster.gateway.send(&other).await.status, 200);
    approve(&cluster, approval["id"].as_str().expect("an id")).await;
    let answer = connection.answer().await;
    assert_eq!(refused(&answer, 403), "approval_needed");
    assert!(
        answer.text().contains("not any more what was agreed to"),
        "{}",
        answer.text()
    );
    assert_eq!(cluster.calls(), [""; 0]);
    cluster.gateway.finish().await;
}

/// A file that others write decides neither the cluster nor the namespace: both are said.
#[tokio::test]
async fn what_the_settings_leave_open_is_said_all_the_same() {
    let more = "[policy.approval]\nwait_ms = 0\n";
    let cluster = Cluster::open("context = 'prod'", more).await;
    let waits = cluster.command("kubectl delete pod web-0").await;
    assert_eq!(refused(&waits, 403), "approval_pending");
    let approval = waiting(&cluster).await.expect("it waits");
    let effect = approval["effect"].as_str().expect("a text");
    let whole =
        "runs `kubectl --context=prod --namespace=default delete pod web-0 --wait=false` with";
    assert!(effect.starts_with(whole), "{effect}");
    cluster.gateway.finish().await;
}
