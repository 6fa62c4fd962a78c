//! Operators: plugins are listed, started, stopped, registered and called over `/api/v1/plugin/…`.

use serde_json::{Value, json};
use toolgate::plugin::{HookResult, NoArguments, Plugin, ToolContext, Tools};

use crate::hostile::Hostile;
use crate::support::{Answer, Connection, LegacySession, Request, TestGateway, until};
use crate::tokens::{ANN, BOB, token};

/// Asks for something to be done.
async fn post(gateway: &TestGateway, what: &str, body: Value) -> Answer {
    let request = Request::new("POST", &format!("/api/v1/plugin/{what}")).body_of(&body);
    gateway.send(&request).await
}

async fn get(gateway: &TestGateway, what: &str) -> Value {
    let answer = gateway
        .send(&Request::new("GET", &format!("/api/v1/plugin/{what}")))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    assert_eq!(answer["code"], 0, "{answer}");
    answer["data"].clone()
}

fn refused(answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let body = answer.json();
    assert_eq!(body["code"], status, "{body}");
    let message = body["message"].as_str().expect("a sentence");
    assert!(message.contains(words), "{message}");
    assert_eq!(body["error"]["message"], message);
}

fn ids(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("a list");
    list.iter().filter_map(|info| info["id"].as_str()).collect()
}

/// The names of the tools that a session is shown.
async fn listed(gateway: &TestGateway, session: &LegacySession) -> Vec<String> {
    let list = gateway
        .send(&session.request(9, "tools/list", json!({})))
        .await;
    let list = list.json();
    let tools = list["result"]["tools"].as_array().expect("a list");
    let names = tools.iter().filter_map(|tool| tool["name"].as_str());
    names.map(str::to_owned).collect()
}

async fn tools_have_changed(stream: &mut Connection) {
    let event = stream.event().await.expect("the stream goes on");
    assert_eq!(event["method"], "notifications/tools/list_changed");
}

/// J13, J17, J19: both lists, and a page of one.
#[tokio::test]
async fn plugins_are_listed_whether_registered_or_not() {
    let config =
        "[plugins.off]\nenabled = false\nruntime = \"mcp_stdio\"\nmcp_stdio.command = [\"true\"]\n";
    let gateway = TestGateway::builder().config(config).build().await;
    let both = get(&gateway, "list").await;
    assert_eq!(ids(&both["registered"]), ["echo"]);
    assert_eq!(ids(&both["unregistered"]).last(), Some(&"off"));
    let echo = &both["registered"][0];
    assert_eq!(echo["status"], "ready");
    assert_eq!(echo["state"], "active");
    let page = get(&gateway, "list?status=ready&page_no=1&page_size=1").await;
    assert_eq!((&page["total"], &page["page_no"]), (&json!(1), &json!(1)));
    assert_eq!(ids(&page["list"]), ["echo"]);
    let beyond = get(&gateway, "list?page_no=9").await;
    assert_eq!(ids(&beyond["list"]).len(), 0);
    let answer = gateway
        .send(&Request::new("GET", "/api/v1/plugin/list?page_no=0"))
        .await;
    refused(&answer, 400, "`page_no`");
    assert_eq!(get(&gateway, "get?id=off").await["state"], "disabled");
    let answer = gateway
        .send(&Request::new("GET", "/api/v1/plugin/get?id=nobody"))
        .await;
    refused(&answer, 404, "nobody");
    gateway.finish().await;
}

