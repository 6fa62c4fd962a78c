//! Which calls a request asks for: its query, and what the caller may see.

use std::time::Duration;

use serde::Deserialize;
use time::{Date, Month, Time, UtcOffset};

use crate::ledger::ids::{self, first_of, now_ms};
use crate::ledger::record::{CallFilter, CallRow, Page};
use crate::model::caller::{Caller, READ};

/// How many are on a page where the request does not say, and at most.
const PAGE: u32 = 100;
pub(in crate::front) const MAX_PAGE: u32 = 1_000;

/// The query of a list of calls.
#[derive(Debug, Default, Deserialize)]
pub(in crate::front) struct CallsQuery {
    tool: Option<String>,
    plugin: Option<String>,
    principal: Option<String>,
    outcome: Option<String>,
    incident: Option<String>,
    since: Option<String>,
    until: Option<String>,
    #[serde(flatten)]
    page: PageQuery,
}

/// The part of a query that says which page.
#[derive(Debug, Default, Deserialize)]
pub(in crate::front) struct PageQuery {
    limit: Option<String>,
    before: Option<String>,
}

/// Whose rows a caller may see.
pub(in crate::front) struct Bounds<'a> {
    /// Only this one's, if it is named.
    pub(in crate::front) principal: Option<&'a str>,
}

impl<'a> Bounds<'a> {
    pub(in crate::front) fn of(caller: &'a Caller) -> Self {
        let principal = (!caller.may(READ)).then_some(&*caller.principal);
        Self { principal }
    }

    pub(in crate::front) fn let_see(&self, call: &CallRow) -> bool {
        self.principal.is_none_or(|own| own == call.principal)
    }
}

impl CallsQuery {
    /// What is asked for, as far as the caller may see it.
    pub(in crate::front) fn read(self, caller: &Caller) -> Result<(CallFilter, Page), String> {
        let page = self.page.read()?;
        let incident = self.incident.as_deref().map(|text| {
            let id = ids::read(text);
            id.ok_or_else(|| "`incident` is the id of an incident".to_owned())
        });
        let own = Bounds::of(caller).principal;
        if let (Some(own), Some(asked)) = (own, &self.principal)
            && own != asked
        {
            return Err("without the scope `read` there are calls of your own only".to_owned());
        }
        let filter = CallFilter {
            tool: self.tool,
            plugin: self.plugin,
            principal: self.principal.or_else(|| own.map(str::to_owned)),
            outcome: self.outcome,
            incident: incident.transpose()?,
            since: moment("since", self.since.as_deref())?.map(first_of),
            until: moment("until", self.until.as_deref())?.map(|ms| first_of(ms + 1) - 1),
            plugins: caller
                .plugins
                .as_ref()
                .map(|plugins| plugins.iter().map(ToString::to_string).collect()),
        };
        Ok((filter, page))
    }
}

impl PageQuery {
    pub(in crate::front) fn read(&self) -> Result<Page, String> {
        let limit = match self.limit.as_deref().map(str::parse) {
            None => PAGE,
            Some(Ok(limit)) if (1..=MAX_PAGE).contains(&limit) => limit,
            Some(_) => return Err(format!("`limit` is 1 to {MAX_PAGE}")),
        };
        let before = self.before.as_deref().map(|text| {
            let id = ids::read(text);
            id.ok_or_else(|| "`before` is the `next` of the page before".to_owned())
        });
        Ok(Page {
            before: before.transpose()?,
            limit,
        })
    }
}

/// A time in milliseconds since 1970: as RFC 3339 writes it, or as a span before now (`90s`, `15m`, `2h`, `7d`).
pub(in crate::front) fn moment(key: &str, text: Option<&str>) -> Result<Option<u64>, String> {
    let Some(text) = text else { return Ok(None) };
    let ago = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        let span = Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?);
        Some(now_ms().saturating_sub(u64::try_from(span.as_millis()).ok()?))
    };
    let expected = || {
        format!(
            "`{key}` is a time such as `2026-01-31T12:00:00Z`, or a span before now such as `15m`"
        )
    };
    let at = ago().or_else(|| rfc3339(text)).ok_or_else(expected)?;
    Ok(Some(at))
}

/// Milliseconds since 1970 of a time as RFC 3339 writes it.
pub(in crate::front) fn rfc3339(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut date = date.split('-');
    let year: i32 = date.next()?.parse().ok()?;
    let month: u8 = date.next()?.parse().ok()?;
    let day: u8 = date.next()?.parse().ok()?;
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let at = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at(at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let mut next = || parts.next()?.parse::<u8>().ok();
    let (hour, minute) = (next()?, next()?);
    let second = next().unwrap_or(0);
    let milli: u16 = format!("{:0<3.3}", fraction).parse().ok()?;
    let time = Time::from_hms_milli(hour, minute, second, milli).ok()?;
    let offset = match zone {
        "Z" | "z" => UtcOffset::UTC,
        zone => {
            let (sign, zone) = (if zone.starts_with('-') { -1 } else { 1 }, &zone[1..]);
            let (hours, minutes) = zone.split_once(':')?;
            let (hours, minutes): (i8, i8) = (hours.parse().ok()?, minutes.parse().ok()?);
            UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()?
        }
    };
    let nanos = date
        .with_time(time)
        .assume_offset(offset)
        .unix_timestamp_nanos();
    u64::try_from(nanos / 1_000_000).ok()
}

/// Whether the caller sees the plugin of that id.
pub(in crate::front) fn is_seen(caller: &Caller, id: &str) -> bool {
    match id.parse() {
        Ok(id) => caller.sees(&id),
        Err(_) => caller.plugins.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, expect) in [
            ("1970-01-01T00:00:01Z", Some(1_000)),
            ("1970-01-01T00:00Z", Some(0)),
            ("2000-02-29T00:00:00.007Z", Some(951_782_400_007)),
            ("1970-01-01T01:00:00.5+01:00", Some(500)),
            ("1969-12-31T23:00:00-01:30", Some(1_800_000)),
            ("2000-02-30T00:00:00Z", None),
            ("2000-02-29", None),
            ("2000-02-29T00:00:00", None),
            ("2000-02-29T25:00:00Z", None),
            ("", None),
            ("yesterday", None),
        ] {
            assert_eq!(rfc3339(text), expect, "{text}");
        }
        let ago = moment("since", Some("2h"))
            .expect("a span")
            .expect("a time");
        assert!(now_ms() - ago >= 7_200_000);
        assert!(moment("since", Some("2x")).is_err_and(|err| err.contains("`since`")));
        assert!(moment("since", Some("é")).is_err());
    }
}
