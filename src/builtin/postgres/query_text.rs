//! What is shown of a query's text.

/// The most letters that are shown.
const MAX_LETTERS: usize = 1_000;

/// How much of a text to ask the server for: one letter more, to see that there is more.
pub(super) const ASKED_LETTERS: usize = MAX_LETTERS + 1;

/// The text, cut where it is too long, and before anything that looks like a password.
pub(super) fn shown(text: &str) -> String {
    let (text, is_cut) = match password_at(text) {
        Some(at) => (&text[..at], true),
        None => (text, false),
    };
    let mut letters = text.chars();
    let mut shown: String = letters.by_ref().take(MAX_LETTERS).collect();
    if letters.next().is_some() {
        shown.push('…');
    } else if is_cut {
        shown.push_str("***");
    }
    shown
}

/// A text that may be shown, in one line of at most so many letters.
pub(super) fn line(text: &str, most: usize) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let flat = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    match flat.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &flat[..end]),
        None => flat,
    }
}

/// Where the value of a password begins: `PASSWORD 'x'`, `password = 'x'`, `host=a password=x`.
fn password_at(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    lower.match_indices("password").find_map(|(at, word)| {
        let after = at + word.len();
        let rest = &lower[after..];
        let value = rest.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '=');
        let begins = after + rest.len() - value.len();
        let is_bare = rest.starts_with('=') && !value.starts_with(['$', ' ']);
        let is_quoted = value.starts_with('\'') || value.starts_with("e'");
        (is_quoted || is_bare).then_some(begins)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_what_is_too_long_are_not_shown() {
        for (text, expect) in [
            ("SELECT 1", "SELECT 1"),
            (
                "ALTER ROLE a PASSWORD 'x' VALID",
                "ALTER ROLE a PASSWORD ***",
            ),
            ("alter role a password E'x'", "alter role a password ***"),
            ("UPDATE u SET password = 'x'", "UPDATE u SET password = ***"),
            (
                "CONNECTION 'host=h password=x'",
                "CONNECTION 'host=h password=***",
            ),
            (
                "SELECT password, a FROM u WHERE password = $1",
                "SELECT password, a FROM u WHERE password = $1",
            ),
            ("İ password 'x'", "İ password ***"),
        ] {
            assert_eq!(shown(text), expect);
        }
        assert_eq!(line(" a\n\tb\u{1b}[1m ", 80), "a b [1m");
        assert_eq!(line("abcdef", 3), "abc…");
        let long = shown(&"é".repeat(ASKED_LETTERS));
        assert_eq!(long.chars().count(), MAX_LETTERS + 1);
        assert!(long.ends_with("é…"));
        assert_eq!(shown(&"x".repeat(MAX_LETTERS)).len(), MAX_LETTERS);
    }
}
