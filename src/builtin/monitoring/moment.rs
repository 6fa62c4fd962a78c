//! Points in time as people and models write them.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::plugin::ToolError;

/// Reads `now`, a time before it such as `-15m`, `now-1h30m`, a date and time of RFC 3339, or seconds since 1970; gives
/// seconds since 1970. `now` is what the clock says.
pub(super) fn read(text: &str, now: f64) -> Result<f64, ToolError> {
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
            assert_eq!(read(text, 1_000_000.0).ok(), expect, "{text}");
        }
    }
}
