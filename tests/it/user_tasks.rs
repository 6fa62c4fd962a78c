//! Tasks of users over HTTP and on the command line. What their runner does is tested beside it, under a paused clock.

use serde_json::{Value, json};

use crate::support::{Latch, Program, Request, TestGateway};
use crate::tokens::{ANN, BOB, token};

async fn send(gateway: &TestGateway, request: Request) -> (u16, Value) {
    let answer = gateway.send(&request).await;
    (answer.status, answer.json())
}

async fn create(gateway: &TestGateway, body: Value) -> Value {
    let (status, task) = send(gateway, Request::new("POST", "/api/tasks").body_of(&body)).await;
    assert_eq!(status, 201, "{task}");
    task
}

async fn get(gateway: &TestGateway, path: &str) -> Value {
    let (status, answer) = send(gateway, Request::new("GET", path)).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn order(gateway: &TestGateway, path: &str) -> (u16, Value) {
    let request = Request::new("POST", &format!("/api/tasks/{path}"));
    send(gateway, request.body_of(&json!({}))).await
}

/// Waits until a task is in that status.
async fn reaches(gateway: &TestGateway, id: &str, status: &str) -> Value {
    let path = format!("/api/tasks/{id}");
    loop {
        let task = get(gateway, &path).await;
        if task["status"] == status {
            return task;
        }
    }
}

fn id(task: &Value) -> String {
    task["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_task_is_made_watched_called_off_and_taken_out() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let mut watching = gateway.connect().await;
    watching
        .begin(&Request::new("GET", "/api/tasks/stream"))
        .await;
    let echo = create(
        &gateway,
        json!({ "tool": "echo__echo", "arguments": { "text": "hi" }, "name": "greet" }),
    )
    .await;
    assert_eq!(
        (&echo["status"], &echo["created_by"]),
        (&json!("scheduled"), &json!("anonymous"))
    );
    let done = reaches(&gateway, &id(&echo), "done").await;
    let run = &done["last_run"];
    assert_eq!(
        (&run["outcome"], &run["number"]),
        (&json!("ok"), &json!(1)),
        "{done}"
    );
    assert_eq!(run["result"]["content"][0]["text"], "hi", "{done}");
    assert_eq!(done["history"].as_array().map(Vec::len), Some(1));
    for status in ["scheduled", "running", "done"] {
        let told = watching.event().await.expect("the stream goes on");
        assert_eq!(
            (&told["id"], &told["status"]),
            (&echo["id"], &json!(status))
        );
    }

    let held = create(&gateway, json!({ "tool": "held__wait" })).await;
    latch.begun(1).await;
    assert_eq!(order(&gateway, &format!("{}/run", id(&held))).await.0, 409);
    let (status, cancelled) = order(&gateway, &format!("{}/cancel", id(&held))).await;
    assert_eq!((status, &cancelled["status"]), (200, &json!("cancelled")));
    while get(&gateway, &format!("/api/tasks/{}", id(&held))).await["last_run"].is_null() {}
    assert_eq!(latch.counts(), (1, 1, 0), "its call was cancelled");

    let later = json!({ "kind": "at", "time": "2999-01-01T00:00:00Z" });
    let later = create(
        &gateway,
        json!({ "tool": "echo__echo", "arguments": { "text": "x" }, "schedule": later }),
    )
    .await;
    assert_eq!(later["next_run"], "2999-01-01T00:00:00.000Z");
    let first = get(&gateway, "/api/tasks?limit=2").await;
    assert_eq!(
        (&first["tasks"][0]["id"], &first["tasks"][1]["id"]),
        (&later["id"], &held["id"])
    );
    let rest = get(
        &gateway,
        &format!(
            "/api/tasks?limit=2&before={}",
            first["next"].as_str().expect("more")
        ),
    )
    .await;
    assert_eq!(
        (&rest["tasks"][0]["id"], &rest["next"]),
        (&echo["id"], &Value::Null)
    );
    let scheduled = get(&gateway, "/api/tasks?status=scheduled").await;
    assert_eq!(scheduled["tasks"].as_array().map(Vec::len), Some(1));
    let remove = Request::new("DELETE", &format!("/api/tasks/{}", id(&later)));
    assert_eq!(send(&gateway, remove).await.0, 200);
    assert_eq!(order(&gateway, &format!("{}/run", id(&later))).await.0, 404);
    assert_eq!(
        order(&gateway, &format!("{}/retry", id(&echo))).await.0,
        409
    );
    assert_eq!(order(&gateway, &format!("{}/run", id(&echo))).await.0, 200);
    while get(&gateway, &format!("/api/tasks/{}", id(&echo))).await["runs"] != 2 {}
    gateway.finish().await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_others_see_nothing() {
    let config = [
        token("ann", ANN, "scopes = [\"ext:*:tools\"]"),
        token("bob", BOB, "scopes = [\"ext:*:tools\"]"),
    ]
    .concat();
    let gateway = TestGateway::builder().config(&config).build().await;
    let post = |body: Value| Request::new("POST", "/api/tasks").body_of(&body).token(ANN);
    for (body, words) in [
        (json!({ "tool": "no" }), "Unknown tool"),
        (
            json!({ "tool": "echo__echo", "arguments": [] }),
            "/arguments",
        ),
        (
            json!({ "tool": "echo__echo", "schedule": { "kind": "at", "time": "soon" } }),
            "must be a time such as",
        ),
        (
            json!({ "tool": "echo__echo", "schedule": { "kind": "every", "interval_ms": 1 } }),
            "/schedule/interval_ms",
        ),
        (
            json!({ "tool": "echo__echo", "when": 1 }),
            "unknown field `when`",
        ),
    ] {
        let (status, told) = send(&gateway, post(body)).await;
        assert_eq!((status, &told["code"]), (422, &json!(422)), "{told}");
        assert!(
            told["message"]
                .as_str()
                .is_some_and(|text| text.contains(words)),
            "{told}"
        );
    }
    // S04: a page of another site can send such a body without being allowed to.
    let form = post(json!({ "tool": "echo__echo" })).set("content-type", "text/plain");
    assert_eq!(send(&gateway, form).await.0, 415);
    let (status, task) = send(
        &gateway,
        post(json!({ "tool": "echo__echo", "arguments": { "text": "x" } })),
    )
    .await;
    assert_eq!((status, &task["created_by"]), (201, &json!("ann")));
    let path = format!("/api/tasks/{}", id(&task));
    let seen = |token| Request::new("GET", &path).token(token);
    assert_eq!(send(&gateway, seen(ANN)).await.0, 200);
    assert_eq!(send(&gateway, seen(BOB)).await.0, 404);
    let list = Request::new("GET", "/api/tasks").token(BOB);
    assert_eq!(send(&gateway, list).await.1["tasks"], json!([]));
    while send(&gateway, seen(ANN)).await.1["status"] != "done" {}
    gateway.finish().await;
}

/// What was made and changed is kept in the ledger's database.
#[tokio::test]
async fn tasks_and_settings_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("ledger.db");
    let config = format!("[ledger]\nurl = \"sqlite:{}\"\n", file.display());
    let start = async || TestGateway::builder().config(&config).build().await;
    let gateway = start().await;
    let greet = |schedule: Value| json!({ "tool": "echo__echo", "arguments": { "text": "x" }, "schedule": schedule });
    let later = greet(json!({ "kind": "at", "time": "2999-01-01T00:00:00Z" }));
    let later = create(&gateway, later).await;
    let every = create(
        &gateway,
        greet(json!({ "kind": "every", "interval_ms": 1000 })),
    )
    .await;
    let path = format!("/api/tasks/{}", id(&every));
    while get(&gateway, &path).await["runs"] == 0 {}
    let change = Request::new("PUT", "/api/config/echo").body_of(&json!({ "word": "kept" }));
    let (status, changed) = send(&gateway, change).await;
    assert_eq!(status, 200, "{changed}");
    gateway.finish().await;

    let gateway = start().await;
    let before = get(&gateway, &path).await["runs"]
        .as_u64()
        .expect("a number");
    assert!(before >= 1);
    while get(&gateway, &path).await["runs"].as_u64() <= Some(before) {}
    let later = get(&gateway, &format!("/api/tasks/{}", id(&later))).await;
    assert_eq!(
        (&later["status"], &later["runs"]),
        (&json!("scheduled"), &json!(0))
    );
    let echo = get(&gateway, "/api/config/echo").await;
    assert_eq!(
        (&echo["config"]["word"], &echo["layers"]["word"]),
        (&json!("kept"), &json!("store"))
    );
    assert_eq!(echo["needs_restart"], false);
    gateway.finish().await;
}

#[tokio::test]
async fn tasks_are_made_on_the_command_line() {
    let gateway = TestGateway::plain().await;
    let url = format!("http://{}", gateway.address);
    let run = async |arguments: &[&str]| {
        let arguments = [&["tasks"], arguments, &["--gateway", &url]].concat();
        Program::run(&arguments, "").await
    };
    let (code, said) = run(&[
        "create",
        "echo__echo",
        "{\"text\":\"hi\"}",
        "--name",
        "greet",
    ])
    .await;
    assert_eq!(code, 0, "{said}");
    let made = said.lines().next().expect("an id").to_owned();
    reaches(&gateway, &made, "done").await;
    let (code, said) = run(&["list"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains(&made) && said.contains("greet") && said.contains("done"),
        "{said}"
    );
    let (code, said) = run(&["show", &made]).await;
    assert!(code == 0 && said.contains("\"outcome\": \"ok\""), "{said}");
    let (code, said) = run(&["cancel", &made]).await;
    assert!(code == 1 && said.contains("it is over already"), "{said}");
    let (code, _) = run(&["remove", &made]).await;
    assert_eq!(code, 0);
    gateway.finish().await;
}
