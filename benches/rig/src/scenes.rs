//! What the comparison servers do besides the echo, when they are asked to: progress on the way to an answer, large
//! resources.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::envelope;

/// Progress messages of one call of `count`.
pub(crate) const N_STEPS: usize = 10;
/// Bytes of each resource, as they stand in its answer.
const RESOURCE_BYTES: usize = 1 << 20;

/// Definition of the tool `count`, for a list of tools.
pub(crate) const COUNT: &str = r#"{"name":"count","description":"Counts to ten, with progress.","inputSchema":{"type":"object","properties":{"to":{"type":"integer"}}}}"#;

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "progressToken")]
    progress_token: Option<&'a RawValue>,
}

/// The resources `rig://NAME/text` and `rig://NAME/blob`.
pub(crate) struct Resources {
    list: String,
    text: (String, String),
    blob: (String, String),
}

/// The messages that answer a call of `count`: those of progress, if the request asked for them, and the result. The same
/// bytes as the gateway's own `count` sends.
pub(crate) fn counted(id: &str, meta: Option<&RawValue>) -> Vec<Vec<u8>> {
    let meta: Option<Meta<'_>> = meta.and_then(|meta| serde_json::from_str(meta.get()).ok());
    let mut messages = Vec::with_capacity(N_STEPS + 1);
    if let Some(token) = meta.and_then(|meta| meta.progress_token) {
        messages.extend((1..=N_STEPS).map(|step| {
            format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{step},"total":{N_STEPS},"message":"counted to {step}"}}}}"#
            )
            .into_bytes()
        }));
    }
    let result = format!(
        r#"{{"content":[{{"type":"text","text":"Counted to {N_STEPS}."}}],"resultType":"complete"}}"#
    );
    messages.push(envelope::answer(id, "result", &result));
    messages
}

/// Messages as events, one after the other.
pub(crate) fn events(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        out.extend_from_slice(b"event: message\ndata: ");
        out.extend_from_slice(message);
        out.extend_from_slice(b"\n\n");
    }
    out
}

impl Resources {
    pub(crate) fn new(name: &str) -> Self {
        let mut list = String::from(r#"{"resources":["#);
        write!(
            list,
            r#"{{"uri":"rig://{name}/text","name":"text"}},{{"uri":"rig://{name}/blob","name":"blob"}}"#
        )
        .expect("writing to a string cannot fail");
        list.push_str(r#"],"resultType":"complete","ttlMs":3600000,"cacheScope":"public"}"#);
        // Three escapes in each line, as source code has them; base64 has none.
        let line = r#"    let answer = call(\"echo\", 42)?; // what came is what goes\n"#;
        let text = line.repeat(RESOURCE_BYTES / line.len());
        Self {
            list,
            text: content(name, "text", &text),
            blob: content(name, "blob", &"QUJD".repeat(RESOURCE_BYTES / 4)),
        }
    }

    /// The result of `resources/list`.
    pub(crate) fn list(&self) -> &str {
        &self.list
    }

    /// The result of `resources/read`, if there is such a resource.
    pub(crate) fn read(&self, uri: Option<&Cow<'_, str>>) -> Option<&str> {
        let uri = uri?;
        let known = [&self.text, &self.blob];
        let found = known.into_iter().find(|(known, _)| known == uri)?;
        Some(&found.1)
    }
}

fn content(name: &str, member: &str, value: &str) -> (String, String) {
    let uri = format!("rig://{name}/{member}");
    let result = format!(
        r#"{{"contents":[{{"uri":"{uri}","mimeType":"text/plain","{member}":"{value}"}}],"resultType":"complete","ttlMs":3600000,"cacheScope":"public"}}"#
    );
    (uri, result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_for_progress_gets_ten_messages_and_the_answer() {
        let meta: Box<RawValue> = serde_json::from_str(r#"{"progressToken":"t"}"#).expect("JSON");
        for (meta, n_messages) in [(None, 1), (Some(&*meta), 11)] {
            let messages = counted("7", meta);
            assert_eq!(messages.len(), n_messages);
            for message in &messages {
                serde_json::from_slice::<serde_json::Value>(message).expect("valid JSON");
            }
        }
    }

    #[test]
    fn resources_are_json_of_a_megabyte() {
        let resources = Resources::new("a");
        serde_json::from_str::<serde_json::Value>(resources.list()).expect("valid JSON");
        for uri in ["rig://a/text", "rig://a/blob"] {
            let text = resources.read(Some(&uri.into())).expect("it is known");
            serde_json::from_str::<serde_json::Value>(text).expect("valid JSON");
            assert!(text.len() > RESOURCE_BYTES - 100);
        }
        assert!(resources.read(Some(&"rig://b/text".into())).is_none());
    }
}
