//! Command lines: one program and its arguments, as people type them. What only a shell could make something of is refused,
//! since none reads them.

/// Splits a line into words. The error names what is wrong, where, and what to do instead.
pub(super) fn split(line: &str) -> Result<Vec<String>, String> {
    scan(line)?;
    let words =
        shlex::split(line).ok_or("`command` cannot be split into words: check its quotes")?;
    match words.is_empty() {
        true => Err("`command` is empty: begin with the name of a program".to_owned()),
        false => Ok(words),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    /// Since this character.
    Single(usize),
    Double(usize),
}

/// Looks for what a shell would read. Places are counted in characters, from 1.
fn scan(line: &str) -> Result<(), String> {
    let mut quote = Quote::None;
    let mut begins_word = true;
    let mut letters = line
        .chars()
        .enumerate()
        .map(|(at, letter)| (at + 1, letter));
    while let Some((at, letter)) = letters.next() {
        if letter == '\0' {
            return Err(format!(
                "`command` has a NUL at character {at}: leave it out"
            ));
        }
        let before = std::mem::replace(&mut begins_word, false);
        match (quote, letter) {
            (Quote::None, '\'') => quote = Quote::Single(at),
            (Quote::None, '"') => quote = Quote::Double(at),
            (Quote::Single(_), '\'') | (Quote::Double(_), '"') => quote = Quote::None,
            (Quote::Single(_), _) => {}
            (_, '\\') if letters.next().is_none() => {
                return Err(format!(
                    "`command` ends with `\\` at character {at}: quote it in single quotes, or leave it out"
                ));
            }
            (_, '\\') => {}
            (Quote::Double(_), '$' | '`') => return Err(refused(at, letter)),
            (Quote::Double(_), _) => {}
            (Quote::None, ' ' | '\t') => begins_word = true,
            (Quote::None, '~' | '#') if !before => {}
            (Quote::None, _) if mend(letter).is_some() => return Err(refused(at, letter)),
            (Quote::None, _) => {}
        }
    }
    match quote {
        Quote::None => Ok(()),
        Quote::Single(at) => Err(open(at, '\'')),
        Quote::Double(at) => Err(open(at, '"')),
    }
}

fn open(at: usize, quote: char) -> String {
    format!(
        "`command` has a quote {quote} at character {at} that is not closed: close it, or write `\\{quote}`"
    )
}

fn refused(at: usize, letter: char) -> String {
    let shown = match letter {
        '\n' => "a line break".to_owned(),
        '\r' => "a carriage return".to_owned(),
        '`' => "a backquote".to_owned(),
        letter => format!("`{letter}`"),
    };
    let mend = mend(letter).unwrap_or_default();
    format!(
        "`command` has {shown} at character {at}, and no shell reads it: {mend}; if the character itself is meant, put the word in single quotes, or use `program` and `args`"
    )
}

/// What to do in place of what this character asks a shell for; `None` where it asks for nothing.
fn mend(letter: char) -> Option<&'static str> {
    Some(match letter {
        '|' => "run the first program alone, then the second with what came out as `input`",
        '>' => "no output goes to files, it comes back in the result",
        '<' => "name the file as an argument, or give its text as `input`",
        '&' | ';' | '\n' | '\r' => "call the tool once for each command",
        '$' | '`' => "nothing is filled in, so write the value itself",
        '(' | ')' => "there are no subshells: call the tool once for each command",
        '{' | '}' => "nothing is spelled out, so write each word",
        '*' | '?' | '[' | ']' => {
            "names of files are not filled in, so name them, or use `find` with a quoted pattern"
        }
        '~' => "write the whole path",
        '#' => "there are no comments: leave it out",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_would() {
        for (line, expect) in [
            ("ls -la /tmp", &["ls", "-la", "/tmp"][..]),
            (
                "grep -n 'a b|c' \"x y\" z\\ z",
                &["grep", "-n", "a b|c", "x y", "z z"],
            ),
            ("find . -name '*.log'", &["find", ".", "-name", "*.log"]),
            (
                "echo a~b a#b '' \\* \"it's\" '$HOME'",
                &["echo", "a~b", "a#b", "", "*", "it's", "$HOME"],
            ),
            ("  ls\t", &["ls"]),
        ] {
            assert_eq!(split(line).expect(line), expect, "{line}");
        }
    }

    #[test]
    fn what_a_shell_would_read_is_named_with_its_place_and_a_mend() {
        for (line, place, part) in [
            ("ls | wc", "`|` at character 4", "as `input`"),
            ("ls > x", "`>` at character 4", "comes back in the result"),
            ("wc < x", "`<` at character 4", "give its text as `input`"),
            ("é; rm x", "`;` at character 2", "once for each command"),
            ("ls && rm", "`&` at character 4", "once for each command"),
            (
                "ls\nrm x",
                "a line break at character 3",
                "once for each command",
            ),
            (
                "ls\rrm x",
                "a carriage return at character 3",
                "once for each command",
            ),
            ("ls $HOME", "`$` at character 4", "write the value itself"),
            (
                "ls \"$HOME\"",
                "`$` at character 5",
                "write the value itself",
            ),
            (
                "ls `id`",
                "a backquote at character 4",
                "write the value itself",
            ),
            (
                "ls \"`id`\"",
                "a backquote at character 5",
                "write the value itself",
            ),
            ("(ls)", "`(` at character 1", "no subshells"),
            ("ls {a,b}", "`{` at character 4", "write each word"),
            ("ls *.log", "`*` at character 4", "use `find`"),
            ("ls a?", "`?` at character 5", "use `find`"),
            ("ls [ab]", "`[` at character 4", "use `find`"),
            ("ls ~/x", "`~` at character 4", "write the whole path"),
            ("ls # x", "`#` at character 4", "no comments"),
            ("ls 'a", "' at character 4", "close it"),
            ("ls \"a", "\" at character 4", "close it"),
            ("ls \\", "`\\` at character 4", "leave it out"),
            ("ls \0", "a NUL at character 4", "leave it out"),
            ("  ", "is empty", "begin with the name"),
        ] {
            let told = split(line).expect_err(line);
            assert!(
                told.contains(place) && told.contains(part),
                "{line:?}: {told}"
            );
        }
    }
}
