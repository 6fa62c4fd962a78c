//! The headers of mirrored tool arguments, sent and checked.

use std::borrow::Cow;

use http::HeaderMap;
use serde_json::Value;

use crate::wire::header::check::{decode, mismatch};
use crate::wire::header::param::pointer_step;
use crate::wire::header::{HeaderMismatch, HeaderProblem, ParamHeader, encode_value};

/// The largest integer that survives a double: 2^53 - 1.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The headers to send with a `tools/call`, as names and encoded values.
///
/// An argument that is absent or null has none. So has one without a header form (an array, an
/// object, a fraction, an integer beyond ±(2^53 - 1)): a strict server then refuses the call and
/// says why.
pub fn mirror<'a>(params: &'a [ParamHeader], arguments: &'a Value) -> Vec<(&'a str, Cow<'a, str>)> {
    let mut headers = Vec::with_capacity(params.len());
    for param in params {
        let value = match Argument::at(arguments, &param.path) {
            Argument::Text(text) => encode_value(text),
            Argument::Integer(number) => Cow::Owned(number.to_string()),
            Argument::Absent | Argument::Unsafe | Argument::Formless => continue,
        };
        headers.push((param.header_name.as_str(), value));
    }
    headers
}

/// Checks the headers of mirrored arguments against the arguments of a `tools/call`.
///
/// Integers are compared as numbers (`42.0` is 42). An argument that has no header form (array,
/// object, fraction) needs none; the schema check refuses it. `Mcp-Param-*` headers that the tool
/// did not ask for are ignored.
pub fn check_params(
    headers: &HeaderMap,
    params: &[ParamHeader],
    arguments: &Value,
) -> Result<(), HeaderMismatch> {
    for param in params {
        check_param(headers, param, arguments)
            .map_err(|problem| mismatch(param.header_name.clone(), problem))?;
    }
    Ok(())
}

fn check_param(
    headers: &HeaderMap,
    param: &ParamHeader,
    arguments: &Value,
) -> Result<(), HeaderProblem> {
    let mut sent = headers.get_all(param.header_name.as_str()).iter();
    let header = sent.next();
    if sent.next().is_some() {
        return Err(HeaderProblem::Duplicate);
    }
    let argument = Argument::at(arguments, &param.path);
    if argument == Argument::Unsafe {
        return Err(HeaderProblem::UnsafeInteger(pointer(&param.path)));
    }
    let has_form = !matches!(argument, Argument::Absent | Argument::Formless);
    let header = match header {
        Some(header) if has_form => header,
        Some(_) => return Err(HeaderProblem::Unexpected(pointer(&param.path))),
        None if has_form => return Err(HeaderProblem::Missing),
        None => return Ok(()),
    };
    let value = decode(header)?;
    let agrees = match argument {
        Argument::Text(text) => value == text,
        Argument::Integer(number) => integer(&value) == Some(number),
        Argument::Absent | Argument::Unsafe | Argument::Formless => false,
    };
    agrees
        .then_some(())
        .ok_or_else(|| HeaderProblem::OtherArgument(pointer(&param.path)))
}

/// What a header has to say about an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Argument<'a> {
    /// Not there, or null.
    Absent,
    Text(&'a str),
    /// Within the safe range. `42.0` is one too.
    Integer(i64),
    /// An integer beyond the safe range.
    Unsafe,
    /// An array, an object or a fraction.
    Formless,
}

impl<'a> Argument<'a> {
    fn at(arguments: &'a Value, path: &[String]) -> Self {
        match path
            .iter()
            .try_fold(arguments, |value, name| value.get(name))
        {
            None | Some(Value::Null) => Self::Absent,
            Some(Value::String(text)) => Self::Text(text),
            Some(Value::Bool(true)) => Self::Text("true"),
            Some(Value::Bool(false)) => Self::Text("false"),
            Some(Value::Number(number)) => Self::number(number),
            Some(Value::Array(_) | Value::Object(_)) => Self::Formless,
        }
    }

    fn number(number: &serde_json::Number) -> Self {
        if let Some(integer) = number.as_i64() {
            return if integer.unsigned_abs() <= MAX_SAFE_INTEGER {
                Self::Integer(integer)
            } else {
                Self::Unsafe
            };
        }
        match number.as_f64() {
            Some(float) if float.fract() != 0.0 => Self::Formless,
            Some(float) if float.abs() <= MAX_SAFE_INTEGER as f64 => Self::Integer(float as i64),
            _ => Self::Unsafe,
        }
    }
}

