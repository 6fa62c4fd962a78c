//! One tool as an operation.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::registry::catalog::Entry;
use crate::wire::json::Json;
use crate::wire::members::Members;

/// What can be done at the path of a tool.
#[derive(Serialize)]
pub(super) struct ToolPath<'a> {
    post: Operation<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Operation<'a> {
    operation_id: &'a str,
    tags: [&'a str; 1],
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    request_body: RequestBody,
    responses: Responses,
}

#[derive(Serialize)]
struct RequestBody {
    required: bool,
    content: Content<Json>,
}

/// Content of the one type that there is.
#[derive(Serialize)]
struct Content<S> {
    #[serde(rename = "application/json")]
    json: MediaType<S>,
}

#[derive(Serialize)]
struct MediaType<S> {
    schema: S,
}

#[derive(Serialize)]
struct Responses {
    #[serde(rename = "200")]
    ok: Answered,
    #[serde(flatten)]
    refused: Value,
}

#[derive(Serialize)]
struct Answered {
    description: &'static str,
    content: Content<ResultSchema>,
}

/// A tool's result, with the schema of its structured content where the tool has one.
struct ResultSchema(Option<Json>);

impl<'a> ToolPath<'a> {
    pub(super) fn of(entry: &'a Entry) -> Self {
        let members = Members::of(&entry.definition).unwrap_or_default();
        let text = |key| members.string(key).map(Cow::into_owned);
        let name = &*entry.name;
        let output = members
            .get("outputSchema")
            .filter(|schema| schema.is_object());
        let operation = Operation {
            operation_id: name,
            tags: [entry.plugin.manifest.id.as_str()],
            summary: text("title").unwrap_or_else(|| name.to_owned()),
            description: text("description"),
            request_body: RequestBody {
                required: true,
                content: Content::of(standalone(entry.input_schema(), name, "input")),
            },
            responses: Responses {
                ok: Answered {
                    description: "The tool's result. It may say `isError`.",
                    content: Content::of(ResultSchema(
                        output.map(|schema| standalone(schema, name, "output")),
                    )),
                },
                refused: refusals(),
            },
        };
        Self { post: operation }
    }
}

impl<S> Content<S> {
    fn of(schema: S) -> Self {
        Self {
            json: MediaType { schema },
        }
    }
}

impl Serialize for ResultSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Refined<'a> {
            #[serde(rename = "$ref")]
            reference: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            properties: Option<Properties<'a>>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Properties<'a> {
            structured_content: &'a Json,
        }

        let refined = Refined {
            reference: "#/components/schemas/ToolResult",
            properties: self
                .0
                .as_ref()
                .map(|structured_content| Properties { structured_content }),
        };
        refined.serialize(serializer)
    }
}

/// The answers that are no result.
pub(super) fn refusals() -> Value {
    json!({
        "429": { "$ref": "#/components/responses/Busy" },
        "503": { "$ref": "#/components/responses/Unavailable" },
        "4XX": { "$ref": "#/components/responses/Refused" },
        "5XX": { "$ref": "#/components/responses/Failed" },
    })
}

/// A schema that stands inside of the document and still means itself: references in it such as `#/$defs/x` count from
/// its own root only if it has an `$id` (JSON Schema 2020-12 core, section 8.2.1). Nothing else of it changes, and
/// nothing at all where it has one or needs none.
fn standalone(schema: &Json, tool: &str, side: &str) -> Json {
    let text = schema.bytes();
    let needs_none = memchr::memmem::find(text, b"\"$").is_none();
    if needs_none || Members::of(schema).is_none_or(|members| members.get("$id").is_some()) {
        return schema.clone();
    }
    let rest = text[1..].trim_ascii_start();
    let mut out = format!(r#"{{"$id":"/api/tools/{tool}/{side}""#).into_bytes();
    if rest != b"}" {
        out.push(b',');
    }
    out.extend_from_slice(rest);
    Json::assembled(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &'static str, expect: &str) {
        let standing = standalone(&Json::literal(schema), "p__t", "input");
        assert_eq!(standing.as_str(), expect);
    }

    #[test]
    fn only_a_schema_that_refers_to_itself_gets_an_id() {
        let plain = r#"{"type" : "object", "maximum":1234567890123456789012345}"#;
        check(plain, plain);
        check("{}", "{}");
        let named = r##"{"$id":"urn:x","$ref":"#/$defs/a","$defs":{"a":{}}}"##;
        check(named, named);
        check(
            r##"{ "$ref":"#/$defs/a" , "$defs":{"a":{"z":1,"a":2}}}"##,
            r##"{"$id":"/api/tools/p__t/input","$ref":"#/$defs/a" , "$defs":{"a":{"z":1,"a":2}}}"##,
        );
    }
}
