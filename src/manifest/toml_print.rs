//! A document as TOML text.

use serde_json::{Map, Value};

use crate::manifest::decode::decode;
use crate::manifest::document::Node;

/// The keys of `document` in their order, values before sections. TOML has no word for nothing: members and items that
/// are `null` are left out. `None` when a number is too big for TOML.
pub fn print(document: &Node) -> Option<String> {
    let plain = decode::<Map<String, Value>>(document).value?;
    let plain = without_nulls(Value::Object(plain))?;
    toml::to_string_pretty(&plain).ok()
}

fn without_nulls(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Object(map) => {
            let members = map.into_iter();
            let members = members.filter_map(|(key, value)| Some((key, without_nulls(value)?)));
            Some(Value::Object(members.collect()))
        }
        Value::Array(items) => {
            let items = items.into_iter().filter_map(without_nulls);
            Some(Value::Array(items.collect()))
        }
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::document::Format;

    #[test]
    fn a_printed_document_reads_as_the_same() {
        let json = r#"{"z": 1, "t": {"x": null, "y": [1, null, "a\nb\"'"], "u": {"v": true}}, "a": "$", "l": [{"n": 1.5}, {}]}"#;
        let document = Node::parse(Format::Json, json, None).expect("valid");
        let text = print(&document).expect("it can be printed");
        let again = Node::parse(Format::Toml, &text, None).expect("valid TOML");
        let plain = decode::<Value>(&again).value.expect("any value fits");
        assert_eq!(
            plain.to_string(),
            r#"{"z":1,"a":"$","t":{"y":[1,"a\nb\"'"],"u":{"v":true}},"l":[{"n":1.5},{}]}"#
        );
        insta::assert_snapshot!(text);
    }
}
