//! Topics of events, and patterns that choose among them.

use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// The most characters that a topic or a pattern may have.
pub const MAX_LEN: usize = 128;

/// What an event is about: words of `a-z 0-9 _ -` joined by dots, as in `task.done`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Topic(Arc<str>);

/// Chooses topics: a topic in which `*` stands for one or more characters, dots included. `task.*` chooses `task.done` and
/// `task.step.done`, not `tasks.x` and not `task`; `*` chooses all.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Arc<str>);

/// A text that is no topic or no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a {noun}: words of `a-z 0-9 _ -`{star} joined by dots, {MAX_LEN} characters at the most"
)]
pub struct BadTopic {
    text: String,
    noun: &'static str,
    star: &'static str,
}

impl Topic {
    /// The topic as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Pattern {
    /// The pattern of all topics.
    pub fn all() -> Self {
        Self("*".into())
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it chooses `topic`.
    pub fn chooses(&self, topic: &str) -> bool {
        chooses(self.0.as_bytes(), topic.as_bytes())
    }
}

/// Goes back to the latest star where the rest does not fit, so each pair of characters is compared once at the most.
fn chooses(pattern: &[u8], topic: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < topic.len() {
        if pattern.get(p) == Some(&b'*') {
            // It takes this character, and more only if it must.
            star = Some((p + 1, t + 1));
            p += 1;
            t += 1;
        } else if pattern.get(p) == Some(&topic[t]) {
            p += 1;
            t += 1;
        } else if let Some((after, taken)) = star {
            star = Some((after, taken + 1));
            p = after;
            t = taken + 1;
        } else {
            return false;
        }
    }
    p == pattern.len()
}

fn is_formed(text: &str, fits: impl Fn(u8) -> bool) -> bool {
    text.len() <= MAX_LEN
        && text
            .split('.')
            .all(|word| !word.is_empty() && word.bytes().all(&fits))
}

fn in_words(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-')
}

impl FromStr for Topic {
    type Err = BadTopic;

    fn from_str(text: &str) -> Result<Self, BadTopic> {
        match is_formed(text, in_words) {
            true => Ok(Self(text.into())),
            false => Err(BadTopic::of(text, "topic", "")),
        }
    }
}

impl FromStr for Pattern {
    type Err = BadTopic;

    fn from_str(text: &str) -> Result<Self, BadTopic> {
        match is_formed(text, |byte| byte == b'*' || in_words(byte)) {
            true => Ok(Self(text.into())),
            false => Err(BadTopic::of(text, "pattern of topics", " and `*`")),
        }
    }
}

impl BadTopic {
    fn of(text: &str, noun: &'static str, star: &'static str) -> Self {
        Self {
            text: text.chars().take(MAX_LEN + 1).collect(),
            noun,
            star,
        }
    }
}

impl TryFrom<String> for Topic {
    type Error = BadTopic;

    fn try_from(text: String) -> Result<Self, BadTopic> {
        text.parse()
    }
}

impl TryFrom<String> for Pattern {
    type Error = BadTopic;

    fn try_from(text: String) -> Result<Self, BadTopic> {
        text.parse()
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl std::fmt::Debug for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0, f)
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Topic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// O6: `task.done` reaches `task.*` and not `tasks.x`.
    #[test]
    fn patterns_choose_topics() {
        for (pattern, topic, expect) in [
            ("task.*", "task.done", true),
            ("task.*", "task.a.b", true),
            ("task.*", "tasks.x", false),
            ("task.*", "task", false),
            ("tasks.x", "task.done", false),
            ("*", "task", true),
            ("*", "a.b.c", true),
            ("*.done", "task.done", true),
            ("*.done", "done", false),
            ("*.done", "a.done.done", true),
            ("t*k.*e", "task.done", true),
            ("t*k.*e", "tk.done", false),
            ("a.b", "a.b", true),
            ("a.b", "a.bc", false),
            ("a*", "a", false),
            ("a*a*b", "aaaaaaaaaaaaab", true),
            ("a*a*b", "aaaaaaaaaaaaac", false),
        ] {
            let chosen: Pattern = pattern.parse().expect("a pattern");
            assert_eq!(chosen.chooses(topic), expect, "{pattern} {topic}");
        }
    }

    #[test]
    fn topics_follow_the_rule() {
        let longest = "a".repeat(MAX_LEN);
        for good in ["a", "task.done", "a-b_c.0", longest.as_str()] {
            assert!(good.parse::<Topic>().is_ok(), "{good}");
        }
        let too_long = "a".repeat(MAX_LEN + 1);
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "A",
            "a b",
            "a/b",
            "ä",
            "*",
            too_long.as_str(),
        ] {
            assert!(bad.parse::<Topic>().is_err(), "{bad}");
        }
        for bad in ["", "a.", "A*", "a?"] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad}");
        }
        let told = "A".parse::<Pattern>().expect_err("a capital").to_string();
        insta::assert_snapshot!(told, @"`A` is not a pattern of topics: words of `a-z 0-9 _ -` and `*` joined by dots, 128 characters at the most");
    }
}
