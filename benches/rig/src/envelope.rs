//! The JSON-RPC envelope the comparison programs read: one pass, what is inside stays raw text.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A request or notification with the parameters of `tools/call` in sight.
#[derive(Deserialize)]
pub(crate) struct Request<'a> {
    #[serde(borrow)]
    pub(crate) jsonrpc: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) method: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) params: Option<Params<'a>>,
}

#[derive(Deserialize)]
pub(crate) struct Params<'a> {
    #[serde(borrow)]
    pub(crate) name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) arguments: Option<&'a RawValue>,
    #[serde(borrow, rename = "_meta")]
    pub(crate) meta: Option<&'a RawValue>,
    #[serde(borrow, rename = "protocolVersion")]
    pub(crate) protocol_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) uri: Option<Cow<'a, str>>,
}

/// A request or notification whose parameters are passed on unread.
#[derive(Deserialize)]
pub(crate) struct Passing<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) method: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) params: Option<&'a RawValue>,
}

/// An answer whose content is passed on unread.
#[derive(Deserialize)]
pub(crate) struct Answer<'a> {
    pub(crate) id: Option<u64>,
    #[serde(borrow)]
    pub(crate) result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) error: Option<&'a RawValue>,
}

/// `{"jsonrpc":"2.0","id":…,"KIND":…}`, where `kind` is `result` or `error`.
pub(crate) fn answer(id: &str, kind: &str, content: &str) -> Vec<u8> {
    let pieces = [
        r#"{"jsonrpc":"2.0","id":"#,
        id,
        ",\"",
        kind,
        "\":",
        content,
        "}",
    ];
    pieces.concat().into_bytes()
}
