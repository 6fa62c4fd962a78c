//! What plugins count and measure of their own. Bounded: so many metrics for each plugin, so many series for each metric.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use crate::metrics::durations::Distribution;
use crate::metrics::page::{Kind, Page, Value};

/// The most metrics of one plugin.
pub const MAX_METRICS: usize = 50;

/// The most series of one metric; what is above them is counted together, every label being `other`.
pub const MAX_SERIES: usize = 100;

/// The most labels of one metric.
pub const MAX_LABELS: usize = 8;

/// The most characters of a label's value.
const MAX_VALUE: usize = 128;

/// What the names of all of them begin with; then come the plugin's id and its own name for it.
const PREFIX: &str = "toolgate_plugin_";

/// What the gateway itself tells of plugins under names that begin like that.
const RESERVED: [&str; 8] = [
    "state",
    "health",
    "instances",
    "restarts",
    "memory_bytes",
    "processes",
    "uptime_seconds",
    "errors",
];

/// The metrics of plugins.
#[derive(Debug, Default)]
pub struct OfPlugins(RwLock<BTreeMap<String, Arc<OwnMetric>>>);

/// What a metric of a plugin is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The plugin's own name for it: `[a-z][a-z0-9_]*`.
    pub name: String,
    /// What it tells, a phrase without a full stop.
    pub help: String,
    /// What kind of number it is.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// The upper bounds of its buckets, growing, where it has some.
    pub bounds: Vec<f64>,
}

/// One metric of a plugin.
#[derive(Debug)]
pub struct OwnMetric {
    owner: Box<str>,
    wanted: Wanted,
    series: RwLock<HashMap<Vec<String>, Arc<Series>>>,
}

#[derive(Debug)]
struct Series {
    /// The bits of the value, or of the sum of all values.
    value: AtomicU64,
    buckets: Box<[AtomicU64]>,
}

impl OfPlugins {
    /// The metric of that name; the same one each time it is wanted in the same form, also after a restart of the plugin.
    /// `Err` says why there is none.
    pub fn metric(&self, owner: &str, wanted: Wanted) -> Result<Arc<OwnMetric>, String> {
        check(&wanted)?;
        let name = format!("{}_{}", plain(owner), wanted.name);
        if RESERVED.contains(&name.as_str()) {
            return Err(format!("`{PREFIX}{name}` is a metric of the gateway"));
        }
        let mut metrics = self.0.write().expect("no holder of this lock panics");
        if let Some(known) = metrics.get(&name) {
            let same = *known.owner == *owner && known.wanted == wanted;
            return match same {
                true => Ok(Arc::clone(known)),
                false => Err(format!("there is another metric `{PREFIX}{name}`")),
            };
        }
        let own = metrics.values().filter(|metric| *metric.owner == *owner);
        if own.count() >= MAX_METRICS {
            return Err(format!("a plugin has {MAX_METRICS} metrics at the most"));
        }
        let metric = Arc::new(OwnMetric {
            owner: owner.into(),
            wanted,
            series: RwLock::default(),
        });
        metrics.insert(name, Arc::clone(&metric));
        Ok(metric)
    }

    pub(super) fn read(&self, page: &mut Page) {
        let metrics = self.0.read().expect("no holder of this lock panics");
        for (name, metric) in metrics.iter() {
            metric.read(&format!("{PREFIX}{name}"), page);
        }
    }
}

impl OwnMetric {
    /// Adds to a number, or takes a value into the buckets. What makes a counter smaller, and what is not finite, is
    /// passed over; so are values for labels that the metric does not have.
    pub fn add(&self, labels: &[&str], by: f64) {
        let shrinks = self.wanted.kind == Kind::Counter && by < 0.0;
        if let Some(series) = self.series(labels)
            && by.is_finite()
            && !shrinks
        {
            series.add(by, &self.wanted.bounds);
        }
    }

    /// Sets a gauge.
    pub fn set(&self, labels: &[&str], to: f64) {
        if let Some(series) = self.series(labels)
            && self.wanted.kind == Kind::Gauge
        {
            series.value.store(to.to_bits(), Ordering::Relaxed);
        }
    }

    fn series(&self, labels: &[&str]) -> Option<Arc<Series>> {
        if labels.len() != self.wanted.labels.len() {
            return None;
        }
        let key: Vec<String> = labels.iter().map(|label| shown(label)).collect();
        let known = self
            .series
            .read()
            .expect("no holder of this lock panics")
            .get(&key)
            .cloned();
        if known.is_some() {
            return known;
        }
        let mut series = self.series.write().expect("no holder of this lock panics");
        let key = match series.len() < MAX_SERIES || series.contains_key(&key) {
            true => key,
            false => vec!["other".to_owned(); labels.len()],
        };
        let made = series.entry(key).or_insert_with(|| {
            let count = match self.wanted.kind {
                Kind::Histogram => self.wanted.bounds.len() + 1,
                Kind::Counter | Kind::Gauge => 0,
            };
            Arc::new(Series {
                value: AtomicU64::new(0_f64.to_bits()),
                buckets: (0..count).map(|_| AtomicU64::new(0)).collect(),
            })
        });
        Some(Arc::clone(made))
    }

