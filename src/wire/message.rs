//! JSON-RPC messages: read in one pass, their params and results kept as the text they came in.

use std::borrow::Cow;

use bytes::Bytes;

use crate::wire::error::{INVALID_REQUEST, PARSE_ERROR, RpcError};
use crate::wire::json::{Index, Json, JsonError, Slot};
use crate::wire::members::{Members, name_of, position};
use crate::wire::meta;
use crate::wire::method::Method;

/// One message.
#[derive(Debug, Clone)]
pub enum Message {
    /// Wants an answer.
    Request(Request),
    /// Wants none.
    Notification(Notification),
    /// Is an answer.
    Response(Response),
}

/// The id of a request: a string or a whole number, as text. Ids that are null, fractions or objects are refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Id(Json);

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Chosen by its sender.
    pub id: Id,
    /// What is asked.
    pub method: Method,
    /// What it is asked with.
    pub params: Params,
}

/// A notification.
#[derive(Debug, Clone)]
pub struct Notification {
    /// What is told.
    pub method: Method,
    /// What is told about it.
    pub params: Params,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The request's; absent only where an error answers something unreadable.
    pub id: Option<Id>,
    /// The result or the error.
    pub outcome: Outcome,
}

/// What a request came to.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was carried out.
    Result(Reply),
    /// It was not.
    Error(RpcError),
}

/// The text of a result and what kind of result it says it is.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The result, an object.
    pub result: Json,
    /// Its `resultType`; `None` where it has none, which means `complete`.
    pub result_type: Option<Box<str>>,
}

/// The params of a message, taken apart one level deep, and their `_meta`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    /// All members. The place of `_meta` is kept; what is written there is [`Params::meta`].
    pub members: Members,
    /// The members of `_meta`.
    pub meta: Members,
}

/// Why something is not a message, and the id to answer under where one could be read.
#[derive(Debug, Clone)]
pub struct Reject {
    /// The request's id, if it was readable.
    pub id: Option<Id>,
    /// A parse error or an invalid request.
    pub error: RpcError,
}

/// The most messages that one batch may hold.
pub const MAX_BATCH: usize = 100;

impl Message {
    /// Reads one message.
    pub fn parse(text: Bytes) -> Result<Self, Reject> {
        let index = Json::scan_indexed(&text).map_err(|err| Reject::parse(&err))?;
        if text.get(index.root.start) != Some(&b'{') {
            return Err(Reject::invalid(None, "a message is a JSON object"));
        }
        Self::assemble(&text, &index)
    }

