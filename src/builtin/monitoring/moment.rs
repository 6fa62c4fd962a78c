//! Points in time as people and models write them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::plugin::ToolError;

/// A time as a caller gives it: a text, or seconds since 1970.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a time is a text or a number")]
pub(super) enum Moment {
    Seconds(f64),
    Text(String),
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }
}

/// Reads a time, or `usual` where none is given; gives seconds since 1970. `now` is what the clock says.
pub(super) fn read(moment: Option<&Moment>, usual: &str, now: f64) -> Result<f64, ToolError> {
    match moment {
        None => read_text(usual, now),
        Some(Moment::Text(text)) => read_text(text, now),
        Some(Moment::Seconds(seconds)) => read_text(&seconds.to_string(), now),
    }
}

/// Reads `now`, a time before it such as `-15m`, `now-1h30m`, a date and time of RFC 3339, or seconds since 1970.
fn read_text(text: &str, now: f64) -> Result<f64, ToolError> {
    let text = text.trim();
    if text == "now" {
        return Ok(now);
    }
    let back = text.strip_prefix("now-").or_else(|| text.strip_prefix('-'));
    if let Some(seconds) = back.and_then(duration) {
        return Ok(now - seconds);
    }
    if let Ok(seconds) = text.parse::<f64>()
        && seconds.is_finite()
        && seconds >= 0.0
    {
        return Ok(seconds);
    }
    let moment = OffsetDateTime::parse(text, &Rfc3339);
    let moment = moment.map_err(|_| {
        ToolError::new(format!(
            "`{text}` is not a time: write `now`, `-15m`, `2026-01-31T12:00:00Z`, or seconds since 1970"
        ))
    })?;
    Ok(moment.unix_timestamp_nanos() as f64 / 1e9)
}

/// Reads a duration such as `90s`, `5m`, `1h30m`, `2d`; gives seconds.
pub(super) fn duration(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit = rest[end..]
            .find(|letter: char| letter.is_ascii_digit())
            .map_or(&rest[end..], |next| &rest[end..end + next]);
        seconds += number
            * match unit {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                "w" => 604_800.0,
                _ => return None,
            };
        rest = &rest[end + unit.len()..];
    }
    (seconds > 0.0).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, expect) in [
            ("now", Some(1_000_000.0)),
            ("-15m", Some(999_100.0)),
            ("now-1h30m", Some(994_600.0)),
            ("-500ms", Some(999_999.5)),
            ("12.5", Some(12.5)),
            ("1970-01-01T00:00:10+00:00", Some(10.0)),
            ("1970-01-01T00:00:10", None),
            ("yesterday", None),
            ("-", None),
            ("-1", None),
            ("-5x", None),
            ("NaN", None),
            ("", None),
        ] {
            assert_eq!(read_text(text, 1_000_000.0).ok(), expect, "{text}");
        }
        for (given, expect) in [
            ("12.5", Some(12.5)),
            ("1780000000", Some(1_780_000_000.0)),
            ("\"7\"", Some(7.0)),
            ("-5", None),
        ] {
            let moment: Moment = serde_json::from_str(given).expect("a time");
            assert_eq!(read(Some(&moment), "now", 9.0).ok(), expect, "{given}");
        }
        assert_eq!(read(None, "now", 9.0).ok(), Some(9.0));
        assert!(serde_json::from_str::<Moment>("[]").is_err());
    }
}
