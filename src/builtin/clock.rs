//! `clock`: what time it is. Models do not know.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::Serialize;

use crate::plugin::{NoArguments, Plugin, Structured, ToolContext, ToolError, Tools};

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

fn now(_: NoArguments, _: ToolContext) -> std::future::Ready<Result<Structured<Now>, ToolError>> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.map_err(|_| ToolError::new("the clock of this machine stands before 1970"));
    std::future::ready(now.map(|now| Structured(at(now))))
}

/// A time after 1970-01-01T00:00:00Z in words. Leap seconds do not exist, as in POSIX.
fn at(since_1970: Duration) -> Now {
    const WEEKDAYS: [&str; 7] = [
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
        "Monday",
        "Tuesday",
        "Wednesday",
    ];
    let seconds = since_1970.as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
    let ms = since_1970.subsec_millis();
    Now {
        utc: format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{ms:03}Z"),
        weekday: WEEKDAYS[(days % 7) as usize],
        unix_ms: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX),
    }
}

/// The Gregorian date so many days after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from 1 March 1600, so that a leap day is always the last day of its year, century and cycle: 400 years are
    // 146,097 days, 100 are 36,524, 4 are 1,461.
    const TO_MARCH_1600: u64 = 135_080;
    let days = days + TO_MARCH_1600;
    let (cycle, days) = (days / 146_097, days % 146_097);
    let century = (days / 36_524).min(3);
    let days = days - century * 36_524;
    let (four, days) = (days / 1461, days % 1461);
    let one = (days / 365).min(3);
    let days = days - one * 365;
    // Months from March on: 31 30 31 30 31, twice, and what is left.
    let month = (days * 5 + 2) / 153;
    let day = days - (month * 153 + 2) / 5 + 1;
    let year = 1600 + cycle * 400 + century * 100 + four * 4 + one + u64::from(month >= 10);
    (year, if month < 10 { month + 3 } else { month - 9 }, day)
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

    #[test]
    fn every_day_follows_the_one_before_it() {
        let mut before = date(0);
        assert_eq!(before, (1970, 1, 1));
        for days in 1..200_000 {
            let (year, month, day) = before;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let next = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == last => (year, month + 1, 1),
                (_, day) => (year, month, day + 1),
            };
            assert_eq!(date(days), next);
            before = next;
        }
    }
}
