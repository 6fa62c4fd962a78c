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

/// Where members stand: of the root, of its `params`, `result` and `error` and of their `_meta`.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) root: Range<usize>,
    pub(crate) members: SmallVec<[Member; 16]>,
}

impl Index {
    pub(crate) const ROOT: u32 = u32::MAX;
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
            self.at += plain_run(&self.text[self.at..]);
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok((
                        Slot {
                            start: start as u32,
                            end: (self.at - 1) as u32,
                        },
                        escaped,
                    ));
                }
                Some(b'\\') => {
                    self.at += 1;
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.expected("an escape instead of a control character")),
                None => return Err(self.expected("a closing quote")),
            }
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

/// How much of a string is looked at in words before the search for long runs is brought up.
const NEAR: usize = 64;

/// How many bytes come before a quote, a backslash or a control character.
pub(super) fn plain_run(text: &[u8]) -> usize {
    let near = text.len().min(NEAR);
    let mut at = 0;
    for word in text[..near].chunks_exact(8) {
        let special = special_bytes(word);
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    if near < NEAR {
        return at
            + text[at..]
                .iter()
                .position(is_special)
                .unwrap_or(text.len() - at);
    }
    let rest = &text[at..];
    let run = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
    let controls = rest[..run]
        .iter()
        .fold(false, |found, byte| found | (*byte < 0x20));
    at + if controls {
        rest[..run].iter().position(is_special).unwrap_or(run)
    } else {
        run
    }
}

/// Marks the high bit of the bytes of a word that end a plain run. The first mark is exact, those after it need not be.
fn special_bytes(word: &[u8]) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let word = u64::from_le_bytes(word.try_into().expect("a chunk of eight"));
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let quotes = zeros(word ^ (ONES * b'"' as u64));
    let backslashes = zeros(word ^ (ONES * b'\\' as u64));
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (quotes | backslashes | controls) & HIGHS
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
