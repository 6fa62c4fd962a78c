//! From a request to the arguments of the tool that its route stands for: the query, over that the members of a JSON
//! body, over that what stands in the path.

use axum::extract::Query;
use http::Uri;
use indexmap::IndexMap;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::wire::json::Json;

type Arguments = IndexMap<String, Box<RawValue>>;

/// The arguments. What comes as text is read as a number, a truth value or a list where `schema` wants one; where it
/// cannot be read so it stays text, and the check of the schema names it. `Err` says what is wrong with the request.
pub(super) fn gather(
    schema: &Json,
    uri: &Uri,
    body: Option<&Json>,
    path: Vec<(String, String)>,
) -> Result<Json, String> {
    let schema: Value = schema.parse().unwrap_or_default();
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| "the query cannot be read".to_owned())?;
    let mut texts: IndexMap<String, Vec<String>> = IndexMap::new();
    for (name, text) in pairs.0 {
        texts.entry(name).or_default().push(text);
    }
    let mut arguments = Arguments::new();
    for (name, texts) in texts {
        let wanted = &schema["properties"][&name];
        let value = match (wants(wanted, "array"), texts.as_slice()) {
            (true, _) => {
                let items = texts.iter().map(|text| read(text, &wanted["items"]));
                Value::Array(items.collect())
            }
            (false, [text]) => read(text, wanted),
            (false, _) => return Err(format!("`{name}` stands in the query more than once")),
        };
        put(&mut arguments, name, &value);
    }
    if let Some(body) = body {
        let members: Arguments = body
            .parse()
            .map_err(|_| "the body must be a JSON object, the arguments".to_owned())?;
        arguments.extend(members);
    }
    for (name, text) in path {
        let value = read(&text, &schema["properties"][&name]);
        put(&mut arguments, name, &value);
    }
    Ok(Json::of(&arguments))
}

fn put(arguments: &mut Arguments, name: String, value: &Value) {
    if let Ok(value) = to_raw_value(value) {
        arguments.insert(name, value);
    }
}

/// Whether the schema allows this type, by name.
fn wants(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(named) => named == kind,
        Value::Array(named) => named.iter().any(|named| named == kind),
        _ => false,
    }
}

/// The text as what the schema wants; text where it may be text or nothing else fits.
fn read(text: &str, schema: &Value) -> Value {
    let as_text = || Value::String(text.to_owned());
    if wants(schema, "string") {
        return as_text();
    }
    let parsed: Option<Value> = serde_json::from_str(text).ok();
    let Some(value) = parsed else {
        return as_text();
    };
    let fits = match &value {
        Value::Number(number) => {
            wants(schema, "number") || (wants(schema, "integer") && !number.is_f64())
        }
        Value::Bool(_) => wants(schema, "boolean"),
        Value::Null => wants(schema, "null"),
        Value::Object(_) => wants(schema, "object"),
        Value::Array(_) | Value::String(_) => false,
    };
    if fits { value } else { as_text() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type":"object","properties":{
        "n":{"type":"integer"},"x":{"type":["number","null"]},"b":{"type":"boolean"},
        "s":{"type":"string"},"l":{"type":"array","items":{"type":"integer"}},"o":{"type":"object"}}}"#;

    fn check(
        query: &str,
        body: Option<&'static str>,
        path: &[(&str, &str)],
        expect: Result<&str, &str>,
    ) {
        let uri: Uri = format!("/p{query}").parse().expect("a path");
        let body = body.map(Json::literal);
        let path = path
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let got = gather(&Json::literal(SCHEMA), &uri, body.as_ref(), path.collect());
        match (got, expect) {
            (Ok(got), Ok(expect)) => assert_eq!(got.as_str(), expect),
            (Err(got), Err(expect)) => assert!(got.contains(expect), "{got}"),
            (got, expect) => panic!("{got:?}, want {expect:?}"),
        }
    }

    #[test]
    fn texts_are_read_as_the_schema_wants() {
        check("", None, &[], Ok("{}"));
        check(
            "?n=7&x=1.5&b=true&s=7",
            None,
            &[],
            Ok(r#"{"n":7,"x":1.5,"b":true,"s":"7"}"#),
        );
        check(
            "?n=seven&b=1&else=3",
            None,
            &[],
            Ok(r#"{"n":"seven","b":"1","else":"3"}"#),
        );
        check("?l=1&l=2&l=x", None, &[], Ok(r#"{"l":[1,2,"x"]}"#));
        check("?s=a%20b%26c", None, &[], Ok(r#"{"s":"a b&c"}"#));
        check("?s=1&s=2", None, &[], Err("`s`"));
    }

    #[test]
    fn the_path_counts_before_the_body_and_the_body_before_the_query() {
        let body = Some(r#"{"n":2,"big":123456789012345678901234567890}"#);
        let expect = r#"{"n":3,"s":"q","big":123456789012345678901234567890}"#;
        check("?n=1&s=q", body, &[("n", "3")], Ok(expect));
        check("", Some("[1]"), &[], Err("must be a JSON object"));
    }
}
