//! Calls as they should be: headers, both forms of answers, what is said on the way, cancellation.

use crate::wire::list::ListKind;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::upstream::{
    Step, Upstream, answer, chunk, end, event, initialized, json_answer, legacy, modern, stream,
};
use super::*;

/// S14.
#[tokio::test]
async fn a_modern_call_carries_its_headers_and_nothing_of_the_client() {
    let mut upstream = Upstream::start(modern(|seen| {
        json_answer(&seen.result(&json!({ "content": [] })))
    }))
    .await;
    let section = "bearer_token = \"hunter2\"\n[mcp_http.headers]\nX-Team = \"blue\"";
    let instance = start_with(&runtime(), manifest(&upstream.url(), section, ""))
        .await
        .expect("it starts");
    assert_eq!(instance.era(), Era::Modern);
    let discover = upstream.next("server/discover").await;
    assert_eq!(discover.header("mcp-protocol-version"), Some("2026-07-28"));
    assert_eq!(discover.header("mcp-method"), Some("server/discover"));
    assert_eq!(discover.header("mcp-name"), None);

    assert_eq!(
        call(&instance).await.expect("an answer"),
        r#"{"content":[]}"#
    );
    let seen = upstream.next("tools/call").await;
    let port = upstream.port;
    let mut headers = seen.headers.clone();
    headers.sort();
    let expect = [
        ("accept", "application/json, text/event-stream".to_owned()),
        ("authorization", "Bearer hunter2".to_owned()),
        ("content-length", seen.body.len().to_string()),
        ("content-type", "application/json".to_owned()),
        ("host", format!("127.0.0.1:{port}")),
        ("mcp-method", "tools/call".to_owned()),
        ("mcp-name", "echo".to_owned()),
        ("mcp-protocol-version", "2026-07-28".to_owned()),
        ("user-agent", "toolgate/0.0.0".to_owned()),
        ("x-team", "blue".to_owned()),
    ];
    let expect: Vec<_> = expect.map(|(name, value)| (name.to_owned(), value)).into();
    assert_eq!(headers, expect);
    let meta = &seen.json()["params"]["_meta"];
    assert_eq!(
        meta["io.modelcontextprotocol/protocolVersion"],
        "2026-07-28"
    );
    assert_eq!(
        meta["progressToken"],
        seen.json()["id"],
        "the token is ours"
    );
}

