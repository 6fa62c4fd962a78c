//! A digest that is the same for two requests which say the same, however they are written.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::wire::json::Json;

/// SHA-256.
pub(crate) type Digest = [u8; 32];

/// The digest of an object of these members (keys as they are written between their quotes, values sound JSON): keys are
/// sorted at every level, white space is dropped, escapes are written in one way. Numbers are taken as they are written.
pub(crate) fn digest<'a>(members: impl Iterator<Item = (&'a [u8], &'a Json)>) -> Digest {
    let mut writer = Writer::default();
    let mut written = Vec::new();
    let begin = writer.begin_object();
    for (key, value) in members {
        let at = writer.out.len();
        writer.key(key);
        let key = at..writer.out.len();
        writer.out.push(b':');
        let mut reader = Reader {
            text: value.bytes(),
            at: 0,
        };
        writer.value(&mut reader);
        written.push(Written {
            key,
            end: writer.out.len(),
        });
    }
    writer.end_object(begin, written);
    Sha256::digest(&writer.out).into()
}

/// A sound text and how far it is read.
struct Reader<'a> {
    text: &'a Bytes,
    at: usize,
}

/// What was written so far.
#[derive(Default)]
struct Writer {
    out: Vec<u8>,
}

/// Where a member stands in what was written.
struct Written {
    /// With its quotes. The value follows.
    key: std::ops::Range<usize>,
    end: usize,
}

impl Reader<'_> {
    /// The next byte that is no white space. A sound text has one wherever this is asked; 0 stands for its end.
    fn peek(&mut self) -> u8 {
        while matches!(self.text.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// The text of a string between its quotes.
    fn string(&mut self) -> &[u8] {
        let start = self.at + 1;
        let mut at = start;
        while let Some(found) = memchr::memchr2(b'"', b'\\', &self.text[at..]) {
            at += found;
            if self.text[at] == b'"' {
                break;
            }
            at += 2;
        }
        self.at = at + 1;
        &self.text[start..at]
    }

    /// A number or a word.
    fn plain(&mut self) -> &[u8] {
        let start = self.at;
        let end = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
        let rest = &self.text[start..];
        self.at = start + rest.iter().position(end).unwrap_or(rest.len());
        &self.text[start..self.at]
    }
}

impl Writer {
    /// Goes no deeper than sound texts are nested.
    fn value(&mut self, reader: &mut Reader<'_>) {
        match reader.peek() {
            b'{' => self.object(reader),
            b'[' => self.array(reader),
            b'"' => self.key(reader.string()),
            _ => self.out.extend_from_slice(reader.plain()),
        }
    }

    fn array(&mut self, reader: &mut Reader<'_>) {
        reader.at += 1;
        self.out.push(b'[');
        while !matches!(reader.peek(), b']' | 0) {
            if reader.peek() == b',' {
                reader.at += 1;
                self.out.push(b',');
            }
            self.value(reader);
        }
        reader.at += 1;
        self.out.push(b']');
    }

    fn object(&mut self, reader: &mut Reader<'_>) {
        reader.at += 1;
        let begin = self.begin_object();
        let mut written = Vec::new();
        while !matches!(reader.peek(), b'}' | 0) {
            if reader.peek() == b',' {
                reader.at += 1;
                reader.peek();
            }
            let at = self.out.len();
            self.key(reader.string());
            let key = at..self.out.len();
            reader.peek();
            reader.at += 1;
            self.out.push(b':');
            self.value(reader);
            let end = self.out.len();
            written.push(Written { key, end });
        }
        reader.at += 1;
        self.end_object(begin, written);
    }

    fn begin_object(&mut self) -> usize {
        self.out.push(b'{');
        self.out.len()
    }

    /// Brings the members that were written since `begin` in order.
    fn end_object(&mut self, begin: usize, mut written: Vec<Written>) {
        let key = |member: &Written| &self.out[member.key.clone()];
        if !written.is_sorted_by(|one, two| key(one) <= key(two)) {
            written.sort_by(|one, two| key(one).cmp(key(two)));
            let mut sorted = Vec::with_capacity(self.out.len() - begin);
            for member in &written {
                sorted.extend_from_slice(&self.out[member.key.start..member.end]);
            }
            self.out.truncate(begin);
            self.out.extend_from_slice(&sorted);
        }
        self.out.push(b'}');
    }

    /// Writes a string, given the text between its quotes.
    fn key(&mut self, text: &[u8]) {
        if !text.contains(&b'\\') {
            self.out.push(b'"');
            self.out.extend_from_slice(text);
            self.out.push(b'"');
            return;
        }
        let quoted = [b"\"", text, b"\""].concat();
        let value: String =
            serde_json::from_slice(&quoted).expect("a scanned string has sound escapes");
        self.out.extend_from_slice(Json::of(&value).bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::members::Members;

    fn of(text: &str) -> Digest {
        let json = Json::scan(Bytes::copy_from_slice(text.as_bytes())).expect("sound");
        digest(Members::of(&json).expect("an object").iter())
    }

    #[track_caller]
    fn check(one: &str, two: &str, same: bool) {
        assert_eq!(of(one) == of(two), same, "{one} and {two}");
    }

    #[test]
    fn what_says_the_same_has_the_same_digest() {
        check(r#"{"a":1,"b":2}"#, r#"{ "b" : 2 , "a":1 }"#, true);
        check(
            r#"{"x":{"z":[1, {"q":null,"p":true}],"y":"s"}}"#,
            r#"{"x":{"y":"s","z":[1,{"p":true,"q":null}]}}"#,
            true,
        );
        check(
            r#"{"a":"\u0041\/","\u0062":[]}"#,
            r#"{"b":[ ],"a":"A/"}"#,
            true,
        );
        check(r#"{"a":"q\"\\"}"#, r#"{"a":"q\u0022\u005c"}"#, true);
        check("{}", " { } ", true);
    }

    #[test]
    fn what_says_something_else_has_another() {
        check(r#"{"a":1}"#, r#"{"a":1.0}"#, false);
        check(r#"{"a":1}"#, r#"{"a":"1"}"#, false);
        check(r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#, false);
        check(r#"{"a":[1,2]}"#, r#"{"a":[12]}"#, false);
        check(r#"{"a":" b"}"#, r#"{"a":"b"}"#, false);
        check(r#"{"a":{}}"#, r#"{"a":[]}"#, false);
        check(r#"{"a":{"b":1},"c":2}"#, r#"{"a":{"b":1,"c":2}}"#, false);
        check(
            r#"{"a":9007199254740993}"#,
            r#"{"a":9007199254740992}"#,
            false,
        );
    }

    #[test]
    fn deep_and_wide_texts_are_read_once() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(120), "]".repeat(120));
        check(&deep, &deep.replace(":", " : "), true);
        let keys = |order: &mut dyn Iterator<Item = u32>| {
            let members: Vec<String> = order.map(|n| format!("\"k{n}\":{n}")).collect();
            format!("{{{}}}", members.join(","))
        };
        check(&keys(&mut (0..5000)), &keys(&mut (0..5000).rev()), true);
    }

    proptest::proptest! {
        #[test]
        fn white_space_changes_nothing(text in "\\{\"a\":(\\[1,\"x\",\\{\"b\":2\\}\\]|\"[a-z ]{0,5}\"|-1\\.5e3)\\}", space in "[ \n\t]{1,3}") {
            let spaced = text.replace(',', &format!("{space},{space}")).replace(':', &format!("{space}:{space}"));
            proptest::prop_assert_eq!(of(&text), of(&spaced));
        }
    }
}
