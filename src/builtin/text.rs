//! `text`: measures texts. Models cannot count what they read, nor keep to a length unless they are told to check.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plugin::{Completion, Plugin, Prompts, RequestError, Structured, ToolContext, Tools};

/// How many characters are measured before others get a turn.
const PIECE: usize = 64 << 10;

/// Numbers of words that people ask for.
const LENGTHS: [&str; 6] = ["25", "50", "100", "150", "200", "500"];

/// The plugin.
pub(super) struct Text;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The text to measure.
    text: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shorten {
    /// The text to shorten.
    text: String,
    /// How many words it may have in the end; a hundred if not given.
    words: Option<u32>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
struct Measures {
    /// Unicode characters (scalar values), line ends included.
    characters: usize,
    /// Runs of characters between white space.
    words: usize,
    /// Lines; a line end at the very end begins no other.
    lines: usize,
    /// Bytes in UTF-8.
    bytes: usize,
    /// Characters of the longest line, without its end.
    longest_line: usize,
}

impl Plugin for Text {
    fn tools(&self, tools: &mut Tools) {
        tools
            .add(
                "count",
                "Counts the characters, words, lines and bytes of a text",
                count,
            )
            .title("Count words")
            .read_only();
    }

    fn prompts(&self, prompts: &mut Prompts) {
        prompts
            .add(
                "shorten",
                "Shortens a text to a number of words, counted rather than guessed",
                shorten,
            )
            .title("Shorten a text")
            .complete("words", |typed, _| async move {
                Completion::starting_with(&typed, LENGTHS)
            });
    }

    fn cooperative(&self) -> bool {
        true
    }
}

async fn shorten(input: Shorten, _: ToolContext) -> Result<String, RequestError> {
    let Shorten { text, words } = input;
    match words.unwrap_or(100) {
        0 => Err(RequestError::bad_argument("words", "must be at least 1")),
        words => Ok(format!(
            "Shorten the text below to at most {words} words. Keep what it says and its language. Count the words of your \
             version with the tool that counts words, and shorten it again while it has more. Answer with the text \
             alone.\n\n{text}"
        )),
    }
}

async fn count(input: Input, _: ToolContext) -> Structured<Measures> {
    let mut measures = Measures {
        bytes: input.text.len(),
        ..Measures::default()
    };
    // The line so far, and the character before.
    let (mut line, mut before) = (0, '\n');
    for letter in input.text.chars() {
        measures.characters += 1;
        measures.words += usize::from(before.is_whitespace() && !letter.is_whitespace());
        measures.lines += usize::from(before == '\n');
        line += 1;
        if letter == '\n' {
            let end = 1 + usize::from(before == '\r');
            measures.longest_line = measures.longest_line.max(line - end);
            line = 0;
        }
        before = letter;
        if measures.characters.is_multiple_of(PIECE) {
            tokio::task::yield_now().await;
        }
    }
    measures.longest_line = measures.longest_line.max(line);
    Structured(measures)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(text: &str, expect: [usize; 5]) {
        let text = text.to_owned();
        let Structured(found) = count(Input { text }, ToolContext::detached()).await;
        let [characters, words, lines, bytes, longest_line] = expect;
        let expect = Measures {
            characters,
            words,
            lines,
            bytes,
            longest_line,
        };
        assert_eq!(found, expect);
    }

    #[tokio::test]
    async fn texts_are_measured() {
        check("", [0; 5]).await;
        check("one two\n", [8, 2, 1, 8, 7]).await;
        check("naïve\r\n\r\n ça va", [15, 3, 3, 17, 6]).await;
    }
}
