//! One task of a user: a tool that is run now, at a time, or again and again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use crate::model::caller::{Caller, Scopes};
use crate::model::plugin_id::PluginId;
use crate::plugin::utc;
use crate::wire::json::Json;

/// How many runs are kept of one task.
pub(super) const MAX_HISTORY: usize = 50;

/// The most bytes of a result that are kept.
pub(super) const MAX_RESULT: usize = 64 << 10;

/// The most bytes of results that one task keeps; the oldest go first.
const MAX_RESULTS: usize = 128 << 10;

/// Milliseconds since 1970, written as RFC 3339 in UTC wherever somebody sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// When a task is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum When {
    /// Once, as soon as there is room.
    Now,
    /// Once, at a time; one that is over is now.
    At {
        /// The time.
        time: Moment,
    },
    /// Again and again, first at once.
    Every {
        /// Milliseconds from the beginning of one run to that of the next. A run that takes longer delays the next one.
        interval_ms: u64,
    },
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for its time.
    Scheduled,
    /// It runs.
    Running,
    /// A run failed; it waits for the next attempt.
    Waiting,
    /// It has come to a good end.
    Done,
    /// Its last attempt failed.
    Failed,
    /// Somebody has called it off.
    Cancelled,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The tool has done it.
    Ok,
    /// The tool or the gateway failed.
    Error,
    /// It was called off.
    Cancelled,
}

/// One run of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Counted from 1.
    pub number: u64,
    /// When it was begun.
    pub started: Moment,
    /// When it ended.
    pub finished: Moment,
    /// What it came to.
    pub outcome: Outcome,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The tool's result; what is larger than 64 KiB is `{"truncated":true,"bytes":…,"text":"…"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The number of the call in this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<u64>,
}

/// Who a task belongs to, with all that it could do when the task was made. A run never may more than that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The name of its credential.
    pub principal: Arc<str>,
    /// The plugins it may see; all when left out.
    #[serde(default)]
    pub plugins: Option<Vec<PluginId>>,
    /// Its scopes; all when left out.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// Whether it needs a scope for the tools of a plugin.
    #[serde(default)]
    pub tools_by_scope: bool,
    /// Whether it may only call tools that are known to change nothing.
    #[serde(default)]
    pub read_only: bool,
}

/// A task as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// The listed name of the tool.
    pub tool: String,
    /// What the tool is called with, an object.
    pub arguments: Json,
    /// When it is run.
    pub schedule: When,
    /// Where it stands.
    pub status: Status,
    /// When it was made.
    pub created: Moment,
    /// Whose it is.
    pub owner: Owner,
    /// Milliseconds that one run may take, where they are fewer than the tool may.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// How often a run that failed is tried again.
    #[serde(default)]
    pub retries: u32,
    /// How many attempts of the run that is due have failed.
    #[serde(default)]
    pub attempt: u32,
    /// When it is run next.
    #[serde(default)]
    pub next_run: Option<Moment>,
    /// When the run that is due was planned for, before attempts failed.
    #[serde(default)]
    pub planned: Option<Moment>,
    /// When the run that goes on was begun.
    #[serde(default)]
    pub started: Option<Moment>,
    /// How often it was run.
    #[serde(default)]
    pub runs: u64,
    /// How many of these failed.
    #[serde(default)]
    pub failures: u64,
    /// The last runs, the latest last.
    #[serde(default)]
    pub history: VecDeque<Run>,
}

/// What callers see of a task.
#[derive(Debug, Serialize)]
pub struct Shown<'a> {
    id: &'a str,
    name: &'a str,
    tool: &'a str,
    arguments: &'a Json,
    schedule: &'a When,
    status: Status,
    created: Moment,
    created_by: &'a str,
    next_run: Option<Moment>,
    runs: u64,
    failures: u64,
    retries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    last_run: Option<&'a Run>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<&'a VecDeque<Run>>,
}

impl Owner {
    /// `caller`, as it is now.
    pub fn of(caller: &Caller) -> Self {
        Self {
            principal: Arc::clone(&caller.principal),
            plugins: caller.plugins.as_ref().map(|plugins| plugins.to_vec()),
            scopes: match &caller.scopes {
                Scopes::All => None,
                Scopes::Only(scopes) => Some(scopes.to_vec()),
            },
            tools_by_scope: caller.tools_by_scope,
            read_only: caller.read_only,
        }
    }

    /// The caller of its runs.
    pub fn caller(&self) -> Caller {
        Caller {
            principal: Arc::clone(&self.principal),
            plugins: self.plugins.clone().map(Into::into),
            scopes: match &self.scopes {
                None => Scopes::All,
                Some(scopes) => Scopes::Only(scopes.clone().into()),
            },
            tools_by_scope: self.tools_by_scope,
            read_only: self.read_only,
        }
    }
}

impl Status {
    /// Whether nothing comes any more unless somebody wants it.
    pub fn is_over(self) -> bool {
        match self {
            Self::Done | Self::Failed | Self::Cancelled => true,
            Self::Scheduled | Self::Running | Self::Waiting => false,
        }
    }

    /// The status of that name.
    pub fn of(name: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
    }
}