    /// Reads a batch: an array of 1 to [`MAX_BATCH`] messages (MCP 2025-03-26). `None` when `text` is no array.
    pub fn parse_batch(text: &Bytes) -> Option<Result<Vec<Result<Self, Reject>>, Reject>> {
        if text.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
            return None;
        }
        let items: Vec<Json> = match Json::scan(text.clone()).map(|json| json.parse()) {
            Ok(Ok(items)) => items,
            Ok(Err(err)) => return Some(Err(Reject::invalid(None, &err.to_string()))),
            Err(err) => return Some(Err(Reject::parse(&err))),
        };
        if items.is_empty() || items.len() > MAX_BATCH {
            let message = format!(
                "a batch holds 1 to {MAX_BATCH} messages, this one holds {}",
                items.len()
            );
            return Some(Err(Reject::invalid(None, &message)));
        }
        Some(Ok(items
            .into_iter()
            .map(|item| Self::parse(item.bytes().clone()))
            .collect()))
    }

    fn assemble(text: &Bytes, index: &Index) -> Result<Self, Reject> {
        let top = Top::of(text, index);
        let id = top.id.map(|slot| Id::of(&Json::part(text, slot)));
        let known_id = id.clone().flatten();
        let invalid = |message: &str| Reject::invalid(known_id.clone(), message);
        if top
            .jsonrpc
            .is_none_or(|version| version.of(text) != b"\"2.0\"")
        {
            return Err(invalid("`jsonrpc` must be \"2.0\""));
        }
        let Some(method) = top.method else {
            return Self::response(text, index, id.flatten(), &top);
        };
        let Some(method) = Json::part(text, method)
            .string()
            .map(|name| Method::of(&name))
        else {
            return Err(invalid("`method` must be a string"));
        };
        let params = match top.params {
            None => Params::default(),
            Some((at, slot)) if slot.of(text).starts_with(b"{") => Params::under(text, index, at),
            Some(_) => return Err(invalid("`params` must be an object")),
        };
        match id {
            None => Ok(Self::Notification(Notification { method, params })),
            Some(Some(id)) => Ok(Self::Request(Request { id, method, params })),
            Some(None) => Err(invalid("`id` must be a string or a whole number")),
        }
    }

    fn response(text: &Bytes, index: &Index, id: Option<Id>, top: &Top) -> Result<Self, Reject> {
        let outcome = match (top.result, top.error) {
            (Some((at, slot)), None) if slot.of(text).starts_with(b"{") => {
                let result_type = position(text, index, at, "resultType")
                    .map(|at| Json::part(text, index.members[at as usize].value))
                    .map(|kind| {
                        kind.string()
                            .map_or_else(|| kind.as_str().into(), Cow::into_owned)
                            .into_boxed_str()
                    });
                Outcome::Result(Reply {
                    result: Json::part(text, slot),
                    result_type,
                })
            }
            (None, Some(slot)) => match Json::part(text, slot).parse() {
                Ok(error) => Outcome::Error(error),
                Err(err) => {
                    return Err(Reject::invalid(id, &format!("`error` is malformed: {err}")));
                }
            },
            (Some(_), None) => return Err(Reject::invalid(id, "`result` must be an object")),
            (Some(_), Some(_)) => {
                return Err(Reject::invalid(
                    id,
                    "a response has `result` or `error`, not both",
                ));
            }
            (None, None) => {
                return Err(Reject::invalid(
                    id,
                    "neither `method` nor `result` nor `error`",
                ));
            }
        };
        if id.is_none() && matches!(outcome, Outcome::Result(_)) {
            return Err(Reject::invalid(
                None,
                "a result needs the `id` of its request",
            ));
        }
        Ok(Self::Response(Response { id, outcome }))
    }
}

/// Where the members of a message stand.
#[derive(Default)]
struct Top {
    jsonrpc: Option<Slot>,
    id: Option<Slot>,
    method: Option<Slot>,
    params: Option<(u32, Slot)>,
    result: Option<(u32, Slot)>,
    error: Option<Slot>,
}

impl Top {
    fn of(text: &Bytes, index: &Index) -> Self {
        let mut top = Self::default();
        let members = index
            .members
            .iter()
            .zip(0..)
            .filter(|(member, _)| member.parent == Index::ROOT);
        for (member, at) in members {
            let value = member.value;
            match &*name_of(text, member) {
                b"jsonrpc" => top.jsonrpc = Some(value),
                b"id" => top.id = Some(value),
                b"method" => top.method = Some(value),
                b"params" => top.params = Some((at, value)),
                b"result" => top.result = Some((at, value)),
                b"error" => top.error = Some(value),
                _ => {}
            }
        }
        top
    }
}

impl Id {
    /// The id in that text, unless it is none.
    pub fn of(json: &Json) -> Option<Self> {
        match json.bytes().first()? {
            b'"' if json.bytes().contains(&b'\\') => Some(Self(Json::of(json.string()?.as_ref()))),
            b'"' => Some(Self(json.clone())),
            b'-' | b'0'..=b'9'
                if json
                    .bytes()
                    .iter()
                    .all(|byte| *byte == b'-' || byte.is_ascii_digit()) =>
            {
                Some(Self(json.clone()))
            }
            _ => None,
        }
    }

    /// An id of ours.
    pub fn number(number: u64) -> Self {
        Self(Json::of(&number))
    }

    /// The number, if it is one that we could have made.
    pub fn as_number(&self) -> Option<u64> {
        std::str::from_utf8(self.0.bytes()).ok()?.parse().ok()
    }

