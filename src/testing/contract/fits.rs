//! Whether a result is what an example says, and arguments that do not fit.

use serde_json::{Map, Value, json};

use crate::manifest::expose::ToolExample;

/// How much of a value is quoted, in characters.
const QUOTED: usize = 200;

/// Whether the result of a tool is what the example says. `Err` says where it is not.
pub(super) fn compare(example: &ToolExample, result: &Value) -> Result<(), String> {
    let is_error = result.get("isError") == Some(&Value::Bool(true));
    if is_error != example.is_error {
        let said = quoted(&Value::String(text_of(result)));
        return Err(match is_error {
            true => format!("it failed: {said}"),
            false => format!("it did not fail, it answered {said}"),
        });
    }
    match &example.result {
        None => Ok(()),
        Some(Value::String(expected)) => {
            let text = text_of(result);
            match text == *expected {
                true => Ok(()),
                false => Err(format!(
                    "its text is {}, not {}",
                    quoted(&Value::String(text)),
                    quoted(&Value::String(expected.clone()))
                )),
            }
        }
        Some(expected) => is_in(expected, result, ""),
    }
}

/// All text of a result, a line per block.
fn text_of(result: &Value) -> String {
    let blocks = result.get("content").and_then(Value::as_array);
    let texts = blocks
        .into_iter()
        .flatten()
        .filter_map(|block| block.get("text")?.as_str());
    texts.collect::<Vec<_>>().join("\n")
}

/// Whether `expected` is in `actual`: of an object each member that is named, of a list all items in order.
fn is_in(expected: &Value, actual: &Value, at: &str) -> Result<(), String> {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            expected.iter().try_for_each(|(key, expected)| {
                let at = format!("{at}/{key}");
                match actual.get(key) {
                    Some(actual) => is_in(expected, actual, &at),
                    None => Err(format!("nothing is at `{at}` of the result")),
                }
            })
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            let mut pairs = expected.iter().zip(actual).enumerate();
            pairs.try_for_each(|(index, (expected, actual))| {
                is_in(expected, actual, &format!("{at}/{index}"))
            })
        }
        (Value::Number(expected), Value::Number(actual))
            if expected.as_f64() == actual.as_f64() =>
        {
            Ok(())
        }
        _ if expected == actual => Ok(()),
        _ => Err(format!(
            "at `{at}` of the result is {}, not {}",
            quoted(actual),
            quoted(expected)
        )),
    }
}

fn quoted(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The arguments with one of them of another type than the schema says, or without one that is required. `None` when the
/// schema leaves all open.
pub(super) fn misfit(schema: &Value, arguments: &Map<String, Value>) -> Option<Map<String, Value>> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let typed = properties
        .into_iter()
        .flatten()
        .find_map(|(name, property)| {
            let wrong = match property.get("type")?.as_str()? {
                "object" => json!("not an object"),
                _ => json!({ "not": "fitting" }),
            };
            Some((name.clone(), wrong))
        });
    let mut misfit = arguments.clone();
    if let Some((name, wrong)) = typed {
        misfit.insert(name, wrong);
        return Some(misfit);
    }
    let required = schema.get("required")?.as_array()?;
    let name = required.first()?.as_str()?;
    misfit.remove(name);
    Some(misfit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(example: Value, expect: Result<(), &str>) {
        let result = json!({
            "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }],
            "structuredContent": { "sum": 3, "list": [1, 2] },
            "isError": false,
        });
        let example: ToolExample = serde_json::from_value(example).expect("an example");
        let compared = compare(&example, &result);
        assert_eq!(compared, expect.map_err(str::to_owned), "{example:?}");
    }

    #[test]
    fn a_text_is_all_the_text_and_the_rest_must_be_in_it() {
        check(json!({}), Ok(()));
        check(json!({ "result": "a\nb" }), Ok(()));
        check(
            json!({ "result": "a" }),
            Err(r#"its text is "a\nb", not "a""#),
        );
        check(
            json!({ "result": { "structuredContent": { "sum": 3.0 } } }),
            Ok(()),
        );
        check(
            json!({ "result": { "structuredContent": { "sum": 4 } } }),
            Err("at `/structuredContent/sum` of the result is 3, not 4"),
        );
        check(
            json!({ "result": { "structuredContent": { "list": [1] } } }),
            Err("at `/structuredContent/list` of the result is [1,2], not [1]"),
        );
        check(
            json!({ "result": { "content": [{ "text": "a" }, { "text": "b" }] } }),
            Ok(()),
        );
        check(
            json!({ "result": { "more": 1 } }),
            Err("nothing is at `/more` of the result"),
        );
        check(
            json!({ "is_error": true }),
            Err(r#"it did not fail, it answered "a\nb""#),
        );
    }

    #[test]
    fn a_misfit_has_the_wrong_type_or_lacks_something() {
        let arguments = json!({ "a": 1, "b": 2 });
        let arguments = arguments.as_object().expect("an object");
        let check = |schema: Value, expect: Option<Value>| {
            assert_eq!(misfit(&schema, arguments).map(Value::Object), expect);
        };
        check(json!({ "type": "object" }), None);
        check(
            json!({ "properties": { "b": {}, "a": { "type": "string" } } }),
            Some(json!({ "a": { "not": "fitting" }, "b": 2 })),
        );
        check(
            json!({ "properties": { "a": { "type": "object" } } }),
            Some(json!({ "a": "not an object", "b": 2 })),
        );
        check(json!({ "required": ["b"] }), Some(json!({ "a": 1 })));
    }
}
