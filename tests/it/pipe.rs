//! The front on standard input and output.

use serde_json::{Value, json};

use crate::support::{Latch, Piped, StdioClient, TestGateway, modern, within};

async fn code_of(client: &mut StdioClient, line: &[u8]) -> (Value, Value) {
    client.write(line).await;
    client.write(b"\n").await;
    let answer = client.next().await;
    (answer["id"].clone(), answer["error"]["code"].clone())
}

/// S07, S30.
#[tokio::test]
async fn malformed_lines_are_answered_and_the_pipe_goes_on() {
    let gateway = TestGateway::plain().await;
    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    let deep = [&b"["[..]; 200].concat();
    let lines: [(&[u8], i64); 12] = [
        (b"not json", -32700),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"", -32700),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}",
            -32700,
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}",
            -32700,
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\\ud800\"}",
            -32700,
        ),
        (b"\x00", -32700),
        (&deep, -32700),
        (b"[]", -32600),
        (b"17", -32600),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
            -32600,
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}",
            -32600,
        ),
        (b"{\"id\":1}", -32600),
    ];
    for (line, expected) in lines {
        let (_, code) = code_of(&mut client, line).await;
        assert_eq!(code, expected, "{}", String::from_utf8_lossy(line));
        assert_eq!(client.ask(1, "ping", json!({})).await["result"], json!({}));
    }
    client.write(b"\n\r\n\n").await;
    assert_eq!(
        client.ask(2, "ping", json!({})).await["id"],
        2,
        "empty lines are nothing"
    );
    assert!(client.finish().await.is_empty());
    gateway.finish().await;
}

/// F36.
#[tokio::test]
async fn a_line_above_the_bound_is_refused_and_the_next_is_read() {
    let gateway = TestGateway::builder()
        .config("[server]\nmax_body_bytes = 4096")
        .build()
        .await;
    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    let long = vec![b'x'; 100_000];
    let (id, code) = code_of(&mut client, &long).await;
    assert_eq!((id, code), (Value::Null, json!(-32700)));
    assert_eq!(client.ask(1, "ping", json!({})).await["id"], 1);
    client.finish().await;
    gateway.finish().await;
}

#[tokio::test]
async fn messages_come_whole_however_they_are_cut() {
    let gateway = TestGateway::plain().await;
    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    let call = json!({ "name": "echo__echo", "arguments": { "text": "é🦀" } });
    let line =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call }).to_string();
    for byte in line.bytes() {
        client.write(&[byte]).await;
        tokio::task::yield_now().await;
    }
    client
        .write(
            format!(
                "\r\n{}\n",
                line.replacen("1", "2", 1)
                    .replacen("\"id\":1", "\"id\":2", 1)
            )
            .as_bytes(),
        )
        .await;
    assert_eq!(client.next().await["result"]["content"][0]["text"], "é🦀");
    client.finish().await;
    gateway.finish().await;
}

#[tokio::test]
async fn both_eras_speak_on_one_pipe() {
    let gateway = TestGateway::plain().await;
    let mut client = StdioClient::start(&gateway);
    client
        .send(&modern::message(1, "server/discover", json!({})))
        .await;
    let discovered = client.next().await;
    assert_eq!(
        discovered["result"]["supportedVersions"][0],
        modern::VERSION
    );
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {} });
    let opened = client.ask(2, "initialize", params.clone()).await;
    assert_eq!(opened["result"]["protocolVersion"], "2025-11-25");
    assert!(opened["result"].get("resultType").is_none());
    client
        .send(&modern::message(3, "tools/list", json!({})))
        .await;
    let modern_list = client.next().await;
    assert_eq!(modern_list["result"]["cacheScope"], "private");
    let legacy_list = client.ask(4, "tools/list", json!({})).await;
    assert!(legacy_list["result"].get("cacheScope").is_none());
    assert_eq!(
        legacy_list["result"]["tools"],
        modern_list["result"]["tools"]
    );
    let again = client.ask(5, "initialize", params).await;
    assert_eq!(again["error"]["code"], -32600, "one session per pipe");
    client.finish().await;
    gateway.finish().await;
}

