//! `prom.query` and `prom.query_range`: PromQL, at one moment or over a time.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::builtin::monitoring::backend::Backend;
use crate::builtin::monitoring::moment::{self, Moment};
use crate::builtin::monitoring::sparkline::{finite, sparkline};
use crate::builtin::table::Table;
use crate::plugin::{Clock, ToolError, Worded};

/// The most series of one answer, unless fewer are asked for.
const MAX_SERIES: usize = 100;

/// The most points of one series.
const MAX_POINTS: f64 = 1_000.0;

/// The most points of all series together.
const MAX_ALL_POINTS: usize = 20_000;

/// The most remarks of Prometheus.
const MAX_WARNINGS: usize = 10;

/// How many points a series has where the caller does not say how far apart they are.
const USUAL_POINTS: f64 = 120.0;

/// How many bars a sparkline has.
const BARS: usize = 40;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// The PromQL expression, such as `sum by (job) (rate(http_requests_total[5m]))`. Aggregate, so that few series come
    /// back. `count by (__name__) ({__name__=~"http.*"})` finds the names of metrics.
    #[schemars(length(min = 1, max = 4000))]
    query: String,
    /// At which time: `now` (default), a time before it such as `-15m`, RFC 3339, or seconds since 1970.
    #[serde(default)]
    time: Option<Moment>,
    /// At most so many series.
    #[serde(default = "usual_series")]
    #[schemars(range(min = 1, max = 100))]
    limit: usize,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryRange {
    /// The PromQL expression, such as `sum by (job) (rate(http_requests_total[5m]))`; not itself a range.
    #[schemars(length(min = 1, max = 4000))]
    query: String,
    /// From when on: `-1h` (default), `-15m`, RFC 3339, or seconds since 1970.
    #[serde(default)]
    start: Option<Moment>,
    /// Until when: `now` (default), or as `start`.
    #[serde(default)]
    end: Option<Moment>,
    /// How far apart the points are, such as `30s` or `5m`; by default about 120 points.
    #[serde(default)]
    step: Option<String>,
    /// At most so many series.
    #[serde(default = "usual_series")]
    #[schemars(range(min = 1, max = 100))]
    limit: usize,
}

fn usual_series() -> usize {
    MAX_SERIES
}

/// What came of a query.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Found {
    result_type: String,
    series: Vec<Series>,
    omitted: usize,
    omitted_points: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// One series.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Series {
    labels: BTreeMap<String, String>,
    /// Its points, the oldest first: seconds since 1970, and the value as Prometheus writes it (`NaN` and `+Inf` are
    /// values).
    points: Vec<(f64, String)>,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Value,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    #[serde(default)]
    value: Option<(f64, String)>,
    #[serde(default)]
    values: Vec<(f64, String)>,
    /// A native histogram instead of numbers.
    #[serde(default, alias = "histograms")]
    histogram: Option<serde::de::IgnoredAny>,
}

/// Asks for the values at one moment.
pub(super) async fn query(
    prometheus: &Backend,
    clock: Clock,
    wanted: Query,
) -> Result<Worded<Found>, ToolError> {
    let now = now(clock);
    let time = moment::read(wanted.time.as_ref(), "now", now)?;
    let time = time.to_string();
    let asked = [("query", wanted.query.as_str()), ("time", &time)];
    let answer: Answer = prometheus.get("/api/v1/query", &asked).await?;
    let found = found(answer, wanted.limit)?;
    // A range selector gives the samples themselves: a series of them, as over a time.
    if found.result_type == "matrix" {
        let table = over_time(&found);
        return Ok(worded(found, &table));
    }
    let mut table = Table::new(["SERIES", "VALUE"]);
    for series in &found.series {
        let value = series.points.last().map_or("", |(_, value)| value);
        table.row([name_of(&series.labels), value.to_owned()]);
    }
    Ok(worded(found, &table))
}