impl Task {
    /// As callers see it, with all runs that are kept or the last one only.
    pub fn shown(&self, with_history: bool) -> Shown<'_> {
        Shown {
            id: &self.id,
            name: &self.name,
            tool: &self.tool,
            arguments: &self.arguments,
            schedule: &self.schedule,
            status: self.status,
            created: self.created,
            created_by: &self.owner.principal,
            next_run: self.next_run,
            runs: self.runs,
            failures: self.failures,
            retries: self.retries,
            timeout_ms: self.timeout_ms,
            last_run: self.history.back(),
            history: with_history.then_some(&self.history),
        }
    }

    /// Keeps a run, within the bounds on their number and their results.
    pub(super) fn keep(&mut self, run: Run) {
        self.runs += 1;
        if run.outcome == Outcome::Error {
            self.failures += 1;
        }
        self.history.push_back(run);
        if self.history.len() > MAX_HISTORY {
            self.history.pop_front();
        }
        let mut room = MAX_RESULTS;
        for run in self.history.iter_mut().rev() {
            let size = run.result.as_ref().map_or(0, |result| result.bytes().len());
            match room.checked_sub(size) {
                Some(left) => room = left,
                None => run.result = None,
            }
        }
    }
}

/// `result`, cut where it is too large to be kept. It does not keep the message alive that it came in.
pub(super) fn bounded(result: &Json) -> Json {
    let text = result.as_str();
    if text.len() <= MAX_RESULT {
        return result.detached();
    }
    let mut end = MAX_RESULT;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let cut = serde_json::json!({ "truncated": true, "bytes": text.len(), "text": &text[..end] });
    Json::of(&cut)
}

impl Moment {
    /// So much later.
    #[must_use]
    pub fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// A time as RFC 3339 writes it, with a zone; `None` where it is none, or before 1970.
    pub fn read(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let rest = rest.strip_prefix(['T', 't', ' '])?;
        let mut parts = date.splitn(3, '-');
        let year: i32 = digits(parts.next()?, 4)?;
        let month: u8 = digits(parts.next()?, 2)?;
        let day: u8 = digits(parts.next()?, 2)?;
        let (clock, rest) = rest.split_at_checked(8)?;
        let mut parts = clock.splitn(3, ':');
        let hour: u8 = digits(parts.next()?, 2)?;
        let minute: u8 = digits(parts.next()?, 2)?;
        let second: u8 = digits(parts.next()?, 2)?;
        let (ms, zone) = match rest.strip_prefix('.') {
            None => (0, rest),
            Some(rest) => {
                let end = rest.find(|c: char| !c.is_ascii_digit())?;
                let (fraction, zone) = rest.split_at(end);
                let padded = format!("{fraction:0<3}");
                (digits(padded.get(..3)?, 3)?, zone)
            }
        };
        let month = time::Month::try_from(month).ok()?;
        let date = time::Date::from_calendar_date(year, month, day).ok()?;
        // A leap second is the last of its minute, as POSIX has it.
        let time = time::Time::from_hms_milli(hour, minute, second.min(59), ms).ok()?;
        let seconds = date.with_time(time).assume_utc().unix_timestamp() - offset(zone)?;
        let whole = u64::try_from(seconds).ok()?.checked_mul(1000)?;
        Some(Self(whole + u64::from(ms)))
    }
}

/// Seconds that a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match zone.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone[1..].split_once(':')?;
    let hours: i64 = digits(hours, 2)?;
    let minutes: i64 = digits(minutes, 2)?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn digits<T: std::str::FromStr>(text: &str, count: usize) -> Option<T> {
    let are_digits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| text.parse().ok()).flatten()
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is later than the calendar goes is its end.
        const LAST: u64 = 253_402_300_799_999;
        f.write_str(&utc(Duration::from_millis(self.0.min(LAST))))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::read(&text)
            .ok_or_else(|| serde::de::Error::custom("must be a time such as 2027-01-31T09:00:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_rfc_3339_has_them() {
        let check = |text: &str, expect: Option<&str>| {
            let read = Moment::read(text).map(|moment| moment.to_string());
            assert_eq!(read.as_deref(), expect, "{text}");
        };
        check("2027-01-31T09:00:00Z", Some("2027-01-31T09:00:00.000Z"));
        check("2027-01-31t09:00:00.5z", Some("2027-01-31T09:00:00.500Z"));
        check(
            "2027-01-31 09:00:00.123456+02:00",
            Some("2027-01-31T07:00:00.123Z"),
        );
        check(
            "2027-01-31T23:30:00-01:30",
            Some("2027-02-01T01:00:00.000Z"),
        );
        check("2016-12-31T23:59:60Z", Some("2016-12-31T23:59:59.000Z"));
        for wrong in [
            "",
            "2027-01-31",
            "2027-01-31T09:00:00",
            "2027-02-30T09:00:00Z",
            "2027-01-31T25:00:00Z",
            "1969-12-31T23:59:59Z",
            "2027-01-31T09:00:00.Z ",
            "é027-01-31T09:00:00Z",
            "2027-01-31T09:00:00+9:00",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn large_results_are_cut_and_old_ones_given_up() {
        let large = Json::of(&"é".repeat(MAX_RESULT));
        let cut = bounded(&large);
        assert!(
            cut.as_str()
                .starts_with(r#"{"truncated":true,"bytes":131074,"text":"#)
        );
        assert!(cut.bytes().len() < 2 * MAX_RESULT);
        let small = Json::literal("{}");
        assert_eq!(bounded(&small), small);
    }
}