#[tokio::test]
async fn requests_that_begin_nothing_are_refused() {
    let gateway = TestGateway::plain().await;
    let mut client = StdioClient::start(&gateway);
    assert_eq!(client.ask(1, "ping", json!({})).await["result"], json!({}));
    for method in ["tools/list", "tools/call", "logging/setLevel"] {
        assert_eq!(
            client.ask(2, method, json!({})).await["error"]["code"],
            -32600,
            "{method}"
        );
    }
    // A probe without its metadata is told what is missing.
    assert_eq!(
        client.ask(3, "server/discover", json!({})).await["error"]["code"],
        -32602
    );
    let old = json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": "1900-01-01" } });
    client.send(&modern::message(4, "tools/list", old)).await;
    let answer = client.next().await;
    assert_eq!(answer["error"]["code"], -32022);
    assert_eq!(answer["error"]["data"]["requested"], "1900-01-01");
    client
        .send(&modern::message(5, "initialize", json!({})))
        .await;
    assert_eq!(client.next().await["error"]["code"], -32601);
    client.finish().await;
    gateway.finish().await;
}

#[tokio::test]
async fn progress_stands_before_its_answer() {
    let gateway = TestGateway::plain().await;
    let mut client = StdioClient::start(&gateway);
    let params = json!({ "name": "echo__count", "arguments": { "to": 50 }, "_meta": { "progressToken": "p" } });
    client
        .send(&modern::message("c", "tools/call", params))
        .await;
    for number in 1..=50 {
        let message = client.next().await;
        assert_eq!(message["params"]["progress"], number);
        assert_eq!(message["params"]["progressToken"], "p");
    }
    assert_eq!(client.next().await["id"], "c");
    client.finish().await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_slow_call_does_not_hold_up_others() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    client
        .request(
            1,
            "tools/call",
            json!({ "name": "held__wait", "arguments": {} }),
        )
        .await;
    latch.begun(1).await;
    assert_eq!(client.ask(2, "ping", json!({})).await["id"], 2);
    latch.open();
    assert_eq!(client.next().await["id"], 1);
    client.finish().await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_cancelled_call_gets_no_answer_in_either_era() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    let call = json!({ "name": "held__wait", "arguments": {} });
    client.request(1, "tools/call", call.clone()).await;
    client.send(&modern::message(2, "tools/call", call)).await;
    latch.begun(2).await;
    client
        .tell("notifications/cancelled", json!({ "requestId": 3 }))
        .await;
    for id in [1, 2] {
        client
            .tell("notifications/cancelled", json!({ "requestId": id }))
            .await;
    }
    latch.given_up(2).await;
    assert_eq!(client.ask("after", "ping", json!({})).await["id"], "after");
    assert!(client.finish().await.is_empty());
    gateway.finish().await;
}

/// F32: the end of the input cancels what runs.
#[tokio::test]
async fn the_end_of_the_input_ends_everything() {
    let latch = Latch::new();
    let gateway = TestGateway::builder()
        .plugin("held", latch.plugin())
        .build()
        .await;
    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    client
        .request(
            1,
            "tools/call",
            json!({ "name": "held__wait", "arguments": {} }),
        )
        .await;
    latch.begun(1).await;
    let begun = std::time::Instant::now();
    assert!(client.finish().await.is_empty());
    latch.given_up(1).await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(1));
    gateway.finish().await;
}

/// F32: a client that does not read is not waited for.
#[tokio::test]
async fn a_client_that_reads_nothing_and_goes_is_let_go() {
    let gateway = TestGateway::plain().await;
    let mut client = StdioClient::initialized(&gateway, "2025-11-25").await;
    let call = json!({ "name": "echo__echo", "arguments": { "text": "x".repeat(40_000) } });
    for id in 0..20 {
        client.request(id, "tools/call", call.clone()).await;
    }
    client.close();
    within("the front ends", client.ended()).await;
    drop(client);
    gateway.finish().await;
}

/// F32: the same with the program itself.
#[tokio::test]
async fn the_program_ends_with_its_input() {
    let mut program = Piped::start("[plugins.echo]\n");
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {} });
    program
        .write(&format!(
            "{}\n",
            json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params })
        ))
        .await;
    let opened: Value = serde_json::from_str(&program.line().await).expect("JSON");
    assert_eq!(opened["id"], 1);
    let count = json!({ "name": "echo__count", "arguments": { "to": 1000, "delay_ms": 1000 }, "_meta": { "progressToken": 1 } });
    program
        .write(&format!(
            "{}\n",
            json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": count })
        ))
        .await;
    program
        .write("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}\n")
        .await;
    // It may say before that its tools have become known.
    let mut answer = Value::Null;
    while answer["id"] != 3 {
        answer = serde_json::from_str(&program.line().await).expect("JSON");
    }
    let begun = std::time::Instant::now();
    let (code, rest) = program.finish().await;
    assert_eq!((code, rest.as_str()), (0, ""));
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(3),
        "it took {:?}",
        begun.elapsed()
    );
}
