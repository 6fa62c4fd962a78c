//! Rust as the house sees it: text without comments and strings, the paths in it, and what is there for tests only.

use std::ops::Range;

/// The text with comments, characters and strings blanked; every byte keeps its place. Strings that are paths stay.
pub(crate) fn code(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text.as_bytes()[at..];
        let n = match rest[0] {
            b'/' if rest.starts_with(b"//") => find(rest, b"\n").unwrap_or(rest.len()),
            b'/' if rest.starts_with(b"/*") => block_comment(rest),
            b'"' => string(rest),
            b'r' if at == 0 || !is_word(bytes[at - 1]) || bytes[at - 1] == b'b' => raw_string(rest),
            b'\'' => character(rest),
            _ => 0,
        };
        if n > 0 && !rest.starts_with(b"\"crate::") {
            out[at..at + n]
                .iter_mut()
                .filter(|byte| **byte != b'\n')
                .for_each(|byte| *byte = b' ');
        }
        at += n.max(1);
    }
    out
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn block_comment(text: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let (change, n) = match &text[at..] {
            [b'/', b'*', ..] => (1, 2),
            [b'*', b'/', ..] => (-1, 2),
            _ => (0, 1),
        };
        depth += change;
        at += n;
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

/// The length of a raw string, 0 where none begins.
fn raw_string(text: &[u8]) -> usize {
    let n_hashes = text[1..].iter().take_while(|byte| **byte == b'#').count();
    if text.get(1 + n_hashes) != Some(&b'"') {
        return 0;
    }
    let end: Vec<u8> = [b"\"".as_slice(), &b"#".repeat(n_hashes)].concat();
    let body = 2 + n_hashes;
    find(&text[body..], &end).map_or(text.len(), |at| body + at + end.len())
}

/// The length of a character literal, 0 for a lifetime.
fn character(text: &[u8]) -> usize {
    if text.get(1) == Some(&b'\\') {
        return find(&text[3..], b"'").map_or(0, |at| at + 4);
    }
    let first = text[1..]
        .iter()
        .skip(1)
        .take_while(|byte| **byte & 0xc0 == 0x80)
        .count()
        + 2;
    if text.get(first) == Some(&b'\'') {
        first + 1
    } else {
        0
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What `#[cfg(test)]` and its like apply to.
pub(crate) fn test_regions(code: &[u8]) -> Vec<Range<usize>> {
    let mut regions: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(found) = find(&code[at..], b"#[cfg(") {
        let begin = at + found;
        let end = begin + find(&code[begin..], b"]").unwrap_or(code.len() - begin);
        let condition = String::from_utf8_lossy(&code[begin + 6..end]);
        let words: Vec<&str> = condition.split(|c: char| !c.is_alphanumeric()).collect();
        at = end;
        if words.contains(&"test") && !words.contains(&"not") {
            at = item_end(code, end + 1);
            regions.push(begin..at);
        }
    }
    regions
}

/// Where the item that begins at `at` ends: after its block, or its semicolon.
fn item_end(code: &[u8], at: usize) -> usize {
    let mut depth = 0;
    for (offset, byte) in code[at..].iter().enumerate() {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(byte, b'}' | b';') {
            return at + offset + 1;
        }
    }
    code.len()
}

/// Paths in parts, each with the place where it begins.
pub(crate) type Paths = Vec<(usize, Vec<String>)>;

/// All paths, names and groups of `use` written out: `a::{b, c::d}` is `a::b` and `a::c::d`.
pub(crate) fn paths(code: &[u8]) -> Paths {
    let (mut at, mut out) = (0, Paths::new());
    while at < code.len() {
        if is_word(code[at]) {
            path(code, &mut at, &[], &mut out);
        } else {
            at += 1;
        }
    }
    out
}

/// Reads one path that begins at `at`, behind `prefix`.
fn path(code: &[u8], at: &mut usize, prefix: &[String], out: &mut Paths) {
    let begin = *at;
    let mut parts = prefix.to_vec();
    loop {
        skip_space(code, at);
        let rest = &code[*at..];
        let glob = usize::from(!parts.is_empty() && rest.starts_with(b"*"));
        let n = glob.max(rest.iter().take_while(|byte| is_word(**byte)).count());
        if n == 0 {
            break;
        }
        let dot = begin > 0 && parts.is_empty() && code[begin - 1] == b'.';
        parts.push(format!(
            "{}{}",
            if dot { "." } else { "" },
            String::from_utf8_lossy(&rest[..n])
        ));
        *at += n;
        let end = *at;
        skip_space(code, at);
        if !code[*at..].starts_with(b"::") {
            if code.get(end) == Some(&b'!') && code.get(end + 1) != Some(&b'=') {
                parts.last_mut().expect("a word was read").push('!');
            }
            *at = end;
            break;
        }
        *at += 2;
        skip_space(code, at);
        if code.get(*at) == Some(&b'{') {
            return group(code, at, &parts, out);
        }
    }
    out.push((begin, parts));
}

/// Reads `{…}` of a `use`.
fn group(code: &[u8], at: &mut usize, prefix: &[String], out: &mut Paths) {
    *at += 1;
    while *at < code.len() && code[*at] != b'}' {
        if is_word(code[*at]) || code[*at] == b'*' {
            path(code, at, prefix, out);
            skip_space(code, at);
            if code[*at..].starts_with(b"as ") {
                *at += find(&code[*at..], b",")
                    .into_iter()
                    .chain(find(&code[*at..], b"}"))
                    .min()
                    .unwrap_or(0);
            }
        } else {
            *at += 1;
        }
    }
    *at += 1;
}

fn skip_space(code: &[u8], at: &mut usize) {
    while code.get(*at).is_some_and(u8::is_ascii_whitespace) {
        *at += 1;
    }
}
