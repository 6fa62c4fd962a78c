//! `clock`: what time it is. Models do not know.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::Serialize;

use time::OffsetDateTime;

use crate::plugin::{NoArguments, Plugin, Structured, ToolContext, ToolError, Tools, utc};

/// The plugin.
pub(super) struct Clock;

#[derive(Serialize, JsonSchema)]
struct Now {
    /// The date and time in UTC, as RFC 3339 writes it, to the millisecond.
    utc: String,
    /// The day of the week in UTC.
    weekday: &'static str,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    unix_ms: u64,
}

impl Plugin for Clock {
    fn tools(&self, tools: &mut Tools) {
        tools
            .add("now", "Says the current date and time in UTC", now)
            .title("Current time")
            .read_only();
    }

    fn cooperative(&self) -> bool {
        true
    }
}

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

fn now(_: NoArguments, _: ToolContext) -> std::future::Ready<Result<Structured<Now>, ToolError>> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.map_err(|_| ToolError::new("the clock of this machine stands before 1970"));
    std::future::ready(now.map(|now| Structured(at(now))))
}

/// A time after 1970-01-01T00:00:00Z in words. Leap seconds do not exist, as in POSIX.
fn at(since_1970: Duration) -> Now {
    let now = OffsetDateTime::UNIX_EPOCH + since_1970;
    Now {
        utc: utc(since_1970),
        weekday: WEEKDAYS[usize::from(now.weekday().number_days_from_monday())],
        unix_ms: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: u64, expect: &str) {
        let now = at(Duration::from_millis(seconds * 1000 + 7));
        assert_eq!(format!("{} {}", now.utc, now.weekday), expect);
    }

    // From `date -u -d @N`.
    #[test]
    fn known_seconds_have_known_dates() {
        check(0, "1970-01-01T00:00:00.007Z Thursday");
        check(951_782_400, "2000-02-29T00:00:00.007Z Tuesday");
        check(951_868_800, "2000-03-01T00:00:00.007Z Wednesday");
        check(1_709_251_199, "2024-02-29T23:59:59.007Z Thursday");
        check(1_795_132_800, "2026-11-20T00:00:00.007Z Friday");
        check(4_107_542_399, "2100-02-28T23:59:59.007Z Sunday");
        check(4_107_542_400, "2100-03-01T00:00:00.007Z Monday");
    }
}
