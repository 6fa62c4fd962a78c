//! The resources of a server that was started with `--watched`. It lists none, and knows all that begin with `x:`.

use serde_json::json;

use crate::{Heard, Server, members};

/// What it says of itself at `initialize`.
pub(crate) const CAPABILITY: &str = r#""resources":{"subscribe":true},"#;

/// Answers a request about resources. While the file of the argument is there it refuses to tell of any; of `x:never` it
/// never says whether it will. One that is read is another from then on; but `x:kept` may be kept by who asked.
pub(crate) fn asked(server: &Server, id: &str, message: &Heard) {
    let (voice, params) = (&server.voice, members(&message.params));
    let uri = params.get("uri").map_or("\"\"", |uri| uri.get());
    let known = uri.starts_with("\"x:");
    let method = message.method.trim_start_matches("resources/");
    server.options.note(&format!("{method} {uri}"));
    match method {
        "list" => voice.result(id, r#"{"resources":[]}"#),
        "templates/list" => voice.result(id, r#"{"resourceTemplates":[]}"#),
        "subscribe" if uri == r#""x:never""# => {}
        "subscribe" if server.options.refuses() => voice.error(id, -32603, "not now"),
        "subscribe" | "unsubscribe" if known => voice.result(id, "{}"),
        "read" if uri == r#""x:kept""# => voice.result(
            id,
            r#"{"resultType":"complete","contents":[],"ttlMs":600000,"cacheScope":"private"}"#,
        ),
        "read" if known => {
            let told = format!(r#"{{"uri":{uri}}}"#);
            voice.notify("notifications/resources/updated", &told);
            let part: serde_json::Value = serde_json::from_str(uri).expect("a text");
            let result = json!({ "contents": [{ "uri": part, "text": "read" }] });
            voice.result(id, &result.to_string());
        }
        _ => voice.error(id, -32002, "Resource not found"),
    }
}