/// Decimal digits, with a fraction of zeros or none.
fn integer(text: &str) -> Option<i64> {
    let (whole, zeros) = text.split_once('.').unwrap_or((text, "0"));
    let is_integer =
        !whole.starts_with('+') && !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0');
    is_integer.then(|| whole.parse().ok()).flatten()
}

fn pointer(path: &[String]) -> String {
    path.iter().map(|name| pointer_step(name)).collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::wire::header::{ParamKind, param_headers};

    #[test]
    fn arguments_become_headers() {
        let params = |path: &[&str]| {
            let path = path.iter().map(|&name| name.to_owned()).collect();
            [ParamHeader {
                header_name: "Mcp-Param-A".to_owned(),
                path,
                kind: ParamKind::String,
            }]
        };
        let table = [
            (json!({"a": "us-west1"}), Some("us-west1")),
            (json!({"a": ""}), Some("")),
            (
                json!({"a": "x\r\nX-Evil: 1"}),
                Some("=?base64?eA0KWC1FdmlsOiAx?="),
            ),
            (json!({"a": true}), Some("true")),
            (json!({"a": false}), Some("false")),
            (json!({"a": 42}), Some("42")),
            (json!({"a": -7}), Some("-7")),
            (json!({"a": -0.0}), Some("0")),
            (json!({"a": 42.0}), Some("42")),
            (json!({"a": 1e3}), Some("1000")),
            (
                json!({"a": 9_007_199_254_740_991_i64}),
                Some("9007199254740991"),
            ),
            (
                json!({"a": -9_007_199_254_740_991_i64}),
                Some("-9007199254740991"),
            ),
            (json!({"a": 9_007_199_254_740_992_i64}), None),
            (json!({"a": i64::MIN}), None),
            (json!({"a": u64::MAX}), None),
            (json!({"a": 1e300}), None),
            (json!({"a": 1.5}), None),
            (json!({"a": null}), None),
            (json!({"a": [1]}), None),
            (json!({"a": {"b": 1}}), None),
            (json!({"b": 1}), None),
            (json!(["a"]), None),
            (json!(null), None),
        ];
        for (arguments, expect) in table {
            let params = params(&["a"]);
            let headers = mirror(&params, &arguments);
            let expect: Vec<_> = expect
                .into_iter()
                .map(|value| ("Mcp-Param-A", Cow::from(value)))
                .collect();
            assert_eq!(headers, expect, "{arguments}");
        }
        let nested = json!({"a": {"b": "deep"}, "b": "shallow"});
        assert_eq!(
            mirror(&params(&["a", "b"]), &nested),
            [("Mcp-Param-A", Cow::from("deep"))]
        );
    }

    type Fields<'a> = &'a [(&'a str, &'a str)];

    fn map(fields: Fields<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            headers.append(
                name,
                HeaderValue::from_bytes(value.as_bytes()).expect("a header value"),
            );
        }
        headers
    }

    fn tool() -> Vec<ParamHeader> {
        param_headers(&json!({"properties": {
            "s": {"type": "string", "x-mcp-header": "S"},
            "o": {"properties": {"i/~": {"type": "integer", "x-mcp-header": "Int"}}},
        }}))
        .expect("a good schema")
    }

    fn params(fields: Fields<'_>, arguments: &Value) -> Result<(), String> {
        check_params(&map(fields), &tool(), arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn mirrored_arguments_pass() {
        let table: &[(Fields<'_>, Value)] = &[
            (&[], json!({})),
            (&[], json!(null)),
            (&[], json!({"s": null, "o": {"i/~": null}})),
            (&[], json!({"s": ["not for headers"], "o": "no object"})),
            (&[], json!({"o": {"i/~": 1.5}})),
            (
                &[("mcp-param-s", "a"), ("mcp-param-int", "42")],
                json!({"s": "a", "o": {"i/~": 42}}),
            ),
            (&[("MCP-PARAM-INT", "42.0")], json!({"o": {"i/~": 42}})),
            (&[("mcp-param-int", "42")], json!({"o": {"i/~": 42.0}})),
            (&[("mcp-param-int", "-0")], json!({"o": {"i/~": 0}})),
            (
                &[("mcp-param-int", "=?base64?NDI=?=")],
                json!({"o": {"i/~": 42}}),
            ),
            (&[("mcp-param-int", "x")], json!({"o": {"i/~": "x"}})),
            (&[("mcp-param-s", "true")], json!({"s": true})),
            (
                &[("mcp-param-s", "=?base64?IHBhZGRlZCA=?=")],
                json!({"s": " padded "}),
            ),
            (&[("mcp-param-s", "")], json!({"s": ""})),
            (&[("mcp-param-other", "=?base64?!?=")], json!({})),
        ];
        for (fields, arguments) in table {
            assert_eq!(params(fields, arguments), Ok(()), "{fields:?} {arguments}");
        }
    }

    #[test]
    fn a_param_that_disagrees_is_named_without_its_value() {
        let other = "Mcp-Param-Int does not match the argument at /o/i~1~0";
        let table: &[(Fields<'_>, Value, &str)] = &[
            (
                &[],
                json!({"s": "a"}),
                "Mcp-Param-S is required here and absent",
            ),
            (
                &[],
                json!({"s": ""}),
                "Mcp-Param-S is required here and absent",
            ),
            (
                &[("mcp-param-s", "a"), ("mcp-param-s", "a")],
                json!({"s": "a"}),
                "Mcp-Param-S is sent more than once",
            ),
            (
                &[("mcp-param-s", "b")],
                json!({"s": "a"}),
                "Mcp-Param-S does not match the argument at /s",
            ),
            (
                &[("mcp-param-s", "TRUE")],
                json!({"s": true}),
                "Mcp-Param-S does not match the argument at /s",
            ),
            (
                &[("mcp-param-s", "42.0")],
                json!({"s": "42"}),
                "Mcp-Param-S does not match the argument at /s",
            ),
            (&[("mcp-param-int", "43")], json!({"o": {"i/~": 42}}), other),
            (
                &[("mcp-param-int", "+42")],
                json!({"o": {"i/~": 42}}),
                other,
            ),
            (
                &[("mcp-param-int", "42.5")],
                json!({"o": {"i/~": 42}}),
                other,
            ),
            (
                &[("mcp-param-int", "42.")],
                json!({"o": {"i/~": 42}}),
                other,
            ),
            (
                &[("mcp-param-int", "0x2a")],
                json!({"o": {"i/~": 42}}),
                other,
            ),
            (&[("mcp-param-int", "")], json!({"o": {"i/~": 0}}), other),
            (
                &[("mcp-param-int", "99999999999999999999999999999999")],
                json!({"o": {"i/~": 0}}),
                other,
            ),
            (
                &[("mcp-param-int", "9007199254740992")],
                json!({"o": {"i/~": 9_007_199_254_740_992_i64}}),
                "Mcp-Param-Int stands for the argument at /o/i~1~0, an integer beyond 2^53 - 1, which a header must not \
                 hold",
            ),
            (
                &[("mcp-param-s", "a")],
                json!({}),
                "Mcp-Param-S is sent for the argument at /s, which is absent, null, or nothing a header can hold",
            ),
            (
                &[("mcp-param-s", "SGVs!!!bG8=")],
                json!({"s": "Hello"}),
                "Mcp-Param-S does not match the argument at /s",
            ),
            (
                &[("mcp-param-s", "=?base64?SGVs!!!bG8=?=")],
                json!({"s": "Hello"}),
                "Mcp-Param-S cannot be read: the text between `=?base64?` and `?=` is not padded standard Base64",
            ),
        ];
        for (fields, arguments, expect) in table {
            let expect = Err(format!("Header mismatch: {expect}"));
            assert_eq!(params(fields, arguments), expect, "{fields:?} {arguments}");
        }
    }

    proptest! {
        #[test]
        fn what_is_mirrored_passes_the_check(
            text in proptest::option::of(any::<String>()),
            number in -9_007_199_254_740_991_i64..=9_007_199_254_740_991,
            other in any::<String>(),
        ) {
            let tool = tool();
            let arguments = json!({"s": text, "o": {"i/~": number}});
            let sent = mirror(&tool, &arguments);
            let fields: Vec<(&str, &str)> = sent.iter().map(|(name, value)| (*name, value.as_ref())).collect();
            let headers = map(&fields);
            prop_assert_eq!(check_params(&headers, &tool, &arguments), Ok(()));
            let forged = json!({"s": other, "o": {"i/~": number}});
            prop_assert_eq!(check_params(&headers, &tool, &forged).is_ok(), text.as_deref() == Some(other.as_str()));
        }
    }
}
