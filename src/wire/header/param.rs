//! Which arguments of a tool are mirrored into headers: the `x-mcp-header` annotations of its input
//! schema.

use std::collections::HashMap;
use std::fmt;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::wire::header::MCP_PARAM_PREFIX;

const ANNOTATION: &str = "x-mcp-header";

/// Longest accepted annotation, in bytes. Ours, not the specification's: no server takes longer
/// header names.
const MAX_NAME_BYTES: usize = 256;

/// One mirrored argument of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamHeader {
    /// The whole header name, `Mcp-Param-` included, in the case the tool wrote it.
    pub header_name: String,
    /// Property names from the arguments to the mirrored value. Never empty.
    pub path: Vec<String>,
    /// The type the schema declares. Arguments are mirrored by what they are; a wrong type is the
    /// schema check's to tell.
    pub kind: ParamKind,
}

/// The types whose values can be mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    String,
    Integer,
    Boolean,
}

/// Why a tool with this input schema must not be listed: its first bad annotation, and the mend.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}: {problem}", pointer.escape_debug())]
pub struct InvalidParamHeader {
    /// JSON pointer to the annotation inside the schema.
    pub pointer: String,
    pub problem: ParamHeaderProblem,
}

/// What is wrong with an `x-mcp-header`. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParamHeaderProblem {
    #[error(
        "x-mcp-header stands where no argument can be found; put it on a property that is reached from the root of the \
         schema through `properties` alone"
    )]
    Misplaced,
    #[error(
        "x-mcp-header is not a string; write the part of the header name that follows `Mcp-Param-`"
    )]
    NotAString,
    #[error("x-mcp-header is empty; write the part of the header name that follows `Mcp-Param-`")]
    Empty,
    #[error("x-mcp-header is longer than {MAX_NAME_BYTES} bytes; choose a shorter name")]
    TooLong,
    #[error("x-mcp-header {0:?} cannot be part of a header name; use letters, digits and hyphens")]
    NotAToken(String),
    #[error(
        "x-mcp-header is on a property whose type is {0}; declare one of `string`, `integer`, `boolean`, or remove it"
    )]
    NotPrimitive(String),
    #[error("x-mcp-header {name:?} is used at {} already, and case does not count; choose another name", first.escape_debug())]
    Repeated {
        name: String,
        /// JSON pointer to the first use.
        first: String,
    },
}

/// The mirrored arguments of the tool with this input schema, in the order of the schema.
///
/// Every annotation must be right, or the tool is invalid as a whole; annotations are looked for
/// wherever a schema can stand, and not in `default`, `const`, `enum` and `examples`, which hold
/// data.
pub fn param_headers(input_schema: &Value) -> Result<Vec<ParamHeader>, InvalidParamHeader> {
    let mut search = Search::default();
    search.schema(input_schema, true)?;
    Ok(search.found)
}

/// A walk over a schema.
#[derive(Default)]
struct Search<'a> {
    found: Vec<ParamHeader>,
    /// Lower-case names with the pointer of their first use.
    seen: HashMap<String, String>,
    /// Where the walk is.
    pointer: Vec<Step<'a>>,
    /// The property names on the way, as long as it went through `properties` alone.
    path: Vec<&'a str>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(&pointer_step(key)),
            Self::Index(index) => write!(f, "/{index}"),
        }
    }
}

impl<'a> Search<'a> {
    /// `on_chain`: the way here went through `properties` alone.
    fn schema(&mut self, schema: &'a Value, on_chain: bool) -> Result<(), InvalidParamHeader> {
        let Value::Object(keywords) = schema else {
            return self.items(schema);
        };
        for (keyword, value) in keywords {
            self.pointer.push(Step::Key(keyword));
            match keyword.as_str() {
                ANNOTATION => self.annotation(value, keywords, on_chain)?,
                "properties" => self.named(value, on_chain)?,
                "$defs" | "definitions" | "dependencies" | "dependentRequired"
                | "dependentSchemas" | "patternProperties" => {
                    self.named(value, false)?;
                }
                "const" | "default" | "enum" | "example" | "examples" => {}
                _ => self.schema(value, false)?,
            }
            self.pointer.pop();
        }
        Ok(())
    }

    /// A map whose keys are names and whose values are schemas.
    fn named(&mut self, schemas: &'a Value, on_chain: bool) -> Result<(), InvalidParamHeader> {
        let Value::Object(schemas) = schemas else {
            return self.items(schemas);
        };
        for (name, schema) in schemas {
            self.pointer.push(Step::Key(name));
            self.path.push(name);
            self.schema(schema, on_chain)?;
            self.path.pop();
            self.pointer.pop();
        }
        Ok(())
    }

    /// A list of schemas, or something that cannot hold an annotation.
    fn items(&mut self, schemas: &'a Value) -> Result<(), InvalidParamHeader> {
        for (index, schema) in schemas.as_array().into_iter().flatten().enumerate() {
            self.pointer.push(Step::Index(index));
            self.schema(schema, false)?;
            self.pointer.pop();
        }
        Ok(())
    }

