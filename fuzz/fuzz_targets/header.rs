//! Headers: a value survives its header form, that form is always a legal header, whatever was read as a value is
//! written in a form that is read the same, and mirrored arguments pass the check.
//!
//! Input: text, or JSON `[input schema, arguments]`.

#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use toolgate::wire::header::{
    HeaderProblem, check_params, check_standard, decode_value, encode_value, mirror, param_headers,
};

fuzz_target!(|text: &str| {
    let encoded = encode_value(text);
    assert_eq!(decode_value(&encoded).as_deref(), Ok(text));
    let mut headers = HeaderMap::new();
    headers.insert(
        "mcp-protocol-version",
        HeaderValue::from_static("2026-07-28"),
    );
    headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
    headers.insert(
        "mcp-name",
        HeaderValue::from_str(&encoded).expect("a legal header"),
    );
    assert_eq!(
        check_standard(&headers, "2026-07-28", "tools/call", Some(text)),
        Ok(())
    );

    if let Ok(value) = decode_value(text) {
        assert_eq!(decode_value(&encode_value(&value)), Ok(value.clone()));
    }
    if let Ok((schema, arguments)) = serde_json::from_str::<(Value, Value)>(text) {
        mirrored_arguments_pass(&schema, &arguments);
    }
});

fn mirrored_arguments_pass(schema: &Value, arguments: &Value) {
    let params = match param_headers(schema) {
        Ok(params) => params,
        Err(error) => return assert!(!error.to_string().contains(char::is_control)),
    };
    let mut headers = HeaderMap::new();
    for (name, value) in mirror(&params, arguments) {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a legal header name");
        headers.append(name, HeaderValue::from_str(&value).expect("a legal header"));
    }
    match check_params(&headers, &params, arguments) {
        Ok(()) => {}
        Err(error) => assert!(
            matches!(error.problem, HeaderProblem::UnsafeInteger(_)),
            "{error}"
        ),
    }
}
