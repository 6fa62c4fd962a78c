//! What a prompt gives: messages, and the pieces of content in them.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Serialize;
use serde_json::json;

use crate::plugin::contents::Contents;
use crate::plugin::failure::RequestError;
use crate::plugin::wording::{ContentAnnotations, Role};
use crate::wire::json::Json;
use crate::wire::members::Members;

/// Becomes the result of getting a prompt, a `GetPromptResult` object.
pub trait IntoPromptResult {
    /// The result as text.
    fn into_prompt_result(self) -> Result<Json, RequestError>;
}

/// The messages of a prompt, and what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PromptResult {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    messages: Vec<Message>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    role: Role,
    content: Content,
}

/// One piece of content (MCP 2025-11-25, `ContentBlock`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Content(Json);

impl PromptResult {
    /// These messages.
    pub fn new(messages: impl IntoIterator<Item = Message>) -> Self {
        Self {
            description: None,
            messages: messages.into_iter().collect(),
        }
    }

    /// What the messages are, with these arguments.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }
}

impl Message {
    /// The person says it.
    pub fn user(content: impl Into<Content>) -> Self {
        Self {
            role: Role::User,
            content: content.into(),
        }
    }

    /// The model says it.
    pub fn assistant(content: impl Into<Content>) -> Self {
        Self {
            role: Role::Assistant,
            content: content.into(),
        }
    }
}

impl Content {
    /// A text.
    pub fn text(text: &str) -> Self {
        Self(Json::of(&json!({ "type": "text", "text": text })))
    }

    /// A picture of that MIME type.
    pub fn image(bytes: &[u8], mime_type: &str) -> Self {
        Self::media("image", bytes, mime_type)
    }

    /// A sound of that MIME type.
    pub fn audio(bytes: &[u8], mime_type: &str) -> Self {
        Self::media("audio", bytes, mime_type)
    }

    fn media(kind: &str, bytes: &[u8], mime_type: &str) -> Self {
        let data = BASE64_STANDARD.encode(bytes);
        Self(Json::of(
            &json!({ "type": kind, "data": data, "mimeType": mime_type }),
        ))
    }

    /// The contents of a resource.
    pub fn resource(uri: &str, contents: &Contents) -> Self {
        let resource = contents.to_json(uri, None);
        Self(Json::of(
            &json!({ "type": "resource", "resource": resource }),
        ))
    }

    /// A reference to a resource that can be read.
    pub fn link(uri: &str, name: &str) -> Self {
        Self(Json::of(
            &json!({ "type": "resource_link", "uri": uri, "name": name }),
        ))
    }

    /// What clients may make of it.
    #[must_use]
    pub fn annotations(self, annotations: &ContentAnnotations) -> Self {
        match Members::of(&self.0) {
            Some(mut members) => {
                members.set("annotations", Json::of(annotations));
                Self(members.to_json())
            }
            None => self,
        }
    }
}

/// A whole content block, which arrives as it is.
impl From<Json> for Content {
    fn from(block: Json) -> Self {
        Self(block)
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::text(&text)
    }
}

impl IntoPromptResult for PromptResult {
    fn into_prompt_result(self) -> Result<Json, RequestError> {
        Ok(Json::of(&self))
    }
}

impl IntoPromptResult for Vec<Message> {
    fn into_prompt_result(self) -> Result<Json, RequestError> {
        PromptResult::new(self).into_prompt_result()
    }
}

impl IntoPromptResult for Message {
    fn into_prompt_result(self) -> Result<Json, RequestError> {
        vec![self].into_prompt_result()
    }
}

/// One message of the person.
impl IntoPromptResult for String {
    fn into_prompt_result(self) -> Result<Json, RequestError> {
        Message::user(self).into_prompt_result()
    }
}

/// One message of the person.
impl IntoPromptResult for &str {
    fn into_prompt_result(self) -> Result<Json, RequestError> {
        Message::user(self).into_prompt_result()
    }
}

/// A whole `GetPromptResult` object, which arrives as it is; without a `resultType`.
impl IntoPromptResult for Json {
    fn into_prompt_result(self) -> Result<Json, RequestError> {
        Ok(self)
    }
}

impl<T: IntoPromptResult> IntoPromptResult for Result<T, RequestError> {
    fn into_prompt_result(self) -> Result<Json, RequestError> {
        self.and_then(IntoPromptResult::into_prompt_result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(result: impl IntoPromptResult, expect: &str) {
        let text = match result.into_prompt_result() {
            Ok(json) => json.as_str().to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(text, expect);
    }

    fn block(content: Content, expect: &str) {
        assert_eq!(Json::of(&content).as_str(), expect);
    }

    #[test]
    fn every_kind_of_result_becomes_one_object() {
        check(
            "a\n",
            r#"{"messages":[{"role":"user","content":{"type":"text","text":"a\n"}}]}"#,
        );
        let talk = PromptResult::new([Message::assistant("b")]).description("c");
        check(
            Ok::<_, RequestError>(talk),
            r#"{"description":"c","messages":[{"role":"assistant","content":{"type":"text","text":"b"}}]}"#,
        );
        let raw = r#"{"messages":[],"zz":1234567890123456789012345,"a" : 1.0}"#;
        check(Json::literal(raw), raw);
        check(Err::<String, _>(RequestError::new("no")), "no");
    }

    #[test]
    fn every_kind_of_content_is_a_block() {
        block(
            Content::image(b"\0\xff", "image/png"),
            r#"{"type":"image","data":"AP8=","mimeType":"image/png"}"#,
        );
        block(
            Content::audio(b"", "audio/wav"),
            r#"{"type":"audio","data":"","mimeType":"audio/wav"}"#,
        );
        block(
            Content::resource("x:1", &Contents::text("t")),
            r#"{"type":"resource","resource":{"uri":"x:1","text":"t"}}"#,
        );
        let annotations = ContentAnnotations {
            audience: vec![Role::User],
            priority: Some(f64::NAN),
            ..ContentAnnotations::default()
        };
        block(
            Content::link("x:1", "one").annotations(&annotations),
            r#"{"type":"resource_link","uri":"x:1","name":"one","annotations":{"audience":["user"]}}"#,
        );
        let raw = r#"{"type":"odd", "n":1.0}"#;
        block(Json::literal(raw).into(), raw);
    }
}
