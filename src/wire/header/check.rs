//! Whether the `Mcp-*` headers of a request say what its body says.
//!
//! A disagreement is dangerous: something between client and gateway may have routed or allowed the
//! request by its headers. It is answered with HTTP 400 and the JSON-RPC code -32020.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};
use thiserror::Error;

use crate::wire::header::param::excerpt;
use crate::wire::header::{HeaderError, MCP_METHOD, MCP_NAME, MCP_PROTOCOL_VERSION, decode_value};

/// A header that does not agree with the body. The text can be sent to the client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Header mismatch: {} {problem}", header.escape_debug())]
pub struct HeaderMismatch {
    pub header: Cow<'static, str>,
    pub problem: HeaderProblem,
}

/// How a header disagrees.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderProblem {
    #[error("is required here and absent")]
    Missing,
    #[error("is sent more than once")]
    Duplicate,
    #[error("cannot be read: {0}")]
    Unreadable(HeaderError),
    /// Both values, shortened.
    #[error("header value {header:?} does not match body value {body:?}")]
    Different { header: String, body: String },
    /// Without the values, which may be anyone's secrets. JSON pointer into the arguments.
    #[error("does not match the argument at {}", .0.escape_debug())]
    OtherArgument(String),
    /// JSON pointer into the arguments.
    #[error("is sent for the argument at {}, which is absent, null, or nothing a header can hold", .0.escape_debug())]
    Unexpected(String),
    /// JSON pointer into the arguments.
    #[error("stands for the argument at {}, an integer beyond 2^53 - 1, which a header must not hold", .0.escape_debug())]
    UnsafeInteger(String),
}

/// Checks the headers that every request of revision 2026-07-28 carries.
///
/// `version` is what the body's `_meta` says, `method` its method, `name` what `Mcp-Name` must
/// repeat where the method has such a field (`params.name`, `params.uri` or `params.taskId`).
/// Without `name`, an `Mcp-Name` is ignored. Any `Mcp-*` header that is sent twice is refused,
/// known or not.
pub fn check_standard(
    headers: &HeaderMap,
    version: &str,
    method: &str,
    name: Option<&str>,
) -> Result<(), HeaderMismatch> {
    refuse_duplicates(headers)?;
    let fields = [
        (MCP_PROTOCOL_VERSION, Some(version)),
        (MCP_METHOD, Some(method)),
        (MCP_NAME, name),
    ];
    for (header, body) in fields {
        let Some(body) = body else { continue };
        check_value(headers.get(header), body, header == MCP_NAME)
            .map_err(|problem| mismatch(display_name(header), problem))?;
    }
    Ok(())
}

/// `encoded`: the header may have the Base64 form.
fn check_value(
    header: Option<&HeaderValue>,
    body: &str,
    encoded: bool,
) -> Result<(), HeaderProblem> {
    let header = header.ok_or(HeaderProblem::Missing)?;
    let value = if encoded {
        decode(header)?
    } else {
        Cow::Borrowed(plain(header)?)
    };
    if value == body {
        return Ok(());
    }
    Err(HeaderProblem::Different {
        header: excerpt(&value).to_owned(),
        body: excerpt(body).to_owned(),
    })
}

pub(in crate::wire::header) fn decode(header: &HeaderValue) -> Result<Cow<'_, str>, HeaderProblem> {
    decode_value(plain(header)?).map_err(HeaderProblem::Unreadable)
}

fn plain(header: &HeaderValue) -> Result<&str, HeaderProblem> {
    let text = header
        .to_str()
        .map_err(|_| HeaderProblem::Unreadable(HeaderError::Characters))?;
    Ok(text.trim_matches([' ', '\t']))
}

fn refuse_duplicates(headers: &HeaderMap) -> Result<(), HeaderMismatch> {
    if headers.len() == headers.keys_len() {
        return Ok(());
    }
    let mut own = headers
        .keys()
        .filter(|name| name.as_str().starts_with("mcp-"));
    match own.find(|name| headers.get_all(*name).iter().nth(1).is_some()) {
        Some(name) => Err(mismatch(
            display_name(name.as_str()),
            HeaderProblem::Duplicate,
        )),
        None => Ok(()),
    }
}

/// The specification's spelling.
fn display_name(header: &str) -> Cow<'static, str> {
    match header {
        MCP_PROTOCOL_VERSION => Cow::Borrowed("MCP-Protocol-Version"),
        MCP_METHOD => Cow::Borrowed("Mcp-Method"),
        MCP_NAME => Cow::Borrowed("Mcp-Name"),
        other => Cow::Owned(other.to_owned()),
    }
}

