//! What happened can be looked up: calls, incidents, denied accesses, over HTTP and by the command line.

mod full;

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};
use toolgate::plugin::{NoArguments, Plugin, ToolError, Tools};

use crate::support::{
    Connection, LegacySession, Program, Request, TestGateway, modern, plugin, within,
};
use crate::tokens::{ANN, BOB, token};

/// A plugin with a tool that looks, one that acts, and one that fails.
fn works() -> impl Plugin {
    plugin(|tools: &mut Tools| {
        for name in ["look", "act"] {
            tools.add(name, "Works", |_: NoArguments, _| async {
                Ok::<_, ToolError>("done")
            });
        }
        tools.add("fail", "Fails", |_: NoArguments, _| async {
            Err::<String, _>(ToolError::new("no"))
        });
    })
}

/// What `act` is, for a configuration.
const ACT: &str = "[plugins.works]\ntools = [{ name = \"act\", category = \"remediation\" }, { name = \"look\", category = \"diagnostic\" }]\n";

fn in_file(folder: &Path) -> String {
    format!(
        "[ledger]\nurl = \"sqlite:{}\"\n",
        folder.join("ledger.db").display()
    )
}

async fn gateway(config: &str) -> TestGateway {
    TestGateway::builder()
        .config(&format!("{config}\n{ACT}"))
        .plugin("works", works())
        .build()
        .await
}

async fn get(gateway: &TestGateway, path: &str) -> Value {
    let answer = gateway.send(&Request::new("GET", path)).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

async fn post(gateway: &TestGateway, path: &str, body: Value) -> (u16, Value) {
    let answer = gateway
        .send(&Request::new("POST", path).body_of(&body))
        .await;
    (answer.status, answer.json())
}

/// The list `what` at `path`, as soon as it has `n`.
async fn listed(gateway: &TestGateway, path: &str, what: &str, n: usize) -> Vec<Value> {
    within("it is recorded", async {
        loop {
            let list = get(gateway, path).await[what]
                .as_array()
                .cloned()
                .unwrap_or_default();
            if list.len() >= n {
                assert_eq!(list.len(), n, "{list:?}");
                return list;
            }
        }
    })
    .await
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no `{key}`: {value}"))
}

/// F43: two calls of a session are two events of its incident, also after a restart.
#[tokio::test]
async fn two_calls_are_two_events_and_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let first = gateway(&in_file(folder.path())).await;
    let session = LegacySession::open(&first).await;
    for n in 1..=2 {
        let call = session.call(n, "echo__echo", json!({ "message": "x" }));
        assert_eq!(first.send(&call).await.status, 200);
    }
    let incidents = listed(&first, "/api/incidents", "incidents", 1).await;
    let id = word(&incidents[0], "id").to_owned();
    let path = format!("/api/incidents/{id}");
    let events = listed(&first, &path, "events", 2).await;
    assert!(
        events.iter().all(|event| event["type"] == "tool_call"),
        "{events:?}"
    );
    assert_eq!(events[0]["tool"], "echo__echo");
    assert!(
        word(&events[0], "id") < word(&events[1], "id"),
        "oldest first"
    );
    first.finish().await;

    let second = gateway(&in_file(folder.path())).await;
    let whole = get(&second, &path).await;
    assert_eq!(whole["events"].as_array().map(Vec::len), Some(2), "{whole}");
    assert_eq!(
        (&whole["calls"], &whole["status"]),
        (&json!(2), &json!("open"))
    );
    second.finish().await;
}

/// F43: what was recorded before a gateway was killed can be read after the next has started.
#[tokio::test]
async fn what_was_recorded_survives_a_kill() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let config = format!("{}[plugins.echo]\n", in_file(folder.path()));
    let killed = Program::serve(&config).await;
    let call = Request::new("POST", "/api/tools/echo__echo").body_of(&json!({ "message": "x" }));
    assert_eq!(killed.send(&call).await.status, 200);
    let calls = Request::new("GET", "/api/calls?tool=echo__echo");
    within("it is recorded", async {
        while killed.send(&calls).await.json()["calls"] == json!([]) {}
    })
    .await;
    killed.signal(Signal::KILL);
    killed.ended().await;
    let next = Program::serve(&config).await;
    let told = next.send(&calls).await.json();
    assert_eq!(told["calls"][0]["outcome"], "answered", "{told}");

    // `toolgate log` says the same.
    let at = format!("http://{}", next.address);
    let (code, said) = Program::run(&["log", "--gateway", &at, "--tool", "echo__echo"], "").await;
    assert!(
        code == 0 && said.contains("echo__echo") && said.contains("answered"),
        "{said}"
    );
    let (code, said) =
        Program::run(&["log", "--gateway", &at, "--json", "--since", "1h"], "").await;
    let line: Value = serde_json::from_str(said.lines().next().unwrap_or_default()).expect("JSON");
    assert!(code == 0 && line["tool"] == "echo__echo", "{said}");
    let (code, said) = Program::run(&["replay", "--gateway", &at, word(&line, "id")], "").await;
    assert!(code == 1 && said.contains("ledger.bodies"), "{said}");
}

