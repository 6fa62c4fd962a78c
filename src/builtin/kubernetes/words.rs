//! How things are written for people: ages, amounts of bytes, texts of others.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use crate::model::text::{cut, plain};
use crate::plugin::Clock;

/// Now, as Kubernetes' own times are.
pub(super) fn now(clock: Clock) -> Timestamp {
    let ms = i64::try_from(clock.unix_ms()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Seconds since then; 0 for what lies ahead.
pub(super) fn seconds_since(then: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.as_second().saturating_sub(then.as_second())).unwrap_or(0)
}

/// How long ago that was; `–` where it is not known.
pub(super) fn age_of(then: Option<&Time>, now: Timestamp) -> String {
    then.map_or_else(|| "–".to_owned(), |then| age(seconds_since(then.0, now)))
}

/// A time as RFC 3339 writes it.
pub(super) fn moment(time: &Time) -> String {
    time.0.to_string()
}

/// So many seconds, in two units at the most: `45s`, `3m20s`, `5h12m`, `9d4h`.
pub(super) fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |large: u64, unit: char, small: u64, smaller: char| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit}{small}{smaller}"),
    };
    match (days, hours, minutes) {
        (100.., _, _) => format!("{days}d"),
        (1.., _, _) => two(days, 'd', hours % 24, 'h'),
        (_, 1.., _) => two(hours, 'h', minutes % 60, 'm'),
        (_, _, 1..) => two(minutes, 'm', seconds % 60, 's'),
        _ => format!("{seconds}s"),
    }
}

/// So many bytes: `812 bytes`, `4.1 kB`, `1.2 MB`.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// A number with its noun.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    }
}

/// A text of others in one line of at most `most` letters: what breaks lines or is no text becomes a space.
pub(super) fn line(text: &str, most: usize) -> String {
    cut(plain(text.trim()), most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units_at_the_most() {
        for (seconds, expect) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (200, "3m20s"),
            (18_720, "5h12m"),
            (86_400, "1d"),
            (792_000, "9d4h"),
            (8_640_000, "100d"),
        ] {
            assert_eq!(age(seconds), expect);
        }
    }

    #[test]
    fn bytes_are_said_in_the_unit_that_fits() {
        for (count, expect) in [(812, "812 bytes"), (4_100, "4.1 kB"), (1_234_567, "1.2 MB")] {
            assert_eq!(bytes(count), expect);
        }
    }

    #[test]
    fn texts_of_others_stay_in_their_line() {
        assert_eq!(line(" a\nb\u{1b}[1m ", 80), "a b [1m");
        assert_eq!(line("abcdef", 3), "abc…");
    }
}