    fn annotation(
        &mut self,
        value: &Value,
        keywords: &Map<String, Value>,
        on_chain: bool,
    ) -> Result<(), InvalidParamHeader> {
        let pointer: String = self.pointer.iter().map(Step::to_string).collect();
        let checked = if on_chain && !self.path.is_empty() {
            check_name(value).and_then(|name| Ok((name, check_type(keywords.get("type"))?)))
        } else {
            Err(ParamHeaderProblem::Misplaced)
        };
        let (name, kind) = match checked {
            Ok(good) => good,
            Err(problem) => return Err(InvalidParamHeader { pointer, problem }),
        };
        if let Some(first) = self.seen.insert(name.to_ascii_lowercase(), pointer.clone()) {
            let name = name.to_owned();
            let problem = ParamHeaderProblem::Repeated { name, first };
            return Err(InvalidParamHeader { pointer, problem });
        }
        self.found.push(ParamHeader {
            header_name: format!("{MCP_PARAM_PREFIX}{name}"),
            path: self.path.iter().map(|&name| name.to_owned()).collect(),
            kind,
        });
        Ok(())
    }
}

fn check_name(value: &Value) -> Result<&str, ParamHeaderProblem> {
    let name = value.as_str().ok_or(ParamHeaderProblem::NotAString)?;
    if name.is_empty() {
        return Err(ParamHeaderProblem::Empty);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(ParamHeaderProblem::TooLong);
    }
    if !name.bytes().all(is_token_byte) {
        return Err(ParamHeaderProblem::NotAToken(name.to_owned()));
    }
    Ok(name)
}

/// RFC 9110, section 5.6.2: `tchar`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn check_type(declared: Option<&Value>) -> Result<ParamKind, ParamHeaderProblem> {
    match declared {
        Some(Value::String(name)) => match name.as_str() {
            "string" => Ok(ParamKind::String),
            "integer" => Ok(ParamKind::Integer),
            "boolean" => Ok(ParamKind::Boolean),
            other => Err(ParamHeaderProblem::NotPrimitive(format!(
                "{:?}",
                excerpt(other)
            ))),
        },
        Some(Value::Array(_)) => Err(ParamHeaderProblem::NotPrimitive("a list".to_owned())),
        Some(_) => Err(ParamHeaderProblem::NotPrimitive("not a string".to_owned())),
        None => Err(ParamHeaderProblem::NotPrimitive("not declared".to_owned())),
    }
}

