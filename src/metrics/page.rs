//! The page that numbers are written on when somebody asks for them, and its text as Prometheus reads it.

use std::collections::BTreeMap;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::metrics::durations::Distribution;

/// What kind of text it is.
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// A page of numbers. Two that are written to the same place are added up.
#[derive(Debug, Default, Clone)]
pub struct Page {
    families: BTreeMap<String, Family>,
}

#[derive(Debug, Clone)]
struct Family {
    help: String,
    kind: Kind,
    series: BTreeMap<Labels, Value>,
}

type Labels = Vec<(String, String)>;

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One that only grows. `_total` is added to its name.
    Counter,
    /// One that goes up and down.
    Gauge,
    /// How values are distributed.
    Histogram,
}

/// A number.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One number.
    Number(f64),
    /// Many.
    Distribution(Distribution),
}

impl Page {
    /// A number that only grows. Its name is told with `_total` behind it. `help` is a phrase without a full stop.
    pub fn counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], count: u64) {
        let value = Value::Number(exact(count));
        self.put((name, help, Kind::Counter), labels, value);
    }

    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.put((name, help, Kind::Gauge), labels, Value::Number(value));
    }

    /// The same for something that is counted.
    pub fn level(&mut self, name: &str, help: &str, labels: &[(&str, &str)], count: usize) {
        self.gauge(name, help, labels, exact(count as u64));
    }

    /// How values are distributed.
    pub fn histogram(
        &mut self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        values: Distribution,
    ) {
        let values = Value::Distribution(values);
        self.put((name, help, Kind::Histogram), labels, values);
    }

    /// Writes any of them. One that is of another kind than what stands there already is left out.
    pub fn put(
        &mut self,
        (name, help, kind): (&str, &str, Kind),
        labels: &[(&str, &str)],
        value: Value,
    ) {
        let family = self.families.entry(name.to_owned());
        let family = family.or_insert_with(|| Family {
            help: help.to_owned(),
            kind,
            series: BTreeMap::new(),
        });
        if family.kind != kind {
            return;
        }
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let labels = labels.iter().map(owned).collect();
        match (
            family.series.entry(labels).or_insert_with(|| value.zero()),
            value,
        ) {
            (Value::Number(sum), Value::Number(more)) => *sum += more,
            (there, value) => *there = value,
        }
    }

    /// Whether something of that name stands there.
    pub fn has(&self, name: &str) -> bool {
        self.families.contains_key(name)
    }

    /// The whole page.
    pub fn text(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).expect("a string takes every text");
        text
    }
}

impl Value {
    fn zero(&self) -> Self {
        match self {
            Self::Number(_) => Self::Number(0.0),
            Self::Distribution(_) => Self::Distribution(Distribution::default()),
        }
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for (name, family) in &self.families {
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut metric = encoder.encode_descriptor(name, &family.help, None, kind)?;
            for (labels, value) in &family.series {
                let mut series = metric.encode_family(labels)?;
                match value {
                    Value::Distribution(values) => series
                        .encode_histogram::<Vec<(String, String)>>(
                            values.sum,
                            values.count(),
                            &values.buckets,
                            None,
                        )?,
                    Value::Number(number) if family.kind == Kind::Counter => {
                        series.encode_counter::<Vec<(String, String)>, f64, f64>(number, None)?
                    }
                    Value::Number(number) => series.encode_gauge(number)?,
                }
            }
        }
        Ok(())
    }
}

fn exact(count: u64) -> f64 {
    count as f64
}