    /// The text as it goes on the wire.
    pub fn json(&self) -> &Json {
        &self.0
    }
}

impl Params {
    fn under(text: &Bytes, index: &Index, at: u32) -> Self {
        let meta = position(text, index, at, "_meta").map(|at| Members::under(text, index, at));
        Self {
            members: Members::under(text, index, at),
            meta: meta.unwrap_or_default(),
        }
    }

    /// Params of ours.
    pub fn of<T: serde::Serialize>(value: &T) -> Self {
        Json::of(value).into()
    }

    /// Writes the params with `_meta` where it stood, or last.
    pub fn write(&self, out: &mut Vec<u8>) {
        let had_meta = self.members.get("_meta").is_some();
        if self.meta.is_empty() == had_meta {
            let mut whole = self.members.clone();
            match had_meta {
                true => drop(whole.remove("_meta")),
                false => whole.set("_meta", self.meta.to_json()),
            }
            return whole.write(out);
        }
        self.members.write_with(out, |name, value, out| match name {
            b"_meta" => self.meta.write(out),
            _ => out.extend_from_slice(value.bytes()),
        });
    }

    /// The params as one text.
    pub fn to_json(&self) -> Json {
        let mut out = Vec::with_capacity(256);
        self.write(&mut out);
        Json::assembled(out)
    }

    /// What the sender wants progress to be marked with.
    pub fn progress_token(&self) -> Option<&Json> {
        self.meta.get(meta::PROGRESS_TOKEN)
    }
}

impl From<Json> for Params {
    /// Takes an object apart; anything else gives empty params.
    fn from(json: Json) -> Self {
        let members = Members::of(&json).unwrap_or_default();
        let meta = members
            .get("_meta")
            .and_then(Members::of)
            .unwrap_or_default();
        Self { members, meta }
    }
}

impl Reject {
    fn parse(err: &JsonError) -> Self {
        Self {
            id: None,
            error: RpcError::new(PARSE_ERROR, format!("Parse error: {err}")),
        }
    }

    fn invalid(id: Option<Id>, message: &str) -> Self {
        Self {
            id,
            error: RpcError::new(INVALID_REQUEST, format!("Invalid request: {message}")),
        }
    }
}

/// Writes a request.
pub fn write_request(out: &mut Vec<u8>, id: u64, method: &Method, params: &Params) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.to_string().as_bytes());
    write_method(out, method, params);
}

/// Writes a notification.
pub fn write_notification(out: &mut Vec<u8>, method: &Method, params: &Params) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0""#);
    write_method(out, method, params);
}

fn write_method(out: &mut Vec<u8>, method: &Method, params: &Params) {
    out.extend_from_slice(br#","method":"#);
    match method {
        Method::Other(name) => out.extend_from_slice(Json::of(&**name).bytes()),
        known => {
            out.push(b'"');
            out.extend_from_slice(known.as_str().as_bytes());
            out.push(b'"');
        }
    }
    if !params.members.is_empty() || !params.meta.is_empty() {
        out.extend_from_slice(br#","params":"#);
        params.write(out);
    }
    out.push(b'}');
}

/// What stands before the result of a response; `}` stands behind it.
pub fn write_result_head(out: &mut Vec<u8>, id: &Id) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.json().bytes());
    out.extend_from_slice(br#","result":"#);
}

/// Writes a response with a result.
pub fn write_result(out: &mut Vec<u8>, id: &Id, result: &Json) {
    write_result_head(out, id);
    out.extend_from_slice(result.bytes());
    out.push(b'}');
}

/// Writes a response with an error; `id` is null where the request's could not be read (JSON-RPC 2.0 section 5).
pub fn write_error(out: &mut Vec<u8>, id: Option<&Id>, error: &RpcError) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.map_or(&b"null"[..], |id| id.json().bytes()));
    out.extend_from_slice(br#","error":"#);
    out.extend_from_slice(Json::of(error).bytes());
    out.push(b'}');
}

#[cfg(test)]
mod tests;
