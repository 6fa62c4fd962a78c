//! Texts of others, made fit to be shown: on one line, and not longer than they are worth.

/// With a space for each control character: what breaks lines, or moves the cursor of a terminal.
pub(crate) fn plain(text: &str) -> String {
    let space = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.chars().map(space).collect()
}

/// The same with single spaces between words, and none around them.
pub(crate) fn flat(text: &str) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// At most so many characters; where more were, `…` follows.
pub(crate) fn cut(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Parts of names that nothing but secrets have, in small letters.
pub(crate) const SECRET_WORDS: [&str; 6] =
    ["pwd", "password", "passwd", "passphrase", "secret", "token"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_on_one_line_and_bounded() {
        assert_eq!(plain(" a\n\u{1b}[1mb\t"), " a  [1mb ");
        assert_eq!(flat(" a\n\u{1b}[1mb\t\tc "), "a [1mb c");
        assert_eq!(cut("éab".to_owned(), 3), "éab");
        assert_eq!(cut("éab".to_owned(), 1), "é…");
    }
}