/// A6–A10, J15, J16: what may be done from which state, and what clients see of it.
#[tokio::test]
async fn a_stopped_plugin_is_gone_for_clients_and_comes_back() {
    let plugin = Hostile::new("h", &[]);
    let gateway = TestGateway::builder().config(&plugin.text()).build().await;
    let session = LegacySession::open(&gateway).await;
    let mut stream = gateway.connect().await;
    assert_eq!(stream.begin(&session.get()).await.status, 200);
    let names = listed(&gateway, &session).await;
    assert!(names.iter().any(|name| name == "h__pid"), "{names:?}");
    let answer = post(&gateway, "stop", json!({ "id": "h" })).await;
    assert_eq!(
        answer.json()["data"]["state"],
        "stopped",
        "{}",
        answer.text()
    );
    assert_eq!(answer.json()["data"]["is_exited"], true);
    tools_have_changed(&mut stream).await;
    let names = listed(&gateway, &session).await;
    assert!(
        !names.iter().any(|name| name.starts_with("h__")),
        "{names:?}"
    );
    let call = Request::new("POST", "/api/tools/h__pid").body_of(&json!({}));
    let answer = gateway.send(&call).await;
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("it is stopped"), "{}", answer.text());
    refused(
        &post(&gateway, "stop", json!({ "id": "h" })).await,
        409,
        "Cannot stop",
    );
    let started = post(&gateway, "start", json!({ "id": "h" })).await.json();
    let pid = started["data"]["process_id"].as_str().expect("a text");
    assert!(
        plugin
            .ledger()
            .pids()
            .iter()
            .any(|known| known.to_string() == pid)
    );
    tools_have_changed(&mut stream).await;
    assert_eq!(gateway.send(&call).await.status, 200);
    refused(
        &post(&gateway, "start", json!({ "id": "h" })).await,
        409,
        "Cannot start plugin",
    );
    refused(
        &post(&gateway, "start", json!({ "id": "x" })).await,
        404,
        "`x`",
    );
    refused(
        &post(&gateway, "start", json!({ "id": 7 })).await,
        400,
        "`/id`",
    );
    drop(stream);
    session.delete(&gateway).await;
    gateway.finish().await;
}

/// J15–J17, J26: out and in again; twice is a conflict.
#[tokio::test]
async fn plugins_are_taken_out_and_in_again() {
    let plugin = Hostile::new("h", &[]);
    let gateway = TestGateway::builder().config(&plugin.text()).build().await;
    refused(
        &post(&gateway, "register", json!({ "id": "h" })).await,
        409,
        "registered already",
    );
    assert_eq!(
        post(&gateway, "unregister", json!({ "id": "h" }))
            .await
            .status,
        200
    );
    crate::hostile::all_gone(&plugin.ledger().pids()).await;
    let both = get(&gateway, "list").await;
    assert_eq!(ids(&both["unregistered"]).last(), Some(&"h"));
    assert_eq!(get(&gateway, "get?id=h").await["state"], "available");
    refused(
        &post(&gateway, "unregister", json!({ "id": "h" })).await,
        404,
        "`h`",
    );
    // What was taken out by hand stays out until it is taken in by hand.
    let done = post(&gateway, "reload", json!({})).await.json();
    assert_eq!(done["data"]["added"], json!([]), "{done}");
    let back = post(&gateway, "register", json!({ "id": "h" }))
        .await
        .json();
    assert_eq!(back["data"]["state"], "active", "{back}");
    let call = json!({ "id": "h", "method": "pid", "args": {} });
    assert_eq!(post(&gateway, "execute", call).await.status, 200);
    gateway.finish().await;
}

/// J14: a call by the plugin's id and the tool's own name gives what the tool gave.
#[tokio::test]
async fn a_tool_is_called_by_its_plugin_and_its_own_name() {
    let gateway = TestGateway::builder().build().await;
    let call = json!({ "id": "echo", "method": "echo", "args": { "text": "hi" } });
    let answer = post(&gateway, "execute", call).await.json();
    assert_eq!(answer["code"], 0);
    assert_eq!(answer["data"]["structuredContent"]["text"], "hi");
    let unknown = json!({ "id": "echo", "method": "shout" });
    refused(&post(&gateway, "execute", unknown).await, 404, "`shout`");
    let wrong = json!({ "id": "echo", "method": "echo", "args": { "text": 7 } });
    refused(&post(&gateway, "execute", wrong).await, 422, "/text");
    let wrong = json!({ "id": "echo", "method": "echo", "args": [] });
    refused(&post(&gateway, "execute", wrong).await, 400, "`/args`");
    gateway.finish().await;
}

/// S04, S16: who may, and what a page of another site cannot.
#[tokio::test]
async fn changing_plugins_needs_the_scope_admin() {
    let config = [
        token("boss", ANN, "scopes = [\"admin\"]"),
        token("me", BOB, ""),
    ]
    .concat();
    let gateway = TestGateway::builder().config(&config).build().await;
    let stop = |token: &str, kind: &str| {
        Request::new("POST", "/api/v1/plugin/stop")
            .body_of(&json!({ "id": "echo" }))
            .set("content-type", kind)
            .token(token)
    };
    let answer = gateway.send(&stop(BOB, "application/json")).await;
    refused(&answer, 403, "missing scope `admin`");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.contains("insufficient_scope"), "{challenge}");
    let answer = gateway.send(&stop(ANN, "text/plain")).await;
    refused(&answer, 415, "application/json");
    assert_eq!(
        gateway.send(&stop(ANN, "application/json")).await.status,
        200
    );
    gateway.finish().await;
}

