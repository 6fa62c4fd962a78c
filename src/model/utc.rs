//! Times in words.

use std::time::Duration;

use time::OffsetDateTime;

/// A time after 1970-01-01T00:00:00Z as RFC 3339 writes it. Leap seconds do not exist, as in POSIX.
pub(crate) fn utc(since_1970: Duration) -> String {
    let now = OffsetDateTime::UNIX_EPOCH + since_1970;
    let (date, time) = (now.date(), now.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond(),
    )
}
