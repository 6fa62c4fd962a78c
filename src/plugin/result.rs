//! What a tool may return, and how that becomes a tool result.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::plugin::failure::ToolError;
use crate::plugin::schema::{Direction, object_schema};
use crate::wire::json::Json;

/// Becomes the result of a tool call, a `CallToolResult` object.
pub trait IntoToolResult {
    /// The schema of `structuredContent`; `None` where a tool gives none. The error says why the type is no object.
    fn output_schema() -> Result<Option<Map<String, Value>>, String> {
        Ok(None)
    }

    /// The result as text.
    fn into_tool_result(self) -> Result<Json, ToolError>;
}

/// A value that the caller gets as `structuredContent`, and as text for those who read only that (MCP 2025-11-25,
/// tools, structured content). Its type gives the tool's `outputSchema` and must be an object there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structured<T>(pub T);

impl<T: Serialize + JsonSchema> IntoToolResult for Structured<T> {
    fn output_schema() -> Result<Option<Map<String, Value>>, String> {
        object_schema::<T>(Direction::Out).map(Some)
    }

    fn into_tool_result(self) -> Result<Json, ToolError> {
        let value = sound(&self.0)?;
        if !value.is_object() {
            return Err(ToolError::new("the tool's result is not an object"));
        }
        let mut out = Vec::with_capacity(64 + value.bytes().len() * 5 / 2);
        out.extend_from_slice(br#"{"content":[{"type":"text","text":"#);
        serde_json::to_writer(&mut out, value.as_str())?;
        out.extend_from_slice(br#"}],"structuredContent":"#);
        out.extend_from_slice(value.bytes());
        out.push(b'}');
        Ok(Json::assembled(out))
    }
}

/// A value with words for people: the caller gets the value as `structuredContent`, and the words as text in place of
/// the value's JSON. For tables and summaries of what would be long to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worded<T> {
    /// What is to be read.
    pub words: String,
    /// What is to be worked with. Its type gives the tool's `outputSchema` and must be an object there.
    pub value: T,
}

impl<T: Serialize + JsonSchema> IntoToolResult for Worded<T> {
    fn output_schema() -> Result<Option<Map<String, Value>>, String> {
        Structured::<T>::output_schema()
    }

    fn into_tool_result(self) -> Result<Json, ToolError> {
        let value = sound(&self.value)?;
        if !value.is_object() {
            return Err(ToolError::new("the tool's result is not an object"));
        }
        let mut out = Vec::with_capacity(80 + value.bytes().len() + self.words.len() * 9 / 8);
        out.extend_from_slice(br#"{"content":[{"type":"text","text":"#);
        serde_json::to_writer(&mut out, &self.words)?;
        out.extend_from_slice(br#"}],"structuredContent":"#);
        out.extend_from_slice(value.bytes());
        out.push(b'}');
        Ok(Json::assembled(out))
    }
}

impl IntoToolResult for String {
    fn into_tool_result(self) -> Result<Json, ToolError> {
        self.as_str().into_tool_result()
    }
}

impl IntoToolResult for &str {
    fn into_tool_result(self) -> Result<Json, ToolError> {
        let mut out = Vec::with_capacity(48 + self.len() * 9 / 8);
        out.extend_from_slice(br#"{"content":[{"type":"text","text":"#);
        serde_json::to_writer(&mut out, self)?;
        out.extend_from_slice(b"}]}");
        Ok(Json::assembled(out))
    }
}

impl IntoToolResult for () {
    fn into_tool_result(self) -> Result<Json, ToolError> {
        Ok(Json::literal(r#"{"content":[]}"#))
    }
}

/// A whole `CallToolResult` object, which arrives as it is.
impl IntoToolResult for Json {
    fn into_tool_result(self) -> Result<Json, ToolError> {
        Ok(self)
    }
}

impl IntoToolResult for rmcp::model::CallToolResult {
    fn into_tool_result(mut self) -> Result<Json, ToolError> {
        // A word of one era only; whoever speaks to the caller adds it.
        self.result_type = None;
        sound(&self)
    }
}

impl<T: IntoToolResult> IntoToolResult for Result<T, ToolError> {
    fn output_schema() -> Result<Option<Map<String, Value>>, String> {
        T::output_schema()
    }

    fn into_tool_result(self) -> Result<Json, ToolError> {
        self.and_then(IntoToolResult::into_tool_result)
    }
}

/// The text of an author's value. A serializer can fail, or write keys twice; both are the tool's error.
fn sound<T: Serialize>(value: &T) -> Result<Json, ToolError> {
    Ok(Json::scan(serde_json::to_vec(value)?.into())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(result: impl IntoToolResult, expect: &str) {
        let text = match result.into_tool_result() {
            Ok(json) => json.as_str().to_owned(),
            Err(error) => error.to_result().as_str().to_owned(),
        };
        assert_eq!(text, expect);
    }

    #[derive(Serialize, JsonSchema)]
    struct Sum {
        sum: u64,
    }

    #[test]
    fn every_kind_of_result_becomes_one_object() {
        check(
            "a\n\"b\"",
            r#"{"content":[{"type":"text","text":"a\n\"b\""}]}"#,
        );
        check((), r#"{"content":[]}"#);
        check(
            Ok::<_, ToolError>(Structured(Sum { sum: u64::MAX })),
            r#"{"content":[{"type":"text","text":"{\"sum\":18446744073709551615}"}],"structuredContent":{"sum":18446744073709551615}}"#,
        );
        let worded = Worded {
            words: "three\n".to_owned(),
            value: Sum { sum: 3 },
        };
        check(
            worded,
            r#"{"content":[{"type":"text","text":"three\n"}],"structuredContent":{"sum":3}}"#,
        );
        check(
            Err::<String, _>(ToolError::new("no \"x\"")),
            r#"{"content":[{"type":"text","text":"no \"x\""}],"isError":true}"#,
        );
        let raw = r#"{"content":[],"zz":1234567890123456789012345,"a" : 1.0}"#;
        check(Json::literal(raw), raw);
        check(
            rmcp::model::CallToolResult::success(Vec::new()),
            r#"{"content":[],"isError":false}"#,
        );
    }

    #[test]
    fn a_value_that_cannot_be_written_is_the_tools_error() {
        let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert!(sound(&keys).is_err());
    }
}
