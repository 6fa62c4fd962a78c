//! The resource `metrics`: numbers of a plugin's own, which stand beside those of the gateway at `/metrics`.

use std::sync::Arc;

use crate::model::fault::Fault;
use crate::model::plugin_id::PluginId;

/// What keeps numbers. Must neither wait nor fail once a metric is there.
pub(crate) trait MetricsSource: Send + Sync {
    /// All numbers of the gateway, and what kind of text they are.
    fn text(&self) -> (&'static str, String);

    /// The metric `name` of `owner`.
    fn instrument(
        &self,
        owner: &PluginId,
        named: (&str, &str),
        kind: MetricKind<'_>,
        labels: &[&str],
    ) -> Result<Arc<dyn Instrument>, Fault>;
}

/// What kind of number a metric is.
pub(crate) enum MetricKind<'a> {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets.
    Histogram(&'a [f64]),
}

/// One metric of a plugin.
pub(crate) trait Instrument: Send + Sync {
    fn add(&self, labels: &[&str], by: f64);

    fn set(&self, labels: &[&str], to: f64);
}

/// Numbers of a plugin's own: the resource `metrics`. They are told at `/metrics` as `toolgate_plugin_{id}_{name}`.
///
/// A metric has a name (`[a-z][a-z0-9_]*`, with its unit, without `_total`), a line of help, and at most eight labels. A
/// plugin has 50 of them at the most, and each tells 100 sets of labels apart: what is above that is counted under
/// `other`, so that labels that anyone can make up fill no memory. The same metric can be asked for again, also after a
/// restart, and goes on from where it was.
///
/// ```
/// use toolgate::plugin::{HookResult, PluginContext};
///
/// async fn on_init(context: &PluginContext) -> HookResult {
///     let orders = context.metrics()?.counter("orders", "Orders that came in", &["shop"])?;
///     orders.add(&["north"], 1);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct PluginMetrics {
    owner: PluginId,
    source: Arc<dyn MetricsSource>,
}

/// A number that only grows.
#[derive(Clone)]
pub struct Counter(Arc<dyn Instrument>);

/// A number that goes up and down.
#[derive(Clone)]
pub struct Gauge(Arc<dyn Instrument>);

/// How values are distributed.
#[derive(Clone)]
pub struct Histogram(Arc<dyn Instrument>);

impl PluginMetrics {
    pub(crate) fn new(owner: PluginId, source: Arc<dyn MetricsSource>) -> Self {
        Self { owner, source }
    }

    /// A number that only grows. Fails where the name, the help or a label is none, and above the bounds.
    pub fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Result<Counter, Fault> {
        self.make((name, help), MetricKind::Counter, labels)
            .map(Counter)
    }

    /// A number that goes up and down.
    pub fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<Gauge, Fault> {
        self.make((name, help), MetricKind::Gauge, labels)
            .map(Gauge)
    }

    /// How values are distributed over buckets with these upper bounds, which grow; 50 at the most.
    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        bounds: &[f64],
    ) -> Result<Histogram, Fault> {
        self.make((name, help), MetricKind::Histogram(bounds), labels)
            .map(Histogram)
    }

    /// All numbers of the gateway, and the content type of that text.
    pub fn text(&self) -> (&'static str, String) {
        self.source.text()
    }

    fn make(
        &self,
        named: (&str, &str),
        kind: MetricKind<'_>,
        labels: &[&str],
    ) -> Result<Arc<dyn Instrument>, Fault> {
        self.source.instrument(&self.owner, named, kind, labels)
    }
}

impl Counter {
    /// Counts. `labels` has a value for each label, in the order of their names; else nothing is counted.
    pub fn add(&self, labels: &[&str], by: u64) {
        self.0.add(labels, by as f64);
    }
}

impl Gauge {
    /// Says how much there is.
    pub fn set(&self, labels: &[&str], to: f64) {
        self.0.set(labels, to);
    }

    /// Says how much more there is, or less.
    pub fn add(&self, labels: &[&str], by: f64) {
        self.0.add(labels, by);
    }
}

impl Histogram {
    /// Takes in a value.
    pub fn observe(&self, labels: &[&str], value: f64) {
        self.0.add(labels, value);
    }
}

impl std::fmt::Debug for PluginMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PluginMetrics")
    }
}