    fn read(&self, name: &str, page: &mut Page) {
        let Wanted {
            help,
            kind,
            labels,
            bounds,
            ..
        } = &self.wanted;
        if page.has(name) {
            return;
        }
        let all = self.series.read().expect("no holder of this lock panics");
        for (values, series) in all.iter() {
            let labels: Vec<(&str, &str)> = labels
                .iter()
                .map(String::as_str)
                .zip(values.iter().map(String::as_str))
                .collect();
            page.put((name, help, *kind), &labels, series.read(bounds));
        }
    }
}

impl Series {
    fn add(&self, by: f64, bounds: &[f64]) {
        let sum = |bits| Some((f64::from_bits(bits) + by).to_bits());
        let order = Ordering::Relaxed;
        self.value.fetch_update(order, order, sum).ok();
        let at = bounds
            .iter()
            .position(|bound| by <= *bound)
            .unwrap_or(bounds.len());
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, order);
        }
    }

    fn read(&self, bounds: &[f64]) -> Value {
        let value = f64::from_bits(self.value.load(Ordering::Relaxed));
        if self.buckets.is_empty() {
            return Value::Number(value);
        }
        let counts = self
            .buckets
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let bounds = bounds.iter().copied().chain([f64::INFINITY]);
        Value::Distribution(Distribution {
            buckets: bounds.zip(counts).collect(),
            sum: value,
        })
    }
}

fn check(wanted: &Wanted) -> Result<(), String> {
    let Wanted {
        name,
        help,
        labels,
        bounds,
        ..
    } = wanted;
    let endings = ["_total", "_bucket", "_sum", "_count"];
    if !is_name(name) || endings.iter().any(|ending| name.ends_with(ending)) {
        return Err(format!(
            "`{name}` is no name of a metric: small letters, digits and underscores, without an ending like `_total`"
        ));
    }
    if help.is_empty() || help.chars().any(char::is_control) {
        return Err(format!("the metric `{name}` needs a line of help"));
    }
    let bad = labels
        .iter()
        .find(|label| !is_name(label) || *label == "le");
    if let Some(bad) = bad {
        return Err(format!("`{bad}` is no name of a label"));
    }
    let twice = (1..labels.len()).find(|at| labels[..*at].contains(&labels[*at]));
    if twice.is_some() || labels.len() > MAX_LABELS {
        return Err(format!(
            "a metric has {MAX_LABELS} labels at the most, each once"
        ));
    }
    let grow = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    if !grow || bounds.len() > 50 || bounds.iter().any(|bound| !bound.is_finite()) {
        return Err(format!(
            "the bounds of `{name}` are at most 50 numbers that grow"
        ));
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    text.bytes().all(plain)
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.len() <= 64
}

/// An id as it may stand in a name.
fn plain(id: &str) -> String {
    id.replace(['-', '.'], "_")
}

/// A label's value: not endless, and nothing that a terminal would obey.
fn shown(value: &str) -> String {
    let safe = value.chars().map(|c| if c.is_control() { '?' } else { c });
    safe.take(MAX_VALUE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, kind: Kind) -> Wanted {
        Wanted {
            name: name.into(),
            help: "Orders that came in".into(),
            kind,
            labels: vec!["shop".into()],
            bounds: Vec::new(),
        }
    }

    fn text(of_plugins: &OfPlugins) -> String {
        let mut page = Page::default();
        of_plugins.read(&mut page);
        page.text()
    }

    #[test]
    fn numbers_of_a_plugin_stand_under_its_id() {
        let of_plugins = OfPlugins::default();
        let orders = of_plugins
            .metric("my-shop", wanted("orders", Kind::Counter))
            .expect("fine");
        orders.add(&["north"], 2.0);
        orders.add(&["north"], -1.0);
        orders.add(&["north", "south"], 1.0);
        let again = of_plugins
            .metric("my-shop", wanted("orders", Kind::Counter))
            .expect("fine");
        again.add(&["a\n\u{1b}\"b"], 1.0);
        let text = text(&of_plugins);
        let name = "toolgate_plugin_my_shop_orders_total";
        assert!(text.contains(&format!("# TYPE {name} counter")), "{text}");
        assert!(
            text.contains(&format!("{name}{{shop=\"north\"}} 2")),
            "{text}"
        );
        assert!(text.contains(r#"{shop="a??\"b"} 1"#), "{text}");
    }

    #[test]
    fn series_are_bounded() {
        let of_plugins = OfPlugins::default();
        let level = of_plugins
            .metric("p", wanted("level", Kind::Gauge))
            .expect("fine");
        (0..10_000).for_each(|n| level.set(&[&n.to_string()], 1.0));
        assert!(text(&of_plugins).lines().count() <= MAX_SERIES + 3);
    }

    #[test]
    fn what_is_no_metric_is_refused() {
        let of_plugins = OfPlugins::default();
        let refused =
            |owner: &str, name: &str, kind| of_plugins.metric(owner, wanted(name, kind)).is_err();
        assert!(!refused("p", "level", Kind::Gauge));
        assert!(refused("p", "level", Kind::Counter), "of another kind");
        assert!(refused("p", "Level", Kind::Gauge));
        assert!(refused("p", "orders_total", Kind::Counter));
        assert!(refused("memory", "bytes", Kind::Gauge), "the gateway's own");
        assert!(!refused("a.b", "x", Kind::Gauge));
        assert!(refused("a-b", "x", Kind::Gauge), "another plugin's");
        (1..MAX_METRICS).for_each(|n| assert!(!refused("p", &format!("m{n}"), Kind::Gauge)));
        assert!(refused("p", "one_more", Kind::Gauge));
    }
}
