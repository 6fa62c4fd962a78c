//! JSON text that was read once from end to end and is known to be sound.
//!
//! A policy must see what the plugin will see, so a text is refused when two readers could take it differently:
//! duplicate keys, invalid UTF-8, lone surrogates (RFC 8259 section 8), nesting deeper than [`MAX_DEPTH`].

mod scan;

mod sound;

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use scan::{Index, Member, Slot};

/// How deep arrays and objects may be nested.
pub const MAX_DEPTH: usize = 128;

/// How many values one text may hold.
pub const MAX_NODES: usize = 4_000_000;

/// One JSON value as text, known to be sound. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Bytes);

/// Why a text is not accepted, and the byte at which that was seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct JsonError {
    /// Offset into the text, in bytes.
    pub offset: usize,
    /// What was wrong there.
    pub kind: JsonErrorKind,
}

/// The ways in which a text can be refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonErrorKind {
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
    /// The grammar of RFC 8259 wants something else here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A second member of the same name in one object.
    #[error("duplicate key `{0}`")]
    DuplicateKey(String),
    /// Half of a surrogate pair.
    #[error("lone surrogate")]
    LoneSurrogate,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH}")]
    Depth,
    /// More values than [`MAX_NODES`].
    #[error("more than {MAX_NODES} values")]
    Nodes,
}

impl Json {
    /// Reads `text` once and keeps it. White space around the value is dropped.
    pub fn scan(text: Bytes) -> Result<Self, JsonError> {
        let value = scan::scan(&text, &mut scan::NoIndex)?;
        Ok(Self(text.slice(value)))
    }

    /// Reads `text` once and notes where the members of the message, its params or result, and their `_meta` stand.
    pub(crate) fn scan_indexed(text: &Bytes) -> Result<Index, JsonError> {
        let mut index = Index::default();
        index.root = scan::scan(text, &mut index)?;
        Ok(index)
    }

    /// Where the members of an object stand. It was scanned before: this is cheaper.
    pub(crate) fn members(&self) -> Index {
        sound::members(&self.0)
    }

    /// A part of a text that was scanned as a whole.
    pub(crate) fn part(text: &Bytes, span: Slot) -> Self {
        Self(text.slice(span.start as usize..span.end as usize))
    }

    /// The text of a value made by us.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        let text = serde_json::to_vec(value)
            .expect("our own types have string keys and no failing serializers");
        Self(Bytes::from(text))
    }

    /// A text written in this program.
    pub fn literal(text: &'static str) -> Self {
        debug_assert!(Self::scan(Bytes::from_static(text.as_bytes())).is_ok());
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// A text put together by us from sound parts.
    pub(crate) fn assembled(text: Vec<u8>) -> Self {
        let text = Bytes::from(text);
        debug_assert!(
            Self::scan(text.clone()).is_ok(),
            "assembled text is not sound JSON"
        );
        Self(text)
    }

    /// The same text in memory of its own: it does not keep the message alive that it came in.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// The text.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The text as `str`. Costs a pass over it; for large values use [`Json::bytes`].
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a scanned text is UTF-8")
    }

    /// Whether the value is an object.
    pub fn is_object(&self) -> bool {
        self.0.first() == Some(&b'{')
    }

    /// Whether the value is a string.
    pub fn is_string(&self) -> bool {
        self.0.first() == Some(&b'"')
    }

    /// Whether the value is `null`.
    pub fn is_null(&self) -> bool {
        self.0.first() == Some(&b'n')
    }

    /// Whether the value is `true`.
    pub fn is_true(&self) -> bool {
        self.0.first() == Some(&b't')
    }

    /// The value of a JSON string, its escapes resolved.
    pub fn string(&self) -> Option<Cow<'_, str>> {
        let inner = self.0.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Some(scan::unescape(inner))
    }

    /// Reads the text into a Rust type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.0)
    }
}

impl std::fmt::Debug for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &serde_json::value::RawValue =
            serde_json::from_slice(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Json {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
        let text = Bytes::from(String::from(Box::<str>::from(raw)));
        Self::scan(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<&str, &str>) {
        let got = Json::scan(Bytes::copy_from_slice(text.as_bytes()));
        match (got, expect) {
            (Ok(json), Ok(want)) => assert_eq!(json.as_str(), want, "{text}"),
            (Err(err), Err(want)) => assert!(err.to_string().contains(want), "{text}: {err}"),
            (got, want) => panic!("{text}: got {got:?}, want {want:?}"),
        }
    }

    #[test]
    fn sound_texts_are_kept_as_they_are() {
        for text in [
            "0",
            "-1.5e+10",
            "12345678901234567890123456789",
            "true",
            "null",
            r#""\u00e9\ud83d\ude00""#,
            "[]",
        ] {
            check(text, Ok(text));
        }
        check(
            " {\"b\" : 1 , \"a\": [ ] }\n",
            Ok("{\"b\" : 1 , \"a\": [ ] }"),
        );
        check("\"\u{2028}\"", Ok("\"\u{2028}\""));
    }

    #[test]
    fn texts_that_two_readers_could_take_differently_are_refused() {
        check(r#"{"a":1,"a":2}"#, Err("duplicate key `a`"));
        check(r#"{"a":1,"\u0061":2}"#, Err("duplicate key `a`"));
        check(
            r#"{"x":{"a":1,"b":{"c":1,"c":1}}}"#,
            Err("duplicate key `c`"),
        );
        check(r#""\ud800""#, Err("lone surrogate"));
        check(r#""\ud800\u0041""#, Err("lone surrogate"));
        check(r#""\udc00""#, Err("lone surrogate"));
        let many: Vec<String> = (0..40).map(|n| format!("\"k{}\":0", n % 39)).collect();
        check(
            &format!("{{{}}}", many.join(",")),
            Err("duplicate key `k0`"),
        );
    }

    #[test]
    fn broken_grammar_is_named_with_its_byte() {
        for text in [
            "", "{", "[1,]", "{\"a\"}", "01", "1.", "-", "1e", "\"\\x\"", "\"a", "tru", "1 2",
            "{a:1}", "\"\n\"", "'a'", "+1", ".5",
        ] {
            assert!(
                Json::scan(Bytes::copy_from_slice(text.as_bytes())).is_err(),
                "{text}"
            );
        }
        check("[1,x]", Err("expected a value at byte 3"));
        assert_eq!(
            Json::scan(Bytes::from_static(b"\"\xff\"")).map_err(|e| e.kind),
            Err(JsonErrorKind::Utf8)
        );
    }

    #[test]
    fn nesting_is_bounded() {
        let nest = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        check(&nest(MAX_DEPTH), Ok(&nest(MAX_DEPTH)));
        check(&nest(MAX_DEPTH + 1), Err("nested deeper than 128"));
        check(&"[".repeat(100_000), Err("nested deeper than 128"));
    }

    proptest::proptest! {
        #[test]
        fn whatever_we_accept_serde_accepts_too(text in "[\\[\\]{}\",:0-9a-z\\\\ eE.+-]{0,40}") {
            if let Ok(json) = Json::scan(Bytes::from(text)) {
                let value: Result<Box<serde_json::value::RawValue>, _> = serde_json::from_slice(json.bytes());
                proptest::prop_assert!(value.is_ok());
            }
        }
    }
}
