//! Where the members of an object stand whose text was scanned before: nothing is checked a second time.

use crate::wire::json::scan::{Index, Member, Slot, plain_run};

/// Notes the members of a sound object, white space before it allowed. What is no object has none.
pub(super) fn members(text: &[u8]) -> Index {
    let mut index = Index::default();
    let mut reader = Reader { text, at: 0 };
    reader.space();
    if reader.peek() != b'{' {
        return index;
    }
    reader.at += 1;
    reader.space();
    while reader.peek() == b'"' {
        let start = reader.at + 1;
        reader.string();
        let key = reader.slot(start, reader.at - 1);
        reader.space();
        reader.at += 1;
        reader.space();
        let start = reader.at;
        reader.value();
        let value = reader.slot(start, reader.at);
        index.members.push(Member {
            parent: Index::ROOT,
            key,
            value,
        });
        reader.space();
        reader.at += 1;
        reader.space();
    }
    index
}

/// A sound text and how far it is read.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// The next byte; 0 at the end.
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// Within the text, whatever that is.
    fn slot(&self, start: usize, end: usize) -> Slot {
        let end = end.min(self.text.len());
        Slot {
            start: start.min(end) as u32,
            end: end as u32,
        }
    }

    /// Goes behind a string.
    fn string(&mut self) {
        self.at += 1;
        loop {
            self.at += plain_run(self.text.get(self.at..).unwrap_or_default());
            match self.peek() {
                b'\\' => self.at += 2,
                _ => break,
            }
        }
        self.at += 1;
    }

    /// Goes behind a value.
    fn value(&mut self) {
        match self.peek() {
            b'"' => self.string(),
            b'{' | b'[' => self.nested(),
            _ => {
                let ends = |byte| matches!(byte, b',' | b'}' | b']' | 0..=b' ');
                while !ends(self.peek()) {
                    self.at += 1;
                }
            }
        }
    }

    /// Goes behind an object or an array.
    fn nested(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                b'"' => {
                    self.string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                0 => return,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::json::scan::scan;

    /// What the scan that checks everything notes of the same text.
    fn noted(text: &[u8]) -> Option<Vec<(Slot, Slot)>> {
        let mut index = Index::default();
        scan(text, &mut index).ok()?;
        Some(pairs(&index))
    }

    fn pairs(index: &Index) -> Vec<(Slot, Slot)> {
        let members = index.members.iter();
        members
            .filter(|member| member.parent == Index::ROOT)
            .map(|member| (member.key, member.value))
            .collect()
    }

    fn check(text: &str) {
        let noted = noted(text.as_bytes()).expect("sound JSON");
        assert_eq!(pairs(&members(text.as_bytes())), noted, "{text}");
    }

    #[test]
    fn members_stand_where_the_scan_finds_them() {
        for text in [
            "{}",
            " { } ",
            "7",
            r#"["a",{"b":1}]"#,
            r#"{"a":"x","b":-1.5e+3,"c":true,"d":null}"#,
            "{\n\t\"a\" : [ 1 , { \"x\" : \"]}\" } ] ,\r\n \"b\":{ \"y\":{} }\n}",
            r#"{"q\"\\":"\\\"}","u\u0022":"\ud83d\ude00","é":"ü\n","":{}}"#,
            r#"{"long":"0123456789012345678901234567890123456789012345678901234567890123456789\\","b":1}"#,
        ] {
            check(text);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sound_is_read_alike(text in r#"[ {}\[\]:,"\\a1nul\-]{0,40}"#) {
            if noted(text.as_bytes()).is_some() {
                check(&text);
            }
            members(text.as_bytes());
        }

        #[test]
        fn objects_of_any_strings_are_read_alike(object in prop::collection::btree_map(any::<String>(), any::<String>(), 0..6)) {
            check(&serde_json::to_string(&object).expect("JSON"));
            check(&serde_json::to_string_pretty(&object).expect("JSON"));
        }
    }
}