/// Asks for the values over a time.
pub(super) async fn query_range(
    prometheus: &Backend,
    clock: Clock,
    wanted: QueryRange,
) -> Result<Worded<Found>, ToolError> {
    let now = now(clock);
    let start = moment::read(wanted.start.as_ref(), "-1h", now)?;
    let end = moment::read(wanted.end.as_ref(), "now", now)?;
    let step = step(start, end, wanted.step.as_deref())?;
    let (start, end, step) = (start.to_string(), end.to_string(), step.to_string());
    let asked = [
        ("query", wanted.query.as_str()),
        ("start", &start),
        ("end", &end),
        ("step", &step),
    ];
    let answer: Answer = prometheus.get("/api/v1/query_range", &asked).await?;
    let found = found(answer, wanted.limit)?;
    let table = over_time(&found);
    Ok(worded(found, &table))
}

/// Series of many points, a line for each.
fn over_time(found: &Found) -> Table {
    let mut table = Table::new(["SERIES", "MIN", "MEAN", "MAX", "LAST", "OVER TIME"]);
    for series in &found.series {
        table.row(summary(series));
    }
    table
}

fn now(clock: Clock) -> f64 {
    clock.unix_ms() as f64 / 1_000.0
}

/// How far apart points are, in seconds.
fn step(start: f64, end: f64, wanted: Option<&str>) -> Result<f64, ToolError> {
    if end <= start {
        return Err(ToolError::new("`end` must be after `start`"));
    }
    let Some(wanted) = wanted else {
        return Ok(((end - start) / USUAL_POINTS).ceil().max(1.0));
    };
    let step = moment::duration(wanted).or_else(|| wanted.parse().ok());
    let step = step.filter(|step| step.is_finite() && *step > 0.0);
    let step = step
        .ok_or_else(|| ToolError::new(format!("`{wanted}` is not a step: write `30s` or `5m`")))?;
    if (end - start) / step > MAX_POINTS {
        let least = ((end - start) / MAX_POINTS).ceil();
        return Err(ToolError::new(format!(
            "more than {MAX_POINTS} points a series: take a step of {least}s or more, or a shorter time"
        )));
    }
    Ok(step)
}

fn found(answer: Answer, limit: usize) -> Result<Found, ToolError> {
    let Data {
        result_type,
        result,
    } = answer.data;
    let raw: Vec<Raw> = match result_type.as_str() {
        "scalar" | "string" => vec![Raw {
            metric: BTreeMap::new(),
            value: Some(serde_json::from_value(result)?),
            values: Vec::new(),
            histogram: None,
        }],
        _ => serde_json::from_value(result)?,
    };
    let most = limit.clamp(1, MAX_SERIES);
    let all = raw.len();
    let mut warnings: Vec<String> = answer.warnings.into_iter().chain(answer.infos).collect();
    warnings.truncate(MAX_WARNINGS);
    if raw.iter().any(|raw| raw.histogram.is_some()) {
        let mend = "native histograms are not shown: ask for `histogram_quantile(..)` or `histogram_count(..)` of them";
        warnings.push(mend.to_owned());
    }
    let (mut series, mut points, mut omitted_points) = (Vec::new(), 0, 0);
    for raw in raw.into_iter().take(most) {
        let mut own: Vec<_> = raw.value.into_iter().chain(raw.values).collect();
        let excess = own.len().saturating_sub(MAX_POINTS as usize);
        own.drain(..excess);
        points += own.len();
        if points > MAX_ALL_POINTS && !series.is_empty() {
            break;
        }
        omitted_points += excess;
        series.push(Series {
            labels: raw.metric,
            points: own,
        });
    }
    Ok(Found {
        result_type,
        omitted: all - series.len(),
        series,
        omitted_points,
        warnings,
    })
}

fn worded(found: Found, table: &Table) -> Worded<Found> {
    let mut words = table.render("No series: nothing matches, or there is no data for that time.");
    if found.omitted > 0 {
        let omitted = found.omitted;
        words.push_str(&format!(
            "… and {omitted} more series: aggregate or select to see fewer\n"
        ));
    }
    if found.omitted_points > 0 {
        let omitted = found.omitted_points;
        words.push_str(&format!(
            "… and {omitted} older points: ask for a shorter time\n"
        ));
    }
    for warning in &found.warnings {
        words.push_str(&format!("Warning: {warning}\n"));
    }
    Worded {
        words,
        value: found,
    }
}

