//! What reading a resource gives.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::plugin::failure::RequestError;
use crate::plugin::resources::ResourceRequest;
use crate::wire::json::Json;

/// Becomes the result of reading a resource, a `ReadResourceResult` object.
pub trait IntoResourceResult {
    /// The result of `request` as text.
    fn into_resource_result(self, request: &ResourceRequest) -> Result<Json, RequestError>;
}

/// One part of the contents of a resource. Its URI and its MIME type are those of the resource unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    body: Body,
    uri: Option<String>,
    mime_type: Option<String>,
    meta: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    Text(String),
    Bytes(Vec<u8>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContentsWords<'a> {
    uri: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
    #[serde(rename = "_meta", skip_serializing_if = "Map::is_empty")]
    meta: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct ReadResult {
    contents: Vec<Json>,
}

impl Contents {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::of(Body::Text(text.into()))
    }

    /// Bytes, which travel as base64.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::of(Body::Bytes(bytes.into()))
    }

    fn of(body: Body) -> Self {
        Self {
            body,
            uri: None,
            mime_type: None,
            meta: Map::new(),
        }
    }

    /// The URI of this part.
    #[must_use]
    pub fn uri(mut self, uri: impl Into<String>) -> Self {
        self.uri = Some(uri.into());
        self
    }

    /// Its MIME type.
    #[must_use]
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// A member of its `_meta`.
    #[must_use]
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.meta.insert(key.into(), value.into());
        self
    }

    /// As a part of the resource `uri`.
    pub(crate) fn to_json(&self, uri: &str, mime_type: Option<&str>) -> Json {
        let (text, blob) = match &self.body {
            Body::Text(text) => (Some(text.as_str()), None),
            Body::Bytes(bytes) => (None, Some(BASE64_STANDARD.encode(bytes))),
        };
        Json::of(&ContentsWords {
            uri: self.uri.as_deref().unwrap_or(uri),
            mime_type: self.mime_type.as_deref().or(mime_type),
            text,
            blob,
            meta: &self.meta,
        })
    }
}

impl IntoResourceResult for Vec<Contents> {
    fn into_resource_result(self, request: &ResourceRequest) -> Result<Json, RequestError> {
        let part = |part: &Contents| part.to_json(request.uri(), request.mime_type());
        Ok(Json::of(&ReadResult {
            contents: self.iter().map(part).collect(),
        }))
    }
}

impl IntoResourceResult for Contents {
    fn into_resource_result(self, request: &ResourceRequest) -> Result<Json, RequestError> {
        vec![self].into_resource_result(request)
    }
}

impl IntoResourceResult for String {
    fn into_resource_result(self, request: &ResourceRequest) -> Result<Json, RequestError> {
        Contents::text(self).into_resource_result(request)
    }
}

impl IntoResourceResult for &str {
    fn into_resource_result(self, request: &ResourceRequest) -> Result<Json, RequestError> {
        Contents::text(self).into_resource_result(request)
    }
}

impl IntoResourceResult for Vec<u8> {
    fn into_resource_result(self, request: &ResourceRequest) -> Result<Json, RequestError> {
        Contents::bytes(self).into_resource_result(request)
    }
}

/// A whole `ReadResourceResult` object, which arrives as it is; without a `resultType`.
impl IntoResourceResult for Json {
    fn into_resource_result(self, _: &ResourceRequest) -> Result<Json, RequestError> {
        Ok(self)
    }
}

/// `None` is a resource that is not there.
impl<T: IntoResourceResult> IntoResourceResult for Option<T> {
    fn into_resource_result(self, request: &ResourceRequest) -> Result<Json, RequestError> {
        match self {
            Some(found) => found.into_resource_result(request),
            None => Err(request.not_found()),
        }
    }
}

impl<T: IntoResourceResult> IntoResourceResult for Result<T, RequestError> {
    fn into_resource_result(self, request: &ResourceRequest) -> Result<Json, RequestError> {
        self.and_then(|found| found.into_resource_result(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(result: impl IntoResourceResult, expect: &str) {
        let request = ResourceRequest::new("x:1", Some("text/x"));
        let text = match result.into_resource_result(&request) {
            Ok(json) => json.as_str().to_owned(),
            Err(error) => Json::of(&error.into_rpc()).as_str().to_owned(),
        };
        assert_eq!(text, expect);
    }

    #[test]
    fn every_kind_of_contents_becomes_one_object() {
        check(
            "t",
            r#"{"contents":[{"uri":"x:1","mimeType":"text/x","text":"t"}]}"#,
        );
        check(
            vec![0_u8, 255],
            r#"{"contents":[{"uri":"x:1","mimeType":"text/x","blob":"AP8="}]}"#,
        );
        let part = Contents::text("")
            .uri("x:2")
            .mime_type("a/b")
            .meta("k", true);
        check(
            Some(Ok::<_, RequestError>(part)),
            r#"{"contents":[{"uri":"x:2","mimeType":"a/b","text":"","_meta":{"k":true}}]}"#,
        );
        check(Vec::<Contents>::new(), r#"{"contents":[]}"#);
        let raw = r#"{"contents":[],"zz" : 1.0}"#;
        check(Json::literal(raw), raw);
        check(
            None::<String>,
            r#"{"code":-32002,"message":"Resource not found: `x:1`","data":{"uri":"x:1"}}"#,
        );
    }
}