#[tokio::test]
async fn a_name_that_no_header_can_hold_is_encoded() {
    let mut upstream = Upstream::start(modern(|seen| json_answer(&seen.result(&json!({}))))).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let context = context(Ears::new());
    for (name, expect) in [
        ("grün\r\nx: y", "=?base64?Z3LDvG4NCng6IHk=?="),
        ("=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
        (" a", "=?base64?IGE=?="),
    ] {
        soon(instance.request(request(&json!({ "name": name })), &context))
            .await
            .expect("an answer");
        let seen = upstream.next("tools/call").await;
        assert_eq!(seen.header("mcp-name"), Some(expect));
        assert_eq!(seen.header("x"), None);
    }
}

#[tokio::test]
async fn arguments_are_mirrored_and_tools_with_bad_annotations_are_not_listed() {
    let server = |seen: &upstream::Seen| {
        match &*seen.rpc() {
        "tools/list" => json_answer(&seen.result(&json!({ "tools": [
            { "name": "good", "inputSchema": { "type": "object", "properties": {
                "region": { "type": "string", "x-mcp-header": "Region" }, "n": { "type": "integer", "x-mcp-header": "N" } } } },
            { "name": "bad", "inputSchema": { "type": "object", "properties": {
                "x": { "type": "object", "x-mcp-header": "X" } } } },
            { "name": "plain", "inputSchema": { "type": "object" } },
        ] }))),
        _ => modern(|seen| json_answer(&seen.result(&json!({}))))(seen),
    }
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let surface = Arc::clone(&instance.surface().borrow());
    let names: Vec<_> = surface
        .list(ListKind::Tools)
        .definitions
        .iter()
        .map(|tool| &*tool.name)
        .collect();
    assert_eq!(names, ["good", "plain"]);
    assert_eq!(surface.list(ListKind::Tools).omitted[0].name, "bad");
    assert!(
        surface.list(ListKind::Tools).omitted[0]
            .reason
            .contains("/properties/x"),
        "{surface:?}"
    );

    let context = context(Ears::new());
    let arguments = json!({ "region": "Süd", "n": 7, "other": true });
    let call = request(&json!({ "name": "good", "arguments": arguments }));
    soon(instance.request(call, &context))
        .await
        .expect("an answer");
    let seen = upstream.next("tools/call").await;
    assert_eq!(seen.header("mcp-param-region"), Some("=?base64?U8O8ZA==?="));
    assert_eq!(seen.header("mcp-param-n"), Some("7"));
    soon(instance.request(
        request(&json!({ "name": "plain", "arguments": arguments })),
        &context,
    ))
    .await
    .expect("an answer");
    let seen = upstream.next("tools/call").await;
    assert_eq!(seen.header("mcp-param-region"), None);
}

#[tokio::test]
async fn a_result_arrives_byte_for_byte_in_both_forms() {
    let result = r#"{ "z": 12345678901234567890123450, "a" : {"ü":"\u00e9"},  "_meta":{"k":1} }"#;
    for as_events in [false, true] {
        let server = modern(move |seen| {
            let id = &seen.json()["id"];
            let text = format!(r#"{{"jsonrpc":"2.0","result":{result},"id":{id}}}"#);
            if as_events {
                // Cut in the middle, with everything around it that a stream may have.
                let (one, two) = text.split_at(40);
                vec![
                    stream(),
                    chunk(": hello\n\nid: 1\nretry: 10\ndata:\n\nevent: other\ndata: {}\n\n"),
                    chunk(&format!("data: {one}")),
                    chunk(&format!("{two}\r\n\r\n")),
                    end(),
                ]
            } else {
                answer(
                    "200 OK",
                    "content-type: Application/JSON; charset=utf-8\r\n",
                    &text,
                )
            }
        });
        let upstream = Upstream::start(server).await;
        let instance = start(&upstream.url()).await.expect("it starts");
        assert_eq!(call(&instance).await.expect("an answer"), result);
        assert_eq!(call(&instance).await.expect("an answer"), result);
    }
}

#[tokio::test]
async fn an_answer_in_pieces_is_put_together() {
    let text = "x".repeat(300_000);
    let expect = json!({ "content": text }).to_string();
    let server = modern(move |seen| json_answer(&seen.result(&json!({ "content": text }))));
    let upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    assert!(call(&instance).await.expect("an answer") == expect);
}

#[tokio::test]
async fn an_error_of_the_plugin_is_its_answer_whatever_the_status() {
    for status in ["200 OK", "400 Bad Request", "404 Not Found"] {
        let server = modern(move |seen| {
            let error = json!({ "jsonrpc": "2.0", "id": seen.json()["id"], "error": { "code": -32601, "message": "no" } });
            answer(
                status,
                "content-type: application/json\r\n",
                &error.to_string(),
            )
        });
        let upstream = Upstream::start(server).await;
        let instance = start(&upstream.url()).await.expect("it starts");
        assert_eq!(
            call(&instance).await.expect("an answer"),
            "-32601 no",
            "{status}"
        );
    }
}

#[tokio::test]
async fn what_is_said_on_the_way_reaches_the_client_with_its_own_token() {
    let server = modern(|seen| {
        let id = &seen.json()["id"];
        let progress = |token: &Value| json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": token, "progress": 1 } });
        vec![
            stream(),
            event(&progress(id)),
            event(&progress(&json!(99_999))),
            event(
                &json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": "x" } }),
            ),
            event(&seen.result(&json!({ "resultType": "complete" }))),
            end(),
        ]
    });
    let upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let ears = Ears::new();
    call_for(&instance, Arc::clone(&ears))
        .await
        .expect("an answer");
    let expect = [
        (
            "notifications/progress".to_owned(),
            json!({ "progressToken": "mine", "progress": 1 }),
        ),
        (
            "notifications/message".to_owned(),
            json!({ "level": "info", "data": "x" }),
        ),
    ];
    assert_eq!(ears.all(), expect);
}

#[tokio::test]
async fn questions_of_a_legacy_server_are_answered_while_the_call_goes_on() {
    let answered = Arc::new(tokio::sync::Semaphore::new(0));
    let gate = Arc::clone(&answered);
    let server = move |seen: &upstream::Seen| match &*seen.rpc() {
        "tools/call" => vec![
            stream(),
            event(&json!({ "jsonrpc": "2.0", "id": "q1", "method": "ping" })),
            event(
                &json!({ "jsonrpc": "2.0", "id": "q2", "method": "elicitation/create", "params": { "message": "?" } }),
            ),
            Step::Gate(Arc::clone(&gate)),
            Step::Gate(Arc::clone(&gate)),
            event(&seen.result(&json!({ "done": true }))),
            end(),
        ],
        "answer" => {
            gate.add_permits(1);
            answer("202 Accepted", "", "")
        }
        _ => legacy(|_| Vec::new())(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    assert_eq!(
        call(&instance).await.expect("an answer"),
        r#"{"done":true}"#
    );
    upstream.next("tools/call").await;
    let mut answers = [
        upstream.next("answer").await.json(),
        upstream.next("answer").await.json(),
    ];
    answers.sort_by_key(|answer| answer["id"].to_string());
    assert_eq!(
        answers[0],
        json!({ "jsonrpc": "2.0", "id": "q1", "result": {} })
    );
    assert_eq!(
        answers[1],
        json!({ "jsonrpc": "2.0", "id": "q2", "result": { "action": "decline" } })
    );
}

#[tokio::test]
async fn a_modern_call_is_cancelled_by_closing_its_stream() {
    let mut upstream = Upstream::start(modern(|_| vec![stream(), Step::Hold])).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let context = context(Ears::new());
    let mut calling = instance.request(request(&json!({ "name": "echo" })), &context);
    tokio::select! {
        _ = &mut calling => panic!("there is no answer"),
        _ = upstream.next("tools/call") => {}
    }
    drop(calling);
    assert_eq!(
        soon(upstream.hung_up.recv()).await.expect("it runs").rpc(),
        "tools/call"
    );
    assert_eq!(upstream.count("notifications/cancelled"), 0);
}

#[tokio::test]
async fn a_legacy_call_is_cancelled_by_saying_so() {
    let mut upstream = Upstream::start(legacy(|_| vec![stream(), Step::Hold])).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let context = context(Ears::new());
    let mut calling = instance.request(request(&json!({ "name": "echo" })), &context);
    let seen = tokio::select! {
        _ = &mut calling => panic!("there is no answer"),
        seen = upstream.next("tools/call") => seen,
    };
    drop(calling);
    let cancelled = soon(upstream.next("notifications/cancelled")).await;
    assert_eq!(cancelled.json()["params"]["requestId"], seen.json()["id"]);
    assert_eq!(cancelled.header("mcp-session-id"), Some("s1"));
}

#[tokio::test]
async fn connections_are_used_again() {
    // Streams, too, are read to their end for that.
    let mut upstream = Upstream::start(modern(|seen| {
        let message = event(&seen.result(&json!({})));
        vec![stream(), message, end()]
    }))
    .await;
    let instance = start(&upstream.url()).await.expect("it starts");
    for _ in 0..20 {
        call(&instance).await.expect("an answer");
        let connection = upstream.next("tools/call").await.connection;
        assert!(connection < 5, "a connection per call");
        // Gives the one in use the time to be free again.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_not_used() {
    let upstream = Upstream::start(modern(|seen| {
        let mut steps = json_answer(&seen.result(&json!({ "ok": 1 })));
        steps.push(Step::Close);
        steps
    }))
    .await;
    let instance = start(&upstream.url()).await.expect("it starts");
    for _ in 0..5 {
        assert_eq!(call(&instance).await.expect("an answer"), r#"{"ok":1}"#);
        // Gives the news of the closing the time to arrive.
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn headers_that_do_not_fit_have_the_list_read_again() {
    let (n_lists, n_calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let server = move |seen: &upstream::Seen| match &*seen.rpc() {
        "tools/list" => {
            let mut list = upstream::tools(&["echo"]);
            if n_lists.fetch_add(1, Ordering::Relaxed) > 0 {
                list["tools"][0]["inputSchema"] = json!({ "type": "object",
                    "properties": { "region": { "type": "string", "x-mcp-header": "Region" } } });
            }
            json_answer(&seen.result(&list))
        }
        "tools/call" if n_calls.fetch_add(1, Ordering::Relaxed) == 0 => {
            let error = json!({ "jsonrpc": "2.0", "id": seen.json()["id"], "error": { "code": -32020, "message": "no" } });
            let headers = "content-type: application/json\r\n";
            answer("400 Bad Request", headers, &error.to_string())
        }
        _ => modern(|seen| json_answer(&seen.result(&json!({}))))(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    let before = instance.surface();
    assert_eq!(call(&instance).await.expect("an answer"), "-32020 no");
    let mut surface = instance.surface();
    let first = Arc::clone(&before.borrow());
    soon(surface.wait_for(|now| **now != *first))
        .await
        .expect("it runs");
    upstream.next("tools/call").await;
    let again = request(&json!({ "name": "echo", "arguments": { "region": "eu" } }));
    let context = context(Ears::new());
    soon(instance.request(again, &context))
        .await
        .expect("an answer");
    let seen = upstream.next("tools/call").await;
    assert_eq!(seen.header("mcp-param-region"), Some("eu"));
}

#[tokio::test]
async fn batches_of_2025_03_26_are_understood() {
    let server = |seen: &upstream::Seen| match &*seen.rpc() {
        "initialize" => {
            let mut steps = initialized(seen, "s1");
            if let Some(Step::Write(text)) = steps.first_mut() {
                *text = text.replace("2025-11-25", "2025-03-26");
            }
            steps
        }
        _ => legacy(|seen| {
            let log = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": {} });
            json_answer(&json!([log, seen.result(&json!({ "ok": 1 }))]))
        })(seen),
    };
    let mut upstream = Upstream::start(server).await;
    let instance = start(&upstream.url()).await.expect("it starts");
    assert_eq!(call(&instance).await.expect("an answer"), r#"{"ok":1}"#);
    let seen = upstream.next("tools/call").await;
    assert_eq!(seen.header("mcp-protocol-version"), None, "it came later");
}
