//! How prompts, resources and templates are defined: by their author to the letter, or by us from options.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::wire::json::Json;
use crate::wire::members::Members;

/// A picture that stands for something (MCP 2025-11-25, `Icon`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Icon {
    /// Where it is: a URI of `https` or `data`.
    pub src: String,
    /// Its MIME type, where `src` does not say.
    #[serde(rename = "mimeType", skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The sizes it has, as `48x48` or `any`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<String>,
}

/// Who speaks, or is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// What clients may make of a resource or a piece of content (MCP 2025-11-25, `Annotations`).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ContentAnnotations {
    /// Whom it is for; empty says nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<Role>,
    /// How important it is: from 0, not at all, to 1, indispensable.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub priority: Option<f64>,
    /// When it was last changed, as ISO 8601 writes it.
    #[serde(rename = "lastModified", skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

/// One argument of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ArgumentWords {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) required: bool,
}

/// What is said of one prompt, resource or template, in the order in which it is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Words {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uri_template: Option<String>,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) arguments: Vec<ArgumentWords>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mime_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<ContentAnnotations>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) icons: Vec<Icon>,
    #[serde(rename = "_meta", skip_serializing_if = "Map::is_empty")]
    pub(crate) meta: Map<String, Value>,
}

/// A definition.
pub(crate) enum Wording {
    /// By its author, to the letter.
    Raw(Json),
    /// By us; or why there is none.
    Typed(Result<Box<Words>, String>),
}

impl Wording {
    pub(crate) fn of(words: Words) -> Self {
        Self::Typed(Ok(Box::new(words)))
    }

    /// Changes what is said, where that is ours to say.
    pub(crate) fn word(&mut self, change: impl FnOnce(&mut Words)) {
        if let Self::Typed(Ok(words)) = self {
            change(words);
        }
    }

    /// The string member `key` of a raw definition.
    pub(crate) fn raw_string(definition: &Json, key: &str) -> Option<String> {
        let members = Members::of(definition)?;
        members.string(key).map(|text| text.into_owned())
    }

    /// The definition as text, or why there is none.
    pub(crate) fn build(self) -> Result<Json, String> {
        match self {
            Self::Raw(text) => Ok(text),
            Self::Typed(words) => words.map(|words| Json::of(&*words)),
        }
    }
}

/// JSON has no way to write the other numbers.
fn is_unsaid(priority: &Option<f64>) -> bool {
    !priority.is_some_and(f64::is_finite)
}
