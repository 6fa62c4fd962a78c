//! Tables for the reading and writing of messages.

use super::*;

fn parse(text: &str) -> Result<Message, Reject> {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()))
}

fn request(text: &str) -> Request {
    match parse(text) {
        Ok(Message::Request(request)) => request,
        other => panic!("{text}: {other:?}"),
    }
}

fn check_refused(text: &str, code: i64, id: Option<&str>, says: &str) {
    let reject = parse(text).expect_err(text);
    assert_eq!(reject.error.code, code, "{text}");
    assert_eq!(
        reject.id.as_ref().map(|id| id.json().as_str()),
        id,
        "{text}"
    );
    assert!(
        reject.error.message.contains(says),
        "{text}: {}",
        reject.error.message
    );
}

#[test]
fn a_call_is_taken_apart_and_written_as_it_came() {
    let text = r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"x":1,"name":"n","_meta":{"k/v":[1, 2],"progressToken":7},"arguments":{"b":12345678901234567890123450,"a": null}}}"#;
    let call = request(text);
    assert_eq!(call.method, Method::ToolsCall);
    assert_eq!(call.params.members.string("name").as_deref(), Some("n"));
    assert_eq!(call.params.progress_token().map(Json::as_str), Some("7"));
    let mut out = Vec::new();
    write_request(&mut out, 5, &call.method, &call.params);
    assert_eq!(
        String::from_utf8_lossy(&out),
        text.replace(r#""id":"a""#, r#""id":5"#)
    );
}

#[test]
fn meta_is_written_where_it_stood_or_last_or_not_at_all() {
    let mut params =
        request(r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"a":1},"b":2}}"#).params;
    params.meta.set("c", Json::literal("3"));
    assert_eq!(
        params.to_json().as_str(),
        r#"{"_meta":{"a":1,"c":3},"b":2}"#
    );
    params.meta = Members::default();
    assert_eq!(params.to_json().as_str(), r#"{"b":2}"#);
    let mut bare = Params::default();
    bare.meta.set("c", Json::literal("3"));
    assert_eq!(bare.to_json().as_str(), r#"{"_meta":{"c":3}}"#);
}

#[test]
fn what_is_no_message_is_refused_under_its_id() {
    check_refused("{", PARSE_ERROR, None, "byte 1");
    check_refused("7", INVALID_REQUEST, None, "JSON object");
    check_refused(
        r#"{"id":1,"method":"x"}"#,
        INVALID_REQUEST,
        Some("1"),
        "jsonrpc",
    );
    check_refused(
        r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#,
        INVALID_REQUEST,
        None,
        "`id`",
    );
    check_refused(
        r#"{"jsonrpc":"2.0","id":1.5,"method":"x"}"#,
        INVALID_REQUEST,
        None,
        "`id`",
    );
    check_refused(
        r#"{"jsonrpc":"2.0","id":{},"method":"x"}"#,
        INVALID_REQUEST,
        None,
        "`id`",
    );
    check_refused(
        r#"{"jsonrpc":"2.0","id":"q","method":1}"#,
        INVALID_REQUEST,
        Some("\"q\""),
        "`method`",
    );
    check_refused(
        r#"{"jsonrpc":"2.0","id":2,"method":"x","params":[]}"#,
        INVALID_REQUEST,
        Some("2"),
        "`params`",
    );
    check_refused(
        r#"{"jsonrpc":"2.0","id":2}"#,
        INVALID_REQUEST,
        Some("2"),
        "neither",
    );
    check_refused(
        r#"{"jsonrpc":"2.0","id":2,"id":3,"method":"x"}"#,
        PARSE_ERROR,
        None,
        "duplicate key `id`",
    );
}

#[test]
fn responses_say_what_kind_of_result_they_hold() {
    let result = |text: &str| match parse(text) {
        Ok(Message::Response(Response {
            outcome: Outcome::Result(reply),
            ..
        })) => reply.result_type,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(result(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), None);
    assert_eq!(
        result(r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"task"}}"#).as_deref(),
        Some("task")
    );
    let error = parse(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no"}}"#);
    assert!(matches!(
        error,
        Ok(Message::Response(Response {
            id: None,
            outcome: Outcome::Error(_)
        }))
    ));
    check_refused(
        r#"{"jsonrpc":"2.0","id":1,"result":[]}"#,
        INVALID_REQUEST,
        Some("1"),
        "`result`",
    );
}

#[test]
fn the_same_id_written_in_two_ways_is_one_id() {
    let plain = request(r#"{"jsonrpc":"2.0","id":"a","method":"x"}"#).id;
    let escaped = request(r#"{"jsonrpc":"2.0","id":"\u0061","method":"x"}"#).id;
    assert_eq!(plain, escaped);
    assert_ne!(
        request(r#"{"jsonrpc":"2.0","id":1,"method":"x"}"#).id,
        request(r#"{"jsonrpc":"2.0","id":"1","method":"x"}"#).id
    );
}

#[test]
fn batches_are_bounded() {
    let batch = |text: String| Message::parse_batch(&Bytes::from(text));
    assert!(batch("{}".into()).is_none());
    let one = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let two = batch(format!("[{one}, 7]"))
        .expect("an array")
        .expect("a batch");
    assert!(two[0].is_ok() && two[1].is_err());
    assert!(batch("[]".into()).expect("an array").is_err());
    assert!(
        batch(format!("[{}]", vec![one; MAX_BATCH + 1].join(",")))
            .expect("an array")
            .is_err()
    );
}
