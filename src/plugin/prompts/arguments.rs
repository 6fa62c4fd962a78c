//! The arguments of a prompt: what is said of them, and how texts become the values that a type wants.

use schemars::JsonSchema;
use serde_json::{Map, Value};

use crate::plugin::schema::{Direction, object_schema};
use crate::plugin::wording::ArgumentWords;
use crate::wire::json::Json;
use crate::wire::members::Members;

/// What a prompt takes.
#[derive(Default)]
pub(crate) struct Arguments {
    /// Their names.
    pub(crate) names: Vec<String>,
    /// The names of those that must be there.
    pub(crate) required: Vec<String>,
    /// The schema of all together; `None` where the handler reads the text itself.
    pub(crate) schema: Option<Json>,
    /// Whether there may be others.
    closed: bool,
    /// Those whose values are no strings, with the quotes that names have in a text.
    plain: Vec<Json>,
}

impl Arguments {
    /// Those of the type `A`, and what is said of each. The error says why the type is no object.
    pub(super) fn of<A: JsonSchema>() -> Result<(Self, Vec<ArgumentWords>), String> {
        let schema = object_schema::<A>(Direction::In)?;
        let nothing = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array);
        let must_be = |name: &String| {
            let mut names = required.into_iter().flatten();
            names.any(|known| known.as_str() == Some(name))
        };
        let (mut words, mut plain) = (Vec::new(), Vec::new());
        for (name, property) in properties.unwrap_or(&nothing) {
            let text = |key: &str| property.get(key)?.as_str().map(str::to_owned);
            if is_plain(property) {
                plain.push(Json::of(name));
            }
            words.push(ArgumentWords {
                name: name.clone(),
                title: text("title"),
                description: text("description"),
                required: must_be(name),
            });
        }
        let arguments = Self {
            names: words.iter().map(|argument| argument.name.clone()).collect(),
            required: words
                .iter()
                .filter(|argument| argument.required)
                .map(|argument| argument.name.clone())
                .collect(),
            closed: schema.get("additionalProperties") == Some(&Value::Bool(false)),
            schema: Some(Json::of(&schema)),
            plain,
        };
        Ok((arguments, words))
    }

    /// Those that a definition names.
    pub(super) fn named(definition: &Json) -> Self {
        let members = Members::of(definition).unwrap_or_default();
        let listed = members.get("arguments").map(Json::parse::<Vec<Json>>);
        let listed = listed.and_then(Result::ok).unwrap_or_default();
        let listed = listed.iter().filter_map(Members::of);
        let mut arguments = Self::default();
        for argument in listed {
            let Some(name) = argument.string("name").map(|name| name.into_owned()) else {
                continue;
            };
            if argument.get("required").is_some_and(Json::is_true) {
                arguments.required.push(name.clone());
            }
            arguments.names.push(name);
        }
        arguments
    }

    /// The first one that must be there and is not.
    pub(crate) fn missing(&self, given: &Members) -> Option<&str> {
        let mut required = self.required.iter();
        required
            .find(|name| given.get(name).is_none())
            .map(String::as_str)
    }

    /// The first one that must not be there.
    pub(crate) fn stray(&self, given: &Members) -> Option<String> {
        let is_known = |name: &str| self.names.iter().any(|known| known == name);
        let names = given.iter().filter(|_| self.closed).map(|(name, _)| {
            let quoted = [b"\"", name, b"\""].concat();
            let name = Json::assembled(quoted);
            name.string().unwrap_or_default().into_owned()
        });
        names.into_iter().find(|name| !is_known(name))
    }

    /// The arguments as their type reads them. They come as texts (MCP 2025-11-25, prompts): those whose values are no
    /// strings are taken for what is written in them, and an empty text is one that is not given.
    pub(crate) fn read(&self, given: &Json) -> Json {
        let Some(mut members) = Members::of(given).filter(|_| !self.plain.is_empty()) else {
            return given.clone();
        };
        let is_plain = |name: &[u8]| self.plain.iter().any(|known| bare(known) == name);
        let empty: Vec<Vec<u8>> = members
            .iter()
            .filter(|(name, value)| is_plain(name) && &value.bytes()[..] == b"\"\"")
            .map(|(name, _)| name.to_vec())
            .collect();
        members.retain(|name| !empty.iter().any(|known| known == name));
        let mut out = Vec::with_capacity(given.bytes().len());
        members.write_with(&mut out, |name, value, out| {
            let read = value.string().filter(|_| is_plain(name));
            let read = read.and_then(|text| Json::scan(text.into_owned().into()).ok());
            out.extend_from_slice(read.as_ref().unwrap_or(value).bytes());
        });
        Json::assembled(out)
    }
}

/// A name without its quotes.
fn bare(name: &Json) -> &[u8] {
    let text = name.bytes();
    &text[1..text.len() - 1]
}

/// Whether the values are surely no strings.
fn is_plain(property: &Value) -> bool {
    let is_string = |kind: &Value| kind == "string";
    match property.get("type") {
        Some(Value::Array(kinds)) => !kinds.iter().any(is_string),
        Some(kind) => !is_string(kind),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::plugin::NoArguments;

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is read")]
    struct Wanted {
        text: String,
        count: Option<u32>,
        loud: bool,
        word: Option<String>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is read")]
    struct Closed {
        text: String,
    }

    fn check(given: &'static str, expect: &str) {
        let (arguments, _) = Arguments::of::<Wanted>().expect("an object");
        assert_eq!(arguments.read(&Json::literal(given)).as_str(), expect);
    }

    #[test]
    fn texts_become_what_their_type_wants() {
        check(
            r#"{"text":"7","count":"7","loud":"true","word":"false"}"#,
            r#"{"text":"7","count":7,"loud":true,"word":"false"}"#,
        );
        check(
            r#"{"count":7,"loud":"yes","text":""}"#,
            r#"{"count":7,"loud":"yes","text":""}"#,
        );
        check(
            r#"{"count":"","word":"","x" : 1.0}"#,
            r#"{"word":"","x":1.0}"#,
        );
    }

    #[test]
    fn what_must_be_there_is_known_from_types_and_from_definitions() {
        let (typed, _) = Arguments::of::<Wanted>().expect("an object");
        assert_eq!(typed.required, ["text", "loud"]);
        let given = Members::of(&Json::literal(r#"{"text":"","\u0061\"":1}"#)).expect("an object");
        assert_eq!(typed.stray(&given), None);
        let (nothing, _) = Arguments::of::<NoArguments>().expect("an object");
        assert_eq!(nothing.stray(&given).as_deref(), Some("text"));
        let (closed, _) = Arguments::of::<Closed>().expect("an object");
        assert_eq!(closed.stray(&given).as_deref(), Some("a\""));
        let raw = Arguments::named(&Json::literal(r#"{"name":"p"}"#));
        assert_eq!(raw.names, Vec::<String>::new());
        let raw = Arguments::named(&Json::literal(
            r#"{"arguments":[{"name":"a","required":true},{"name":"b"},{"x":1}]}"#,
        ));
        assert_eq!(
            (raw.names.len(), &raw.required[..]),
            (2, &["a".to_owned()][..])
        );
        assert_eq!(raw.missing(&Members::default()), Some("a"));
    }
}