/// A plugin that fails where it is told to.
struct Failing(&'static str);

#[async_trait::async_trait]
impl Plugin for Failing {
    fn tools(&self, tools: &mut Tools) {
        tools.add(
            "tool",
            "Does nothing",
            |_: NoArguments, _: ToolContext| async { "done" },
        );
    }

    fn cooperative(&self) -> bool {
        true
    }

    async fn on_start(&self) -> HookResult {
        self.fail("start")
    }

    async fn on_stop(&self) -> HookResult {
        self.fail("stop")
    }
}

impl Failing {
    fn fail(&self, at: &str) -> HookResult {
        match self.0 == at {
            true => Err(format!("{at} boom").into()),
            false => Ok(()),
        }
    }
}

/// A5, A10, A13, A14: the report holds every plugin and what is wrong with it, also after it stopped.
#[tokio::test]
async fn the_report_holds_what_went_wrong() {
    let gateway = TestGateway::builder()
        .config("[plugins.sleeper]\nload = \"manual\"\n")
        .plugin("starts_badly", Failing("start"))
        .plugin("stops_badly", Failing("stop"))
        .plugin("sleeper", Failing("never"))
        .build()
        .await;
    assert_eq!(
        post(&gateway, "stop", json!({ "id": "stops_badly" }))
            .await
            .status,
        200,
        "it has stopped, however badly"
    );
    let report = get(&gateway, "report").await;
    let of = |id: &str| {
        let plugins = report["plugins"].as_array().expect("a list");
        let found = plugins.iter().find(|plugin| plugin["id"] == id);
        found
            .cloned()
            .unwrap_or_else(|| panic!("{id} is missing: {report}"))
    };
    let (echo, sleeper) = (of("echo"), of("sleeper"));
    assert!(echo["load_time_ms"].is_number() && echo["init_time_ms"].is_number());
    assert!(echo["uptime_seconds"].as_f64().is_some_and(|s| s > 0.0));
    assert_eq!(
        (&sleeper["status"], &sleeper["uptime_seconds"]),
        (&json!("loaded"), &json!(0.0))
    );
    let error = |report: &Value| report["error"].as_str().unwrap_or_default().to_owned();
    let (bad_start, bad_stop) = (of("starts_badly"), of("stops_badly"));
    assert_eq!(bad_start["status"], "error");
    assert!(error(&bad_start).contains("start boom"), "{bad_start}");
    assert_eq!(bad_stop["status"], "stopped");
    assert!(error(&bad_stop).contains("stop boom"), "{bad_stop}");
    assert_eq!(bad_stop["error_count"], 1);
    gateway.finish().await;
}

/// D21, F04: who needs what is not there says so, and comes when it comes.
#[tokio::test]
async fn a_plugin_waits_for_what_it_needs() {
    let (base, user) = (Hostile::new("base", &[]), Hostile::new("user", &[]));
    let user = user.key("depends_on = [\"base\"]");
    let base = base.key("load = \"manual\"");
    let config = format!("{}\n{}", base.text(), user.text());
    let gateway = TestGateway::builder().config(&config).build().await;
    let info = get(&gateway, "get?id=user").await;
    assert_eq!(info["state"], "unavailable");
    assert_eq!(info["error"], "it needs `base`, which is loaded");
    assert_eq!(
        post(&gateway, "start", json!({ "id": "base" }))
            .await
            .status,
        200
    );
    let user = gateway.plugin("user");
    until("the other comes", || user.life.state().as_str() == "active").await;
    gateway.finish().await;
}

/// The connection of a caller that goes away does not end what it began.
#[tokio::test]
async fn what_was_begun_is_done_to_its_end() {
    let plugin = Hostile::new("h", &[]);
    let gateway = TestGateway::builder().config(&plugin.text()).build().await;
    let mut connection: Connection = gateway.connect().await;
    let request = Request::new("POST", "/api/v1/plugin/stop").body_of(&json!({ "id": "h" }));
    connection.write(&request.bytes(gateway.address)).await;
    let h = gateway.plugin("h");
    until("it begins", || h.life.state().as_str() != "active").await;
    drop(connection);
    until("it has stopped", || h.life.state().as_str() == "stopped").await;
    gateway.finish().await;
}
