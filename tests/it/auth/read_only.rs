//! F1: what is read-only hides and refuses what may change something, for one credential or for all.

use serde_json::json;
use toolgate::plugin::{NoArguments, ToolContext, ToolError, Tools};

use crate::auth::names;
use crate::support::{LegacySession, Program, Request, TestGateway, modern, plugin};
use crate::tokens::{ANN, BOB, token};

/// A gateway with a tool that looks, one that changes, and one that does not say.
async fn gateway(config: &str) -> TestGateway {
    let some = plugin(|tools: &mut Tools| {
        let nothing = |_: NoArguments, _: ToolContext| async { Ok::<_, ToolError>("done") };
        tools.add("look", "Looks", nothing).read_only();
        tools.add("change", "Changes", nothing);
        tools.add("unsaid", "Does not say", nothing);
    });
    let entry = "[plugins.p]\ntools = [{ name = \"change\", category = \"remediation\" }]\n";
    TestGateway::builder()
        .config(&format!("{config}{entry}"))
        .plugin("p", some)
        .build()
        .await
}

#[tokio::test]
async fn a_read_only_token_is_shown_and_may_call_what_only_looks() {
    let config = token("ann", ANN, "") + &token("bob", BOB, "read_only = true");
    let gateway = gateway(&config).await;
    let list = |shown: &str| modern::request("tools/list", json!({})).token(shown);
    let all = names(&gateway.send(&list(ANN)).await);
    assert!(all.contains(&"p__change".to_owned()) && all.contains(&"p__unsaid".to_owned()));
    let few = names(&gateway.send(&list(BOB)).await);
    assert!(few.contains(&"p__look".to_owned()), "{few:?}");
    assert!(
        !few.iter()
            .any(|name| name == "p__change" || name == "p__unsaid")
    );
    let session = LegacySession::open_as(&gateway, "2025-11-25", Some(BOB)).await;
    for tool in ["p__change", "p__unsaid"] {
        for call in [
            modern::call(tool, json!({})).token(BOB),
            session.call(tool, tool, json!({})),
        ] {
            let answer = gateway.send(&call).await;
            let result = &answer.json()["result"];
            assert_eq!((answer.status, &result["isError"]), (200, &json!(true)));
            assert_eq!(result["_meta"]["toolgate/reason"], "read_only");
            assert!(answer.text().contains("`read_only`"), "{}", answer.text());
        }
        let path = format!("/api/tools/{tool}");
        let call = Request::new("POST", &path).body_of(&json!({}));
        let answer = gateway.send(&call.clone().token(BOB)).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["reason"]),
            (403, &json!("read_only"))
        );
        assert_eq!(gateway.send(&call.token(ANN)).await.status, 200);
    }
    let call = modern::call("p__look", json!({})).token(BOB);
    assert_eq!(
        gateway.send(&call).await.json()["result"]["content"][0]["text"],
        "done"
    );
    gateway.finish().await;
}

#[tokio::test]
async fn the_policy_says_the_same_for_all_and_the_refusal_names_it() {
    let gateway = gateway("[policy]\nread_only = true\n").await;
    let list = modern::request("tools/list", json!({}));
    assert!(!gateway.send(&list).await.text().contains("p__change"));
    let answer = gateway.send(&modern::call("p__change", json!({}))).await;
    assert_eq!(answer.json()["result"]["isError"], true);
    assert!(
        answer.text().contains("`policy.read_only`"),
        "{}",
        answer.text()
    );
    let call = Request::new("POST", "/api/tools/p__change").body_of(&json!({}));
    assert_eq!(gateway.send(&call).await.status, 403);
    gateway.finish().await;
}

/// The switch of the command line is the same rule.
#[tokio::test]
async fn the_command_line_makes_a_gateway_read_only() {
    let config = "[[plugins.echo.tools]]\nname = \"echo\"\ncategory = \"remediation\"\n";
    let program = Program::serve_with(&["--read-only"], config).await;
    let list = program.send(&Request::new("GET", "/api/tools")).await;
    assert_eq!(names(&list), ["echo__count"]);
    let call = Request::new("POST", "/api/tools/echo__echo").body_of(&json!({ "text": "a" }));
    let answer = program.send(&call).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("read_only"), "{}", answer.text());
    program.signal(rustix::process::Signal::TERM);
    assert_eq!(program.ended().await.0, 0);
}