/// A series as PromQL would select it.
fn name_of(labels: &BTreeMap<String, String>) -> String {
    let name = labels.get("__name__").map_or("", String::as_str);
    let others = labels.iter().filter(|(label, _)| *label != "__name__");
    let others: Vec<String> = others
        .map(|(label, value)| format!("{label}={value:?}"))
        .collect();
    match (name.is_empty(), others.is_empty()) {
        (true, true) => "{}".to_owned(),
        (false, true) => name.to_owned(),
        _ => format!("{name}{{{}}}", others.join(",")),
    }
}

fn summary(series: &Series) -> [String; 6] {
    let values: Vec<Option<f64>> = series
        .points
        .iter()
        .map(|(_, value)| value.parse().ok())
        .collect();
    let known = finite(&values);
    let least = known.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    let number = |value: f64| match known.is_empty() {
        true => "–".to_owned(),
        false => short(value),
    };
    let last = series.points.last().map_or("", |(_, value)| value);
    [
        name_of(&series.labels),
        number(least),
        number(mean),
        number(greatest),
        last.parse().map_or_else(|_| last.to_owned(), short),
        sparkline(&values, BARS),
    ]
}

/// Four digits that count.
fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_chosen_and_bounded() {
        for (wanted, expect) in [
            (None, Ok(30.0)),
            (Some("1m"), Ok(60.0)),
            (Some("15"), Ok(15.0)),
            (Some("1s"), Err("4s")),
            (Some("soon"), Err("`soon`")),
            (Some("-1"), Err("`-1`")),
        ] {
            match (step(0.0, 3_600.0, wanted), expect) {
                (Ok(step), Ok(expect)) => assert!((step - expect).abs() < 1e-9, "{wanted:?}"),
                (Err(error), Err(part)) => assert!(error.message().contains(part), "{error}"),
                (came, _) => panic!("{wanted:?}: {came:?}"),
            }
        }
        assert!(step(5.0, 5.0, None).is_err());
    }

    #[test]
    fn what_is_too_much_is_left_out_and_counted() {
        let values: Vec<_> = (0..1_500).map(|at| serde_json::json!([at, "1"])).collect();
        let series = serde_json::json!({ "metric": {}, "values": values });
        let result = vec![series; 30];
        let answer = serde_json::json!({
            "data": { "resultType": "matrix", "result": result },
            "warnings": vec!["odd"; 9],
            "infos": vec!["info"; 9],
        });
        let answer = serde_json::from_value(answer).expect("an answer");
        let found = found(answer, MAX_SERIES).expect("it is read");
        assert_eq!((found.series.len(), found.omitted), (20, 10));
        // The newest points stay.
        assert_eq!(
            (found.series[0].points[0].0, found.omitted_points),
            (500.0, 10_000)
        );
        assert_eq!((found.warnings.len(), &*found.warnings[9]), (10, "info"));
        let histogram = serde_json::json!({
            "data": { "resultType": "vector", "result": [{ "metric": {}, "histogram": [1, {}] }] },
        });
        let histogram = serde_json::from_value(histogram).expect("an answer");
        let found = super::found(histogram, MAX_SERIES).expect("it is read");
        assert!(found.warnings[0].contains("histogram_quantile"));
    }

    #[test]
    fn numbers_are_short() {
        for (value, expect) in [
            (0.0, "0"),
            (1234.56, "1235"),
            (0.000_123_456, "0.0001235"),
            (2.5, "2.5"),
            (1e9, "1000000000"),
        ] {
            assert_eq!(short(value), expect);
        }
    }

    #[test]
    fn a_series_is_named_as_it_is_selected() {
        let labels = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        assert_eq!(
            name_of(&labels(&[("__name__", "up"), ("job", "a\"b")])),
            r#"up{job="a\"b"}"#
        );
        assert_eq!(name_of(&labels(&[("__name__", "up")])), "up");
        assert_eq!(name_of(&labels(&[("job", "a")])), r#"{job="a"}"#);
        assert_eq!(name_of(&labels(&[])), "{}");
    }
}
