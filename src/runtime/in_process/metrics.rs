//! The resource `metrics`: the numbers of the gateway, as a plugin in this process reaches them.

use std::sync::Arc;

use crate::metrics::Metrics;
use crate::metrics::of_plugins::{OwnMetric, Wanted};
use crate::metrics::page::{CONTENT_TYPE, Kind};
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::plugin::{Instrument, MetricKind, MetricsSource};

impl MetricsSource for Metrics {
    fn text(&self) -> (&'static str, String) {
        (CONTENT_TYPE, Self::text(self))
    }

    fn instrument(
        &self,
        owner: &PluginId,
        (name, help): (&str, &str),
        kind: MetricKind<'_>,
        labels: &[&str],
    ) -> Result<Arc<dyn Instrument>, Fault> {
        let (kind, bounds) = match kind {
            MetricKind::Counter => (Kind::Counter, &[][..]),
            MetricKind::Gauge => (Kind::Gauge, &[][..]),
            MetricKind::Histogram(bounds) => (Kind::Histogram, bounds),
        };
        let wanted = Wanted {
            name: name.to_owned(),
            help: help.to_owned(),
            kind,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            bounds: bounds.to_vec(),
        };
        match self.of_plugins.metric(owner.as_str(), wanted) {
            Ok(metric) => Ok(metric),
            Err(why) => Err(Fault::new(FaultKind::BadInput, why).because("no_metric")),
        }
    }
}

impl Instrument for OwnMetric {
    fn add(&self, labels: &[&str], by: f64) {
        Self::add(self, labels, by);
    }

    fn set(&self, labels: &[&str], to: f64) {
        Self::set(self, labels, to);
    }
}