/// O28: every call is one record, whatever becomes of it.
#[tokio::test]
async fn each_call_is_recorded_once_with_what_came_of_it() {
    let gateway = gateway("[plugins.hash]\n").await;
    for (tool, arguments, outcome) in [
        ("works__look", json!({}), "answered"),
        ("works__act", json!({}), "answered"),
        ("works__fail", json!({}), "tool_error"),
        ("hash.sha256", json!({ "data": 7 }), "bad_input"),
        ("nobody__knows", json!({}), "not_found"),
    ] {
        post(&gateway, &format!("/api/tools/{tool}"), arguments).await;
        let path = format!("/api/calls?tool={tool}&outcome={outcome}");
        let calls = listed(&gateway, &path, "calls", 1).await;
        let one = get(&gateway, &format!("/api/calls/{}", word(&calls[0], "id"))).await;
        assert_eq!(one["outcome"], outcome);
        assert_eq!(one["era"], "legacy");
        assert_eq!(word(&one, "arguments_sha256").len(), 64);
        assert_eq!(one.get("arguments"), None, "bodies are not kept: {one}");
    }
    let all = get(&gateway, "/api/calls").await;
    assert_eq!(all["calls"].as_array().map(Vec::len), Some(5), "{all}");
    let page = get(&gateway, "/api/calls?limit=2").await;
    let next = get(
        &gateway,
        &format!("/api/calls?limit=3&before={}", word(&page, "next")),
    )
    .await;
    assert_eq!(next["calls"].as_array().map(Vec::len), Some(3));
    for wrong in [
        "limit=0",
        "limit=x",
        "before=1",
        "since=yesterday",
        "incident=7",
    ] {
        let answer = gateway
            .send(&Request::new("GET", &format!("/api/calls?{wrong}")))
            .await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
    let nothing = Request::new("GET", "/api/calls/0000000000000001");
    assert_eq!(gateway.send(&nothing).await.status, 404);
    gateway.finish().await;
}

/// S11: who comes with another's session, without a token or without a scope is refused, and that is recorded.
#[tokio::test]
async fn denied_accesses_are_recorded() {
    let config = [
        token("ann", ANN, "scopes = [\"admin\"]"),
        token("bob", BOB, ""),
    ]
    .concat();
    let gateway = gateway(&config).await;
    let session = LegacySession::open_as(&gateway, "2025-11-25", Some(ANN)).await;
    let stolen = session.call(1, "echo__echo", json!({})).token(BOB);
    assert_eq!(gateway.send(&stolen).await.status, 404);
    let reload = Request::new("POST", "/api/v1/plugin/reload")
        .body_of(&json!({}))
        .token(BOB);
    assert_eq!(gateway.send(&reload).await.status, 403);
    let nobody = Request::new("GET", "/api/calls?token=secret");
    assert_eq!(gateway.send(&nobody).await.status, 401);
    let foreign_host = Request::new("GET", "/api/calls").set("host", "evil.example");
    assert_eq!(gateway.send(&foreign_host).await.status, 403);

    let denials = Request::new("GET", "/api/denials").token(ANN);
    let told = within("they are recorded", async {
        loop {
            let told = gateway.send(&denials).await.json();
            if told["denials"]
                .as_array()
                .is_some_and(|list| list.len() == 4)
            {
                return told;
            }
        }
    })
    .await;
    let list = told["denials"].as_array().expect("a list");
    let find = |what: &str| {
        list.iter()
            .find(|row| row["what"] == what)
            .expect("it is there")
    };
    assert_eq!(find("foreign_session")["principal"], "bob");
    assert_eq!(find("foreign_session")["path"], "POST /mcp");
    assert_eq!(find("insufficient_scope")["scope"], "admin");
    assert_eq!(find("insufficient_scope")["principal"], "bob");
    assert_eq!(find("unauthorized")["path"], "GET /api/calls");
    assert_eq!(find("unauthorized")["remote"], "127.0.0.1");
    assert_eq!(find("host_not_allowed")["principal"], Value::Null);
    assert_eq!(gateway.send(&denials.token(BOB)).await.status, 403);
    session.delete(&gateway).await;
    gateway.finish().await;
}

/// Who may not see what others did sees what it did itself.
#[tokio::test]
async fn callers_without_a_scope_see_their_own_calls() {
    let config = [
        token("ann", ANN, "scopes = [\"read\"]"),
        token("bob", BOB, ""),
    ]
    .concat();
    let gateway = gateway(&config).await;
    for who in [ANN, BOB] {
        let call = Request::new("POST", "/api/tools/works__look")
            .body_of(&json!({}))
            .token(who);
        assert_eq!(gateway.send(&call).await.status, 200);
    }
    let calls = async |who: &str, path: &str| {
        let request = Request::new("GET", path).token(who);
        gateway.send(&request).await
    };
    within("they are recorded", async {
        while calls(ANN, "/api/calls").await.json()["calls"]
            .as_array()
            .map(Vec::len)
            != Some(2)
        {}
    })
    .await;
    let own = calls(BOB, "/api/calls").await.json();
    assert_eq!(own["calls"].as_array().map(Vec::len), Some(1), "{own}");
    assert_eq!(own["calls"][0]["principal"], "bob");
    assert_eq!(calls(BOB, "/api/calls?principal=ann").await.status, 400);
    let of_ann = calls(ANN, "/api/calls?principal=ann").await.json();
    let path = format!("/api/calls/{}", word(&of_ann["calls"][0], "id"));
    assert_eq!(calls(BOB, &path).await.status, 404);
    assert_eq!(calls(ANN, &path).await.status, 200);
    gateway.finish().await;
}

/// An incident takes the calls that name it, from each front, until it is closed.
#[tokio::test]
async fn an_incident_is_opened_filled_and_closed() {
    let gateway = gateway("").await;
    let (status, incident) =
        post(&gateway, "/api/incidents", json!({ "title": "Disk full" })).await;
    assert_eq!((status, &incident["status"]), (201, &json!("open")));
    let id = word(&incident, "id").to_owned();
    let path = format!("/api/incidents/{id}");

    let named = |request: Request| request.header("toolgate-incident", &id);
    let plain = Request::new("POST", "/api/tools/works__look").body_of(&json!({}));
    assert_eq!(gateway.send(&named(plain.clone())).await.status, 200);
    assert_eq!(
        gateway
            .send(&named(modern::call("works__look", json!({}))))
            .await
            .status,
        200
    );
    let session = LegacySession::open(&gateway).await;
    let legacy = session.call(1, "works__look", json!({}));
    assert_eq!(gateway.send(&named(legacy)).await.status, 200);
    let meta =
        json!({ "name": "works__fail", "arguments": {}, "_meta": { "toolgate/incident": id } });
    assert_eq!(
        gateway
            .send(&session.request(2, "tools/call", meta))
            .await
            .status,
        200
    );
    let unknown = plain
        .clone()
        .header("toolgate-incident", "0000000000000007");
    assert_eq!(
        gateway.send(&unknown).await.status,
        200,
        "it goes on without"
    );

    let (status, note) = post(
        &gateway,
        &format!("{path}/notes"),
        json!({ "text": "looking" }),
    )
    .await;
    assert_eq!(
        (status, &note["type"], &note["text"]),
        (201, &json!("note"), &json!("looking"))
    );
    let events = listed(&gateway, &path, "events", 5).await;
    let failed: Vec<_> = events
        .iter()
        .filter(|event| event["outcome"] == "tool_error")
        .collect();
    assert_eq!(failed.len(), 1);
    let (status, closed) = post(&gateway, &format!("{path}/close"), json!({})).await;
    assert_eq!((status, &closed["status"]), (200, &json!("closed")));
    assert_eq!(
        (&closed["calls"], &closed["errors"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(
        post(&gateway, &format!("{path}/close"), json!({})).await.0,
        409
    );
    gateway.send(&named(plain)).await;
    let strays = within("it is recorded", async {
        loop {
            let ledger = get(&gateway, "/api/ledger").await;
            if ledger["strayed"] == 2 {
                return ledger;
            }
        }
    })
    .await;
    assert_eq!(
        (&strays["backend"], &strays["healthy"]),
        (&json!("sqlite"), &json!(true))
    );
    assert_eq!(get(&gateway, &path).await["calls"], 4);
    let closed = get(&gateway, "/api/incidents?status=closed").await;
    assert_eq!(
        closed["incidents"].as_array().map(Vec::len),
        Some(1),
        "{closed}"
    );
    session.delete(&gateway).await;
    gateway.finish().await;
}

/// A call whose arguments were kept can be sent again; that is another call, which says so.
#[tokio::test]
async fn a_call_is_sent_again() {
    let config = "[ledger]\nbodies = [\"echo__*\", \"works__act\"]\nredact = [\"/message\"]\n";
    let gateway = gateway(config).await;
    post(&gateway, "/api/tools/works__act", json!({})).await;
    post(&gateway, "/api/tools/works__look", json!({})).await;
    post(
        &gateway,
        "/api/tools/echo__echo",
        json!({ "message": "hunter2" }),
    )
    .await;
    let calls = listed(&gateway, "/api/calls", "calls", 3).await;
    let id = |tool: &str| {
        let call = calls.iter().find(|call| call["tool"] == tool);
        word(call.expect("it is there"), "id").to_owned()
    };
    let replay = |tool: &str| format!("/api/calls/{}/replay", id(tool));
    let (status, result) = post(&gateway, &replay("works__act"), json!({})).await;
    assert_eq!(
        (status, &result["content"][0]["text"]),
        (200, &json!("done"))
    );
    for tool in ["works__look", "echo__echo"] {
        let (status, told) = post(&gateway, &replay(tool), json!({})).await;
        assert_eq!(
            (status, &told["error"]["reason"]),
            (409, &json!("body_not_kept")),
            "{tool}"
        );
    }
    let again = listed(&gateway, "/api/calls?tool=works__act", "calls", 2).await;
    assert_eq!(again[0]["replay_of"], json!(id("works__act")));
    let hidden = get(&gateway, &format!("/api/calls/{}", id("echo__echo"))).await;
    assert_eq!(hidden["arguments"], json!({ "message": "***" }));
    let form = Request::new("POST", &replay("works__act")).header("content-type", "text/plain");
    assert_eq!(gateway.send(&form).await.status, 415);
    gateway.finish().await;
}

/// What was to change nothing changes nothing when it is sent again.
#[tokio::test]
async fn a_dry_run_is_one_again() {
    let gateway = gateway("[ledger]\nbodies = [\"works__act\"]\n").await;
    post(&gateway, "/api/tools/works__act?dry_run=true", json!({})).await;
    let calls = listed(&gateway, "/api/calls", "calls", 1).await;
    let replay = format!("/api/calls/{}/replay", word(&calls[0], "id"));
    let (status, result) = post(&gateway, &replay, json!({})).await;
    let told = &result["structuredContent"]["dry_run"];
    assert_eq!((status, told), (200, &json!(true)), "{result}");
    gateway.finish().await;
}

/// Calls can be watched as they are recorded, and the stream ends with the gateway.
#[tokio::test]
async fn calls_are_watched_live() {
    let gateway = gateway("").await;
    let mut watching: Connection = gateway.connect().await;
    let stream = Request::new("GET", "/api/calls/stream?tool=works__look");
    let head = watching.begin(&stream).await;
    assert!(head.status == 200 && head.is_stream());
    // The first comment says that calls are listened for.
    watching.part().await.expect("the stream is open");
    post(&gateway, "/api/tools/works__act", json!({})).await;
    post(&gateway, "/api/tools/works__look", json!({})).await;
    let event = watching.whole_event().await.expect("a call");
    let call = event.message.expect("it says which");
    assert_eq!(
        (&call["tool"], word(&call, "id")),
        (&json!("works__look"), &*event.id)
    );
    gateway.finish().await;
}

/// What happens to plugins is recorded.
#[tokio::test]
async fn lives_of_plugins_are_recorded() {
    let gateway = gateway("").await;
    let told = within("it is recorded", async {
        loop {
            let told = get(&gateway, "/api/life?plugin=works").await;
            if told["events"] != json!([]) {
                return told;
            }
        }
    })
    .await;
    let events = told["events"].as_array().expect("a list");
    let is_start = |event: &Value| event["event"] == "plugin.started" && event["plugin"] == "works";
    assert!(events.iter().any(is_start), "{told}");
    gateway.finish().await;
}

/// A ledger that is off records nothing and refuses nothing.
#[tokio::test]
async fn a_ledger_may_be_off() {
    let gateway = gateway("[ledger]\nurl = \"off\"\n").await;
    assert_eq!(
        post(&gateway, "/api/tools/works__act", json!({})).await.0,
        200
    );
    assert_eq!(get(&gateway, "/api/ledger").await["backend"], "off");
    let calls = gateway.send(&Request::new("GET", "/api/calls")).await;
    assert_eq!(calls.status, 503);
    gateway.finish().await;
}
