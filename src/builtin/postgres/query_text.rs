//! What is shown of a query's text.

use crate::model::text::{SECRET_WORDS, cut, flat};

/// The most letters that are shown.
const MAX_LETTERS: usize = 1_000;

/// How much of a text to ask the server for: more than is shown, so that a word behind that counts, too.
pub(super) const ASKED_LETTERS: usize = 4 * MAX_LETTERS;

/// Once one of these, or a word for a secret, stands in a text, anything in it may be one: a value may stand far from its name.
/// The last two are an address, which may hold a password, and a name whose letters are written as numbers.
const WORDS: [&str; 3] = ["crypt", "://", "u&\""];

/// What stands in place of a literal.
const HIDDEN: &str = "***";

/// The text, cut where it is too long; without its literals where one may be a password.
pub(super) fn shown(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let text = match words().any(|word| lower.contains(word)) {
        true => Text::without_literals(text),
        false => text.to_owned(),
    };
    cut(text, MAX_LETTERS)
}

/// A text that may be shown, in one line of at most so many letters.
pub(super) fn line(text: &str, most: usize) -> String {
    cut(flat(text), most)
}

/// SQL that is read as PostgreSQL does, as far as it takes to tell what is a literal. What cannot be told for sure is one, to
/// the end of the text.
struct Text<'a> {
    rest: &'a str,
    shown: String,
    /// Whether a value may follow that is no literal, as in `SET a.password = x` or `password=x`.
    awaits: Awaits,
}

#[derive(PartialEq, Eq)]
enum Awaits {
    Nothing,
    /// A word for a secret was read.
    Sign,
    /// And what assigns something to it.
    Value,
}

impl<'a> Text<'a> {
    fn without_literals(text: &'a str) -> String {
        let mut text = Text {
            rest: text,
            shown: String::with_capacity(text.len()),
            awaits: Awaits::Nothing,
        };
        while let Some(letter) = text.rest.chars().next() {
            text.step(letter);
        }
        text.shown
    }

    fn step(&mut self, letter: char) {
        let rest = self.rest;
        let length = match letter {
            '\'' => return self.hide(quoted(rest, false)),
            '$' => {
                return match dollars(rest) {
                    Some(length) => self.hide(length),
                    None => self.word(),
                };
            }
            '"' => identifier(rest),
            // Comments are read for the quotes in them, and may hold anything.
            '-' if rest.starts_with("--") => {
                return self.hide(rest.find(['\n', '\r']).unwrap_or(rest.len()));
            }
            '/' if rest.starts_with("/*") => return self.comment(),
            letter if is_inside(letter) => return self.word(),
            letter if self.awaits == Awaits::Value && !letter.is_whitespace() && letter != '(' => {
                return self.hide(bare(rest));
            }
            letter => letter.len_utf8(),
        };
        let (now, rest) = rest.split_at(length);
        self.shown.push_str(now);
        self.rest = rest;
        self.awaits = match (&self.awaits, letter) {
            (_, '"') if is_secret(now) => Awaits::Sign,
            (Awaits::Sign, '=') => Awaits::Value,
            (Awaits::Sign, ':') => Awaits::Sign,
            (Awaits::Sign, letter) if letter.is_whitespace() => Awaits::Sign,
            (Awaits::Value, letter) if letter.is_whitespace() => Awaits::Value,
            _ => Awaits::Nothing,
        };
    }

