//! How plugins say that something did not work.

use crate::wire::json::Json;

/// What a hook comes to. `?` works on every error, and `Err("no such file".into())` on a sentence.
pub type HookResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A tool could not do what it was asked. The caller gets the message as a result with `isError`, which the model can
/// act on. Made from any error by `?`, so mind what its text tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolError(String);

// Not an `Error` itself: that would make the conversion below collide with the one from a type to itself.
impl<E: std::error::Error> From<E> for ToolError {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl ToolError {
    /// A failure with a sentence for the model.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.0
    }

    /// The tool result that says it (MCP 2026-07-28, tools, error handling).
    pub(crate) fn to_result(&self) -> Json {
        let mut out = br#"{"content":[{"type":"text","text":"#.to_vec();
        out.extend_from_slice(Json::of(&self.0).bytes());
        out.extend_from_slice(br#"}],"isError":true}"#);
        Json::assembled(out)
    }
}

impl std::fmt::Display for ToolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