pub(in crate::wire::header) fn mismatch(
    header: impl Into<Cow<'static, str>>,
    problem: HeaderProblem,
) -> HeaderMismatch {
    HeaderMismatch {
        header: header.into(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::header::encode_value;

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

    fn standard(fields: Fields<'_>, name: Option<&str>) -> Result<(), String> {
        check_standard(&map(fields), "2026-07-28", "tools/call", name)
            .map_err(|error| error.to_string())
    }

    const VERSION: (&str, &str) = ("MCP-Protocol-Version", "2026-07-28");
    const METHOD: (&str, &str) = ("Mcp-Method", "tools/call");

    #[test]
    fn agreeing_headers_pass() {
        let table: &[(Fields<'_>, Option<&str>)] = &[
            (&[VERSION, METHOD, ("Mcp-Name", "a")], Some("a")),
            (&[VERSION, METHOD, ("MCP-NAME", "  a\t")], Some("a")),
            (
                &[VERSION, METHOD, ("mcp-name", "=?base64?YQ==?=")],
                Some("a"),
            ),
            (
                &[
                    VERSION,
                    METHOD,
                    ("mcp-name", "=?base64?SGVsbG8sIOS4lueVjA==?="),
                ],
                Some("Hello, 世界"),
            ),
            (&[VERSION, METHOD, ("mcp-name", "")], Some("")),
            (&[VERSION, METHOD], None),
            (&[VERSION, METHOD, ("mcp-name", "whatever")], None),
            (
                &[
                    VERSION,
                    METHOD,
                    ("accept", "a"),
                    ("accept", "b"),
                    ("mcp-param-x", "?"),
                ],
                None,
            ),
        ];
        for (fields, name) in table {
            assert_eq!(standard(fields, *name), Ok(()), "{fields:?}");
        }
    }

    #[test]
    fn a_disagreement_names_the_header() {
        let table: &[(Fields<'_>, &str)] = &[
            (&[], "MCP-Protocol-Version is required here and absent"),
            (&[VERSION], "Mcp-Method is required here and absent"),
            (&[VERSION, METHOD], "Mcp-Name is required here and absent"),
            (
                &[VERSION, VERSION, METHOD, ("mcp-name", "a")],
                "MCP-Protocol-Version is sent more than once",
            ),
            (
                &[VERSION, METHOD, METHOD, ("mcp-name", "a")],
                "Mcp-Method is sent more than once",
            ),
            (
                &[VERSION, METHOD, ("mcp-name", "a"), ("Mcp-Name", "b")],
                "Mcp-Name is sent more than once",
            ),
            (
                &[
                    VERSION,
                    METHOD,
                    ("mcp-name", "a"),
                    ("mcp-x", ""),
                    ("mcp-x", ""),
                ],
                "mcp-x is sent more than once",
            ),
            (
                &[("mcp-protocol-version", "2025-11-25"), METHOD],
                "MCP-Protocol-Version header value \"2025-11-25\" does not match body value \"2026-07-28\"",
            ),
            (
                &[VERSION, ("mcp-method", "TOOLS/CALL")],
                "Mcp-Method header value \"TOOLS/CALL\" does not match body value \"tools/call\"",
            ),
            (
                &[VERSION, ("mcp-method", "=?base64?dG9vbHMvY2FsbA==?=")],
                "Mcp-Method header value \"=?base64?dG9vbHMvY2FsbA==?=\" does not match body value \"tools/call\"",
            ),
            (
                &[VERSION, METHOD, ("mcp-name", "b")],
                "Mcp-Name header value \"b\" does not match body value \"a\"",
            ),
            (
                &[VERSION, METHOD, ("mcp-name", "A")],
                "Mcp-Name header value \"A\" does not match body value \"a\"",
            ),
            (
                &[VERSION, METHOD, ("mcp-name", "=?base64?YQ?=")],
                "Mcp-Name cannot be read: the text between `=?base64?` and `?=` is not padded standard Base64",
            ),
            (
                &[VERSION, METHOD, ("mcp-name", "caf\u{e9}")],
                "Mcp-Name cannot be read: it contains characters other than visible ASCII, space and tab",
            ),
            (
                &[VERSION, METHOD, ("mcp-name", "=?base64?G1swbQ==?=")],
                "Mcp-Name header value \"\\u{1b}[0m\" does not match body value \"a\"",
            ),
        ];
        for (fields, expect) in table {
            assert_eq!(
                standard(fields, Some("a")),
                Err(format!("Header mismatch: {expect}")),
                "{fields:?}"
            );
        }
    }

    #[test]
    fn a_name_that_looks_encoded_must_be_encoded() {
        let name = "=?base64?YQ==?=";
        assert!(standard(&[VERSION, METHOD, ("mcp-name", name)], Some(name)).is_err());
        assert_eq!(
            standard(
                &[VERSION, METHOD, ("mcp-name", &encode_value(name))],
                Some(name)
            ),
            Ok(())
        );
    }

    #[test]
    fn long_values_are_shortened_in_messages() {
        let long = "x".repeat(10_000);
        let error =
            standard(&[VERSION, METHOD, ("mcp-name", &long)], Some("a")).expect_err("other name");
        assert!(error.len() < 200, "{error}");
    }

    proptest! {
        #[test]
        fn every_encoded_name_passes_the_check(name in any::<String>()) {
            let encoded = encode_value(&name);
            prop_assert_eq!(standard(&[VERSION, METHOD, ("mcp-name", &encoded)], Some(&name)), Ok(()));
        }
    }
}
