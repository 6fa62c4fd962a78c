//! `sentry.get_issue`: what is known of an error, and where it last happened.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::builtin::monitoring::backend::Backend;
use crate::plugin::{ToolError, Worded};

/// The most frames of a stack that are shown, the innermost ones.
const MAX_FRAMES: usize = 20;

/// The most tags that are shown.
const MAX_TAGS: usize = 50;

/// The most characters of one text.
const MAX_TEXT: usize = 1_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The issue: its number, or its short name such as `SHOP-1A`, as they stand in Sentry and in its messages.
    #[schemars(length(min = 1, max = 200))]
    issue: String,
}

/// What is known of an issue.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Issue {
    id: String,
    short_id: String,
    title: String,
    culprit: String,
    level: String,
    status: String,
    project: String,
    first_seen: String,
    last_seen: String,
    events: u64,
    users: u64,
    link: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest: Option<Event>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_error: Option<String>,
}

/// One time it happened.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(super) struct Event {
    id: String,
    time: String,
    message: String,
    tags: Vec<(String, String)>,
    /// The stack, the outermost frame first; only the innermost ones.
    frames: Vec<String>,
}

#[derive(Deserialize)]
struct ShortName {
    group: Value,
}

/// Gets an issue of the organisation.
pub(super) async fn get_issue(
    sentry: &Backend,
    organization: &str,
    wanted: Wanted,
) -> Result<Worded<Issue>, ToolError> {
    let name = wanted.issue.trim();
    let organization = word(organization, "`sentry.organization`")?;
    let name = word(name, "an issue")?;
    let issues = format!("/api/0/organizations/{organization}");
    let raw: Value = match name.bytes().all(|letter| letter.is_ascii_digit()) {
        true => sentry.get(&format!("{issues}/issues/{name}/"), &[]).await?,
        false => {
            let path = format!("{issues}/shortids/{name}/");
            sentry.get::<ShortName>(&path, &[]).await?.group
        }
    };
    let mut issue = read(&raw);
    if issue.id.is_empty() {
        return Err(ToolError::new("Sentry answered something that is no issue"));
    }
    let id = word(&issue.id, "an issue")?;
    let latest = format!("{issues}/issues/{id}/events/latest/");
    match sentry.find::<Value>(&latest).await {
        Ok(latest) => issue.latest = latest.map(|event| happened(&event)),
        // What is known of the issue is worth something all the same.
        Err(error) => issue.latest_error = Some(error.message().to_owned()),
    }
    Ok(Worded {
        words: words(&issue),
        value: issue,
    })
}

/// A text that is part of a path: nothing in it can lead elsewhere.
fn word<'a>(text: &'a str, what: &str) -> Result<&'a str, ToolError> {
    let fits = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_');
    match !text.is_empty() && text.bytes().all(fits) {
        true => Ok(text),
        false => Err(ToolError::new(format!(
            "`{text}` is not the name of {what}: letters, digits, `-` and `_` only"
        ))),
    }
}

fn read(raw: &Value) -> Issue {
    Issue {
        id: text(raw, "/id"),
        short_id: text(raw, "/shortId"),
        title: text(raw, "/title"),
        culprit: text(raw, "/culprit"),
        level: text(raw, "/level"),
        status: text(raw, "/status"),
        project: text(raw, "/project/slug"),
        first_seen: text(raw, "/firstSeen"),
        last_seen: text(raw, "/lastSeen"),
        // A number that Sentry writes as a text.
        events: text(raw, "/count").parse().unwrap_or_default(),
        users: raw
            .pointer("/userCount")
            .and_then(Value::as_u64)
            .unwrap_or_default(),
        link: text(raw, "/permalink"),
        latest: None,
        latest_error: None,
    }
}

fn happened(raw: &Value) -> Event {
    let tag = |tag: &Value| (text(tag, "/key"), text(tag, "/value"));
    let tags = raw.pointer("/tags").and_then(Value::as_array);
    let entries = raw.pointer("/entries").and_then(Value::as_array);
    let exception = entries
        .into_iter()
        .flatten()
        .find(|entry| text(entry, "/type") == "exception");
    let last = exception.and_then(|entry| entry.pointer("/data/values")?.as_array()?.last());
    let frames = last.and_then(|value| value.pointer("/stacktrace/frames")?.as_array());
    let frames = frames.map(Vec::as_slice).unwrap_or_default();
    let innermost = &frames[frames.len().saturating_sub(MAX_FRAMES)..];
    Event {
        id: text(raw, "/eventID"),
        time: text(raw, "/dateCreated"),
        message: last.map_or_else(
            || text(raw, "/message"),
            |value| format!("{}: {}", text(value, "/type"), text(value, "/value")),
        ),
        tags: tags.into_iter().flatten().take(MAX_TAGS).map(tag).collect(),
        frames: innermost.iter().map(frame).collect(),
    }
}

fn frame(raw: &Value) -> String {
    let line = raw.pointer("/lineNo").and_then(Value::as_u64);
    let line = line.map_or_else(String::new, |line| format!(":{line}"));
    let function = text(raw, "/function");
    let own = match raw.pointer("/inApp").and_then(Value::as_bool) {
        Some(true) => "",
        _ => " (library)",
    };
    format!("{}{line} in {function}{own}", text(raw, "/filename"))
}

fn text(raw: &Value, pointer: &str) -> String {
    match raw.pointer(pointer) {
        Some(Value::String(text)) => bounded(text),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// On one line, and not too long.
fn bounded(text: &str) -> String {
    let mut letters = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut short: String = letters.by_ref().take(MAX_TEXT).collect();
    if letters.next().is_some() {
        short.push('…');
    }
    short
}

fn words(issue: &Issue) -> String {
    let mut words = format!(
        "{} {} ({}, {})\n{}\nin {} – project {}\nhappened {} times to {} users, first {}, last {}\n{}\n",
        issue.short_id,
        issue.title,
        issue.level,
        issue.status,
        issue.link,
        issue.culprit,
        issue.project,
        issue.events,
        issue.users,
        issue.first_seen,
        issue.last_seen,
        match (&issue.latest, &issue.latest_error) {
            (Some(latest), _) => format!("\nLatest, {}: {}", latest.time, latest.message),
            (None, Some(error)) => format!("When it last happened is not known: {error}"),
            // An issue may be kept for longer than what happened.
            (None, None) => "Nothing is kept of when it happened.".to_owned(),
        }
    );
    if let Some(latest) = &issue.latest {
        for frame in &latest.frames {
            words.push_str(&format!("  {frame}\n"));
        }
        let tags: Vec<String> = latest
            .tags
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        words.push_str(&tags.join(" "));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_stay_on_their_line() {
        assert_eq!(bounded("a\n\u{1b}[1mb"), "a  [1mb");
        assert_eq!(bounded(&"x".repeat(5_000)).chars().count(), MAX_TEXT + 1);
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        for (name, good) in [
            ("SHOP-1A", true),
            ("42", true),
            ("../../projects", false),
            ("a/b", false),
            ("a%2fb", false),
            ("", false),
            ("a?b", false),
        ] {
            assert_eq!(word(name, "an issue").is_ok(), good, "{name}");
        }
    }
}
