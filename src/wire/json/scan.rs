//! One pass over a JSON text: grammar, duplicate keys, surrogates, depth; and where the members of a message stand.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;
use smallvec::SmallVec;

use crate::wire::json::{JsonError, JsonErrorKind, MAX_DEPTH, MAX_NODES};

/// A stretch of the text, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Slot {
    /// The stretch of `text`.
    pub(crate) fn of<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        &text[self.start as usize..self.end as usize]
    }
}

/// One member of an object of interest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    /// The member whose value is the object this one stands in; `u32::MAX` for the root.
    pub(crate) parent: u32,
    /// The key's text between its quotes.
    pub(crate) key: Slot,
    /// The value's text.
    pub(crate) value: Slot,
}

/// Where members stand: of the root, and unless shallow, of its `params`, `result` and `error` and of their `_meta`.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) root: Range<usize>,
    pub(crate) members: SmallVec<[Member; 16]>,
    shallow: bool,
}

impl Index {
    pub(crate) const ROOT: u32 = u32::MAX;

    pub(crate) fn shallow() -> Self {
        Self {
            shallow: true,
            ..Self::default()
        }
    }
}

/// What a scan does with the members it meets.
pub(super) trait Notes {
    /// A member of an object of interest begins; the answer is its number.
    fn open(&mut self, parent: u32, key: Slot) -> u32;
    /// That member's value has ended.
    fn close(&mut self, member: u32, value: Slot);
    /// Whether the members of this member's value are of interest, given how deep it stands.
    fn descend(&self, depth: usize, key: &[u8]) -> bool;
    /// Whether the root's members are of interest.
    const ACTIVE: bool;
}

/// Notes nothing.
pub(super) struct NoIndex;

impl Notes for NoIndex {
    const ACTIVE: bool = false;
    fn open(&mut self, _: u32, _: Slot) -> u32 {
        0
    }
    fn close(&mut self, _: u32, _: Slot) {}
    fn descend(&self, _: usize, _: &[u8]) -> bool {
        false
    }
}

impl Notes for Index {
    const ACTIVE: bool = true;

    fn open(&mut self, parent: u32, key: Slot) -> u32 {
        self.members.push(Member {
            parent,
            key,
            value: Slot::default(),
        });
        (self.members.len() - 1) as u32
    }

    fn close(&mut self, member: u32, value: Slot) {
        self.members[member as usize].value = value;
    }

    fn descend(&self, depth: usize, key: &[u8]) -> bool {
        match depth {
            _ if self.shallow => false,
            1 => matches!(key, b"params" | b"result" | b"error"),
            2 => key == b"_meta",
            _ => false,
        }
    }
}

/// Scans one value with white space around it and says where it stands.
pub(super) fn scan<N: Notes>(text: &[u8], notes: &mut N) -> Result<Range<usize>, JsonError> {
    if u32::try_from(text.len()).is_err() {
        return Err(JsonError {
            offset: 0,
            kind: JsonErrorKind::Nodes,
        });
    }
    if let Err(err) = std::str::from_utf8(text) {
        return Err(JsonError {
            offset: err.valid_up_to(),
            kind: JsonErrorKind::Utf8,
        });
    }
    let mut scanner = Scanner {
        text,
        at: 0,
        nodes: 0,
        keys: SmallVec::new(),
        notes,
    };
    scanner.space();
    let start = scanner.at;
    scanner.value(0, N::ACTIVE.then_some(Index::ROOT))?;
    let end = scanner.at;
    scanner.space();
    if scanner.at != text.len() {
        return Err(scanner.expected("the end of the text"));
    }
    Ok(start..end)
}