    /// A word, which may be the beginning of a literal.
    fn word(&mut self) {
        let rest = self.rest;
        // Behind a number or a parameter a `$` begins something new.
        let is_name = !rest.starts_with(|letter: char| letter == '$' || letter.is_ascii_digit());
        let ends = |(at, letter): &(usize, char)| {
            !is_inside(*letter) || *letter == '$' && *at > 0 && !is_name
        };
        let end = rest.char_indices().find(ends);
        let (word, after) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        let lower = word.to_ascii_lowercase();
        if after.starts_with('\'') && matches!(lower.as_str(), "e" | "b" | "x" | "n") {
            return self.hide(word.len() + quoted(after, lower == "e"));
        }
        if after.starts_with("&'") && lower == "u" {
            return self.hide(word.len() + 1 + quoted(&after[1..], false));
        }
        if self.awaits == Awaits::Value && !word.starts_with('$') {
            return self.hide(bare(rest));
        }
        self.shown.push_str(word);
        self.rest = after;
        self.awaits = match (&self.awaits, is_secret(word)) {
            (Awaits::Sign, _) if lower == "to" => Awaits::Value,
            (_, true) => Awaits::Sign,
            _ => Awaits::Nothing,
        };
    }

    /// A comment: its words are hidden, and what it separates stays apart.
    fn comment(&mut self) {
        let bytes = self.rest.as_bytes();
        let (mut at, mut depth) = (0, 0_u32);
        while at < bytes.len() {
            let step = match &bytes[at..] {
                [b'/', b'*', ..] => {
                    depth += 1;
                    2
                }
                [b'*', b'/', ..] => {
                    depth -= 1;
                    2
                }
                _ => 1,
            };
            at += step;
            if depth == 0 {
                break;
            }
        }
        let awaits = std::mem::replace(&mut self.awaits, Awaits::Nothing);
        self.hide(at);
        self.awaits = awaits;
    }

    fn hide(&mut self, length: usize) {
        self.shown.push_str(HIDDEN);
        self.rest = &self.rest[length..];
        self.awaits = Awaits::Nothing;
    }
}

/// Whether this may stand in a word: the letters of names, numbers and parameters.
fn is_inside(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '$' || !letter.is_ascii()
}

fn words() -> impl Iterator<Item = &'static str> {
    SECRET_WORDS.into_iter().chain(WORDS)
}

fn is_secret(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    words().any(|secret| lower.contains(secret))
}

/// The length of a value without quotes.
fn bare(text: &str) -> usize {
    let ends = |letter: char| letter.is_whitespace() || ",;)'\"".contains(letter);
    text.find(ends).unwrap_or(text.len())
}

/// The length of what is quoted at the beginning of `text`. Whether a `\` before a quote quotes it is a matter of the server's
/// settings, so what holds one of those goes on to the end.
fn quoted(text: &str, has_escapes: bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        at += match &bytes[at..] {
            [b'\\', b'\'', ..] if !has_escapes => return text.len(),
            [b'\\', _, ..] if has_escapes => 2,
            [b'\'', b'\'', ..] => 2,
            [b'\'', ..] => return at + 1,
            _ => 1,
        };
    }
    text.len()
}

/// The length of `$tag$…$tag$`, if that is what `text` begins with.
fn dollars(text: &str) -> Option<usize> {
    let tag = text[1..].split_once('$')?.0;
    let is_tag = !tag.starts_with(|letter: char| letter.is_ascii_digit())
        && tag.chars().all(|letter| letter != '$' && is_inside(letter));
    if !is_tag {
        return None;
    }
    let mark = &text[..tag.len() + 2];
    let end = text[mark.len()..].find(mark);
    Some(end.map_or(text.len(), |end| end + 2 * mark.len()))
}

