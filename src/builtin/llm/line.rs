//! One line of text as the words of one command. No shell reads it, so what a shell would do something about is refused.

use std::borrow::Cow;

/// The most bytes of a line.
const MAX_BYTES: usize = 4_096;

/// The most words of a line.
const MAX_WORDS: usize = 64;

/// What a shell would do at a character, and what to do instead. Of those that quotes make harmless.
const SHELL: [(&[char], &str, &str); 8] = [
    (
        &['|'],
        "would send the output to another program",
        "leave that program out; `-o jsonpath=…` and `-l` choose what is printed",
    ),
    (
        &['&', ';'],
        "would run more than one command",
        "give one command",
    ),
    (
        &['<', '>'],
        "would read or write a file",
        "leave it out; the output comes back anyway",
    ),
    (
        &['(', ')'],
        "would run another command",
        "put it in single quotes, or leave it out",
    ),
    (
        &['{', '}', '[', ']', '*', '?'],
        "would be filled in by a shell",
        "put the word in single quotes",
    ),
    (
        &['~'],
        "stands for a folder in a shell",
        "leave it out; files are not read",
    ),
    (
        &['#'],
        "would begin a comment",
        "leave out what is no command",
    ),
    (
        &['!'],
        "would repeat an earlier command",
        "put the word in single quotes",
    ),
];

/// The words of `text`, quotes taken away. An error says which character is wrong, where, and what to do.
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("there is no command: it is an empty text".to_owned());
    }
    if text.len() > MAX_BYTES {
        let length = text.len();
        return Err(format!(
            "the command has {length} bytes, {MAX_BYTES} are the most"
        ));
    }
    look_through(text)?;
    let words = shlex::split(text)
        .ok_or("a quote is opened and not closed, or the last character is a `\\`")?;
    match words.len() > MAX_WORDS {
        true => Err(format!(
            "the command has {} words, {MAX_WORDS} are the most",
            words.len()
        )),
        false => Ok(words),
    }
}

/// Refuses what means something to a shell where it stands.
fn look_through(text: &str) -> Result<(), String> {
    let mut quote: Option<char> = None;
    for (place, letter) in (1..).zip(text.chars()) {
        let refuse = |what: &str, mend: &str| {
            let name = name_of(letter);
            Err(format!("{name} at character {place} {what}: {mend}"))
        };
        match (quote, letter) {
            (_, '\n' | '\r') => {
                return refuse("would end the command", "write one command on one line");
            }
            (_, letter) if letter.is_control() && letter != '\t' => {
                return refuse("does not belong into a command", "leave it out");
            }
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), _) => {}
            // Double quotes do not keep a shell from these.
            (_, '$' | '`') => {
                return refuse(
                    "would put in a variable or the output of another command",
                    "write the value itself, or put the word in single quotes",
                );
            }
            (_, '\\') => {
                return refuse("would quote what follows", "use single quotes instead");
            }
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, letter) if !letter.is_ascii() => {
                return refuse("is no letter of a command", "use plain quotes and hyphens");
            }
            (None, letter) => {
                let known = SHELL.iter().find(|(letters, ..)| letters.contains(&letter));
                if let Some((_, what, mend)) = known {
                    return refuse(what, mend);
                }
            }
        }
    }
    Ok(())
}

fn name_of(letter: char) -> String {
    match letter {
        '\n' | '\r' => "the end of a line".to_owned(),
        letter if letter.is_control() => format!("the control character U+{:04X}", letter as u32),
        letter => format!("`{letter}`"),
    }
}

/// Words as a line that gives them again, also in a shell.
pub(super) fn line_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words = words.into_iter().map(|word| {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:,=".contains(letter);
        match !word.is_empty() && !word.starts_with('=') && word.chars().all(is_plain) {
            true => Cow::Borrowed(word),
            // Words of a command hold no NUL, which is all that cannot be quoted.
            false => shlex::try_quote(word).unwrap_or_default(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_taken_away_and_nothing_else_happens() {
        let all = words(r#" kubectl get pods -o 'jsonpath={.items[*].x}' -l "app in (a, b)" "#);
        let all = all.expect("it is one command");
        let expect = [
            "kubectl",
            "get",
            "pods",
            "-o",
            "jsonpath={.items[*].x}",
            "-l",
            "app in (a, b)",
        ];
        assert_eq!(all, expect);
        assert_eq!(
            words(&line_of(expect)).expect("it can be read again"),
            expect
        );
    }

    #[test]
    fn what_a_shell_would_act_on_is_named_with_its_place() {
        for (text, part) in [
            ("kubectl get pods | sh", "`|` at character 18 would send"),
            ("kubectl get pods; id", "`;` at character 17 would run more"),
            ("kubectl get pods && id", "`&` at character 18"),
            (
                "kubectl get pods > /x",
                "`>` at character 18 would read or write",
            ),
            ("kubectl get pods < /x", "`<` at character 18"),
            ("kubectl get $(id)", "`$` at character 13 would put in"),
            ("kubectl get \"$(id)\"", "`$` at character 14"),
            ("kubectl get `id`", "``` at character 13"),
            ("kubectl get pods\nid", "the end of a line at character 17"),
            ("kubectl get 'a\nb'", "the end of a line at character 15"),
            ("kubectl get po*", "`*` at character 15 would be filled in"),
            ("kubectl get {a,b}", "`{` at character 13"),
            ("kubectl get ~/x", "`~` at character 13"),
            ("kubectl get x # y", "`#` at character 15"),
            ("kubectl get !!", "`!` at character 13"),
            ("kubectl get (x", "`(` at character 13"),
            ("kubectl get a\\ b", "`\\` at character 14"),
            ("kubectl get \u{7}", "U+0007 at character 13"),
            ("kubectl get –A", "`–` at character 13 is no letter"),
            ("kubectl get 'a", "is opened and not closed"),
            ("  ", "there is no command"),
        ] {
            let error = words(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        let long = format!("kubectl get {}", "a".repeat(MAX_BYTES));
        assert!(words(&long).expect_err("it is long").contains("4096"));
        let many = format!("kubectl get {}", "a ".repeat(MAX_WORDS));
        assert!(words(&many).expect_err("they are many").contains("64"));
    }
}