struct Scanner<'a, 'n, N> {
    text: &'a [u8],
    at: usize,
    nodes: usize,
    /// Keys of the objects that are open, outermost first.
    keys: SmallVec<[Cow<'a, [u8]>; 16]>,
    notes: &'n mut N,
}

impl<'a, N: Notes> Scanner<'a, '_, N> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError {
            offset: self.at,
            kind,
        }
    }

    fn expected(&self, what: &'static str) -> JsonError {
        self.error(JsonErrorKind::Expected(what))
    }

    /// `noted` is the member whose value this is, when the members in it are of interest.
    fn value(&mut self, depth: usize, noted: Option<u32>) -> Result<(), JsonError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.error(JsonErrorKind::Nodes));
        }
        match self.peek() {
            b'"' => self.string().map(drop),
            b'{' => self.object(depth + 1, noted),
            b'[' => self.array(depth + 1),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => Err(self.expected("a value")),
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), JsonError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.peek().is_ascii_digit() {
            return Err(self.expected("a digit"));
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Reads a string and gives the text between its quotes, and whether that holds escapes.
    fn string(&mut self) -> Result<(Slot, bool), JsonError> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = &self.text[self.at..];
            let Some(run) = memchr2(b'"', b'\\', rest) else {
                self.at = self.text.len();
                return Err(self.expected("a closing quote"));
            };
            if rest[..run]
                .iter()
                .fold(false, |found, byte| found | (*byte < 0x20))
            {
                self.at += rest.iter().position(|byte| *byte < 0x20).unwrap_or(0);
                return Err(self.expected("an escape instead of a control character"));
            }
            self.at += run + 1;
            if rest[run] == b'"' {
                return Ok((
                    Slot {
                        start: start as u32,
                        end: (self.at - 1) as u32,
                    },
                    escaped,
                ));
            }
            escaped = true;
            self.escape()?;
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.at += 1;
                Ok(())
            }
            b'u' => {
                let unit = self.unit()?;
                match unit {
                    0xD800..=0xDBFF => {
                        if self.peek() != b'\\' || self.text.get(self.at + 1) != Some(&b'u') {
                            return Err(self.error(JsonErrorKind::LoneSurrogate));
                        }
                        self.at += 1;
                        match self.unit()? {
                            0xDC00..=0xDFFF => Ok(()),
                            _ => Err(self.error(JsonErrorKind::LoneSurrogate)),
                        }
                    }
                    0xDC00..=0xDFFF => Err(self.error(JsonErrorKind::LoneSurrogate)),
                    _ => Ok(()),
                }
            }
            _ => Err(self.expected("an escape")),
        }
    }

    /// Reads `uXXXX`.
    fn unit(&mut self) -> Result<u32, JsonError> {
        self.at += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = (self.peek() as char).to_digit(16) else {
                return Err(self.expected("four hexadecimal digits"));
            };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth > MAX_DEPTH {
            return Err(self.error(JsonErrorKind::Depth));
        }
        self.at += 1;
        self.space();
        if self.peek() == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth, None)?;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.expected("`,` or `]`")),
            }
            self.space();
        }
    }

    fn object(&mut self, depth: usize, noted: Option<u32>) -> Result<(), JsonError> {
        if depth > MAX_DEPTH {
            return Err(self.error(JsonErrorKind::Depth));
        }
        self.at += 1;
        self.space();
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(());
        }
        let first_key = self.keys.len();
        loop {
            if self.peek() != b'"' {
                return Err(self.expected("a key in quotes"));
            }
            let (key, escaped) = self.string()?;
            self.remember(first_key, key, escaped)?;
            self.space();
            if self.peek() != b':' {
                return Err(self.expected("`:`"));
            }
            self.at += 1;
            self.space();
            self.member(depth, noted, key)?;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    break;
                }
                _ => return Err(self.expected("`,` or `}`")),
            }
            self.space();
        }
        self.distinct(first_key)
    }

    fn member(&mut self, depth: usize, noted: Option<u32>, key: Slot) -> Result<(), JsonError> {
        let Some(parent) = noted else {
            return self.value(depth, None);
        };
        let member = self.notes.open(parent, key);
        let start = self.at as u32;
        let descend = {
            let key = self.keys.last().map_or(&[][..], |key| key);
            self.notes.descend(depth, key)
        };
        self.value(depth, descend.then_some(member))?;
        self.notes.close(
            member,
            Slot {
                start,
                end: self.at as u32,
            },
        );
        Ok(())
    }

    /// How many keys of one object are compared one by one; beyond that they are sorted once, at its end.
    const FEW: usize = 12;

    fn remember(&mut self, first: usize, key: Slot, escaped: bool) -> Result<(), JsonError> {
        let raw = &self.text[key.start as usize..key.end as usize];
        let key = if escaped {
            Cow::Owned(unescape(raw).into_owned().into_bytes())
        } else {
            Cow::Borrowed(raw)
        };
        let earlier = &self.keys[first..];
        if earlier.len() < Self::FEW && earlier.contains(&key) {
            return Err(self.duplicate(&key));
        }
        self.keys.push(key);
        Ok(())
    }

    fn distinct(&mut self, first: usize) -> Result<(), JsonError> {
        let keys = &mut self.keys[first..];
        if keys.len() > Self::FEW {
            keys.sort_unstable();
            if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
                let key = pair[0].clone();
                return Err(self.duplicate(&key));
            }
        }
        self.keys.truncate(first);
        Ok(())
    }

    fn duplicate(&self, key: &[u8]) -> JsonError {
        self.error(JsonErrorKind::DuplicateKey(
            String::from_utf8_lossy(key).into_owned(),
        ))
    }
}

/// Resolves the escapes of a sound string, given without its quotes.
pub(super) fn unescape(inner: &[u8]) -> Cow<'_, str> {
    let text = std::str::from_utf8(inner).expect("a scanned text is UTF-8");
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let quoted = format!("\"{text}\"");
    Cow::Owned(serde_json::from_str(&quoted).expect("a scanned string has sound escapes"))
}