/// One step of a JSON pointer (RFC 6901).
pub(in crate::wire::header) fn pointer_step(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// At most the first 64 characters, for messages.
pub(in crate::wire::header) fn excerpt(text: &str) -> &str {
    text.char_indices()
        .nth(64)
        .map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(schema: &Value) -> Vec<(String, String, ParamKind)> {
        let found = param_headers(schema).expect("a good schema");
        found
            .into_iter()
            .map(|param| (param.header_name, param.path.join("."), param.kind))
            .collect()
    }

    #[test]
    fn annotated_properties_are_found_in_order() {
        let schema = json!({
            "type": "object",
            "properties": {
                "region": {"type": "string", "x-mcp-header": "Region"},
                "query": {"type": "string"},
                "options": {"type": "object", "properties": {
                    "limit": {"x-mcp-header": "Limit", "type": "integer", "minimum": 1},
                    "deep": {"properties": {"dry run": {"type": "boolean", "x-mcp-header": "a!#$%&'*+-.^_`|~9"}}},
                }},
            },
        });
        let expect = [
            ("Mcp-Param-Region", "region", ParamKind::String),
            ("Mcp-Param-Limit", "options.limit", ParamKind::Integer),
            (
                "Mcp-Param-a!#$%&'*+-.^_`|~9",
                "options.deep.dry run",
                ParamKind::Boolean,
            ),
        ];
        let expect = expect.map(|(name, path, kind)| (name.to_owned(), path.to_owned(), kind));
        assert_eq!(found(&schema), expect);
    }

    #[test]
    fn names_and_data_are_no_annotations() {
        let good = [
            json!({}),
            json!(true),
            json!(null),
            json!({"properties": {"x-mcp-header": {"type": "string"}}}),
            json!({"$defs": {"x-mcp-header": {"type": "string"}}}),
            json!({"dependentRequired": {"x-mcp-header": ["a"]}, "required": ["x-mcp-header"]}),
            json!({"properties": {"a": {"default": {"x-mcp-header": "A"}, "const": {"x-mcp-header": 1}}}}),
            json!({"properties": {"a": {"enum": [{"x-mcp-header": "A"}], "examples": [{"x-mcp-header": 1}]}}}),
            json!({"properties": true}),
        ];
        for schema in good {
            assert_eq!(found(&schema), [], "{schema}");
        }
        let schema = json!({"properties": {"properties": {"type": "string", "x-mcp-header": "P"}}});
        assert_eq!(found(&schema)[0].1, "properties");
    }

    #[test]
    fn annotations_off_the_chain_of_properties_are_misplaced() {
        let at = json!({"type": "string", "x-mcp-header": "A"});
        let table = [
            (
                json!({"type": "string", "x-mcp-header": "A"}),
                "/x-mcp-header",
            ),
            (
                json!({"properties": {"l": {"items": at}}}),
                "/properties/l/items/x-mcp-header",
            ),
            (
                json!({"properties": {"l": {"prefixItems": [true, at]}}}),
                "/properties/l/prefixItems/1/x-mcp-header",
            ),
            (
                json!({"oneOf": [{"properties": {"a": at}}]}),
                "/oneOf/0/properties/a/x-mcp-header",
            ),
            (
                json!({"properties": {"a": {"anyOf": [at]}}}),
                "/properties/a/anyOf/0/x-mcp-header",
            ),
            (
                json!({"allOf": [{"properties": {"a": at}}]}),
                "/allOf/0/properties/a/x-mcp-header",
            ),
            (
                json!({"not": {"properties": {"a": at}}}),
                "/not/properties/a/x-mcp-header",
            ),
            (
                json!({"if": {}, "then": {"properties": {"a": at}}}),
                "/then/properties/a/x-mcp-header",
            ),
            (json!({"else": at}), "/else/x-mcp-header"),
            (
                json!({"$defs": {"a/b~c": at}}),
                "/$defs/a~1b~0c/x-mcp-header",
            ),
            (
                json!({"definitions": {"default": at}}),
                "/definitions/default/x-mcp-header",
            ),
            (
                json!({"patternProperties": {"^a": at}}),
                "/patternProperties/^a/x-mcp-header",
            ),
            (
                json!({"additionalProperties": at}),
                "/additionalProperties/x-mcp-header",
            ),
            (
                json!({"dependentSchemas": {"a": {"properties": {"b": at}}}}),
                "/dependentSchemas/a/properties/b/x-mcp-header",
            ),
            (
                json!({"x-own": {"deep": [at]}}),
                "/x-own/deep/0/x-mcp-header",
            ),
            (json!([at]), "/0/x-mcp-header"),
            (json!({"properties": [at]}), "/properties/0/x-mcp-header"),
        ];
        for (schema, pointer) in table {
            let error = param_headers(&schema).expect_err("misplaced");
            assert_eq!(
                (error.pointer.as_str(), &error.problem),
                (pointer, &ParamHeaderProblem::Misplaced),
                "{schema}"
            );
        }
    }

    #[test]
    fn a_bad_annotation_names_its_place_and_the_mend() {
        let bad_name =
            |name: Value| json!({"properties": {"a": {"type": "string", "x-mcp-header": name}}});
        let bad_type =
            |kind: Value| json!({"properties": {"a": {"type": kind, "x-mcp-header": "A"}}});
        let table = [
            (
                bad_name(json!("")),
                "x-mcp-header is empty; write the part of the header name that follows `Mcp-Param-`",
            ),
            (
                bad_name(json!(7)),
                "x-mcp-header is not a string; write the part",
            ),
            (bad_name(json!(null)), "x-mcp-header is not a string"),
            (
                bad_name(json!("My Region")),
                "x-mcp-header \"My Region\" cannot be part of a header name; use letters",
            ),
            (
                bad_name(json!("Region:Primary")),
                "\"Region:Primary\" cannot",
            ),
            (bad_name(json!("Région")), "\"Région\" cannot"),
            (
                bad_name(json!("A\r\nX-Evil: 1")),
                "\"A\\r\\nX-Evil: 1\" cannot",
            ),
            (bad_name(json!("A\u{1b}[0m")), "\"A\\u{1b}[0m\" cannot"),
            (
                bad_name(json!("A".repeat(257))),
                "longer than 256 bytes; choose a shorter name",
            ),
            (
                bad_type(json!("number")),
                "whose type is \"number\"; declare one of `string`, `integer`, `boolean`, or remove",
            ),
            (bad_type(json!("object")), "\"object\""),
            (bad_type(json!("array")), "\"array\""),
            (bad_type(json!("null")), "\"null\""),
            (bad_type(json!(["string", "null"])), "whose type is a list;"),
            (bad_type(json!(1)), "whose type is not a string;"),
            (
                json!({"properties": {"a": {"enum": ["b"], "x-mcp-header": "A"}}}),
                "whose type is not declared;",
            ),
        ];
        for (schema, expect) in table {
            let error = param_headers(&schema).expect_err("bad").to_string();
            assert!(error.starts_with("/properties/a/x-mcp-header: "), "{error}");
            assert!(error.contains(expect), "{error}");
            assert!(!error.contains(char::is_control), "{error}");
        }
    }

    #[test]
    fn names_are_unique_without_case_over_all_depths() {
        let schema = json!({"properties": {
            "a": {"type": "string", "x-mcp-header": "Region"},
            "b": {"properties": {"c": {"type": "string", "x-mcp-header": "rEGION"}}},
        }});
        assert_eq!(
            param_headers(&schema).expect_err("repeated").to_string(),
            "/properties/b/properties/c/x-mcp-header: x-mcp-header \"rEGION\" is used at /properties/a/x-mcp-header \
             already, and case does not count; choose another name"
        );
    }
}
