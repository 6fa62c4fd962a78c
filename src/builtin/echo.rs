//! `echo`: says things again, and counts. For trying out a connection, and for measuring one.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::plugin::{Plugin, ToolContext, ToolError, Tools};
use crate::wire::json::Json;
use crate::wire::members::Members;

const ECHO: &str = r#"{"name":"echo","title":"Echo","description":"Says again what it is told: `text` as text, and all arguments as structured content.","inputSchema":{"type":"object","properties":{"text":{"type":"string","description":"What to say."}}},"annotations":{"readOnlyHint":true,"idempotentHint":true,"openWorldHint":false}}"#;

/// The plugin.
pub(super) struct Echo;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Count {
    /// The number to count to.
    #[schemars(range(max = 1000))]
    to: u32,
    /// Milliseconds to wait before each number.
    #[serde(default)]
    #[schemars(range(max = 10_000))]
    delay_ms: u64,
}

impl Plugin for Echo {
    fn tools(&self, tools: &mut Tools) {
        tools.raw(Json::literal(ECHO), |arguments, _| {
            std::future::ready(Ok(echo(&arguments)))
        });
        tools
            .add(
                "count",
                "Counts from 1, with a progress message per number. Shows progress and cancellation.",
                count,
            )
            .title("Count")
            .read_only();
    }

    fn cooperative(&self) -> bool {
        true
    }
}

/// The arguments stay the text they came in; `text` too, escapes and all.
fn echo(arguments: &Json) -> Json {
    let members = Members::of(arguments).unwrap_or_default();
    let text = members.get("text").filter(|text| text.is_string());
    let mut out = Vec::with_capacity(80 + arguments.bytes().len() * 5 / 2);
    out.extend_from_slice(br#"{"content":[{"type":"text","text":"#);
    match text {
        Some(text) => out.extend_from_slice(text.bytes()),
        None => out.extend_from_slice(Json::of(arguments.as_str()).bytes()),
    }
    out.extend_from_slice(br#"}],"structuredContent":"#);
    out.extend_from_slice(arguments.bytes());
    out.push(b'}');
    Json::assembled(out)
}

async fn count(args: Count, context: ToolContext) -> Result<String, ToolError> {
    if args.to > 1000 || args.delay_ms > 10_000 {
        return Err(ToolError::new("`to` goes up to 1000, `delay_ms` to 10000"));
    }
    for number in 1..=args.to {
        match args.delay_ms {
            0 => tokio::task::yield_now().await,
            ms => tokio::time::sleep(Duration::from_millis(ms)).await,
        }
        context.progress(
            number.into(),
            Some(args.to.into()),
            Some(&format!("counted to {number}")),
        );
    }
    Ok(format!("Counted to {}.", args.to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &'static str, expect: &str) {
        assert_eq!(echo(&Json::literal(arguments)).as_str(), expect);
    }

    #[test]
    fn what_was_said_comes_back_to_the_byte() {
        check(
            r#"{"z":1234567890123456789012345,"text":"\u0061\n","a" : 1.0}"#,
            r#"{"content":[{"type":"text","text":"\u0061\n"}],"structuredContent":{"z":1234567890123456789012345,"text":"\u0061\n","a" : 1.0}}"#,
        );
        check(
            r#"{"text":7}"#,
            r#"{"content":[{"type":"text","text":"{\"text\":7}"}],"structuredContent":{"text":7}}"#,
        );
    }
}