/// The length of a name in double quotes.
fn identifier(text: &str) -> usize {
    text[1..].find('"').map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_not_shown_where_one_may_be_a_password() {
        for (text, expect) in [
            ("SELECT 'a'", "SELECT 'a'"),
            (
                "ALTER ROLE a PASSWORD 'x' VALID",
                "ALTER ROLE a PASSWORD *** VALID",
            ),
            (
                "alter role a password E'x\\'y' z",
                "alter role a password *** z",
            ),
            ("alter role a password $$x$$", "alter role a password ***"),
            (
                "alter role a password $a$x$$'y$a$ z",
                "alter role a password *** z",
            ),
            (
                "alter role a password $é1$x$é1$ z",
                "alter role a password *** z",
            ),
            ("alter role a password U&'x'", "alter role a password ***"),
            (
                "alter role a password U&'!0078' UESCAPE '!'",
                "alter role a password *** UESCAPE ***",
            ),
            (
                "alter role a passWORD/*x*/'y'",
                "alter role a passWORD******",
            ),
            (
                "alter role a password /*'/*'*/'*/ 'y' z",
                "alter role a password *** *** z",
            ),
            (
                "alter role a password -- it's\n'y'",
                "alter role a password ***\n***",
            ),
            ("select B'1', x'ff', N'a', pwd", "select ***, ***, ***, pwd"),
            ("where \"password\" = 'x'", "where \"password\" = ***"),
            (
                "where \"pass'word\" = 'x' or passwd",
                "where \"pass'word\" = *** or passwd",
            ),
            (
                "select 'hunter2', 'it''s', \"a\"\"'\" secret",
                "select ***, ***, \"a\"\"'\" secret",
            ),
            (
                "insert into users(name,password) select 'bob','x'",
                "insert into users(name,password) select ***,***",
            ),
            ("select '{\"password\": \"x\"}'::json", "select ***::json"),
            ("CONNECTION 'host=h password=x'", "CONNECTION ***"),
            ("CONNECTION 'postgres://a:x@h/d'", "CONNECTION ***"),
            ("select crypt('x', s)", "select crypt(***, s)"),
            (
                "alter role a u&\"p\\0061ss\" 'x'",
                "alter role a u&\"p\\0061ss\" ***",
            ),
            (
                "UPDATE u SET password = 'x', n = 7",
                "UPDATE u SET password = ***, n = 7",
            ),
            (
                "UPDATE u SET password = 1234, n = 7",
                "UPDATE u SET password = ***, n = 7",
            ),
            ("set my.token to x", "set my.token to ***"),
            ("host=h password=x-y port=1", "host=h password=*** port=1"),
            ("host=h password=#x port=1", "host=h password=*** port=1"),
            (
                "select 1$$x$$, $2$$y$$, $3 pwd",
                "select 1***, $2***, $3 pwd",
            ),
            (
                "WHERE password = $1 AND n = 7",
                "WHERE password = $1 AND n = 7",
            ),
            (
                "WHERE password = E'x\\'y' AND n",
                "WHERE password = *** AND n",
            ),
            // Texts are cut at their end.
            ("alter role a password 'x", "alter role a password ***"),
            ("alter role a password $a$x", "alter role a password ***"),
            ("alter role a password /* x", "alter role a password ***"),
            ("alter role a password e'x\\", "alter role a password ***"),
            ("alter role a password '", "alter role a password ***"),
            ("alter role a password $a", "alter role a password $a"),
            // It depends on the server where that ends.
            ("select 'a\\', 'b', token, ' c", "select ***"),
            (
                "SELECT password, a FROM u WHERE b > $1 AND c$x$d = 'y'",
                "SELECT password, a FROM u WHERE b > $1 AND c$x$d = ***",
            ),
            ("İ password 'x'", "İ password ***"),
        ] {
            assert_eq!(shown(text), expect);
        }
        assert_eq!(line(" a\n\tb\u{1b}[1m ", 80), "a b [1m");
        assert_eq!(line("abcdef", 3), "abc…");
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let long = shown(&"é".repeat(ASKED_LETTERS));
        assert_eq!(long.chars().count(), MAX_LETTERS + 1);
        assert!(long.ends_with("é…"));
        assert_eq!(shown(&"x".repeat(MAX_LETTERS)).len(), MAX_LETTERS);
        // What is cut off counts, too.
        let far = format!("select 'hunter2', {} as password", "1".repeat(MAX_LETTERS));
        assert!(!shown(&far).contains("hunter2"));
    }
}
