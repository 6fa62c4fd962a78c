//! `text`: measures texts. Models cannot count what they read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plugin::{Plugin, Structured, ToolContext, Tools};

/// How many characters are measured before others get a turn.
const PIECE: usize = 64 << 10;

/// The plugin.
pub(super) struct Text;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The text to measure.
    text: String,
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

    fn cooperative(&self) -> bool {
        true
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
