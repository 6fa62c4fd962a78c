//! How plugins are, beside where they stand in their lives: asked at intervals, decided with patience.
//!
//! Only instances that run are asked, so that asking neither wakes a plugin nor keeps one awake; where none runs the last
//! result stands. What comes of it never changes what is listed.

pub mod ask;

pub mod judge;

mod poll;

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::manifest::upkeep::HealthCheck;
use crate::model::fault::Fault;
use crate::registry::breaker::Circuit;
use crate::registry::health::judge::{Judge, Status};
use crate::registry::life::record::Snapshot;

/// What is known of one plugin's health.
#[derive(Debug)]
pub struct Vitals {
    settings: HealthCheck,
    latest: Mutex<Latest>,
    /// Held during a check: one at a time.
    checking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Latest {
    judge: Judge,
    error: Option<String>,
    at: Option<Instant>,
}

/// The health of a plugin at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// In one word.
    pub status: Status,
    /// What was wrong at the latest check, if anything.
    pub error: Option<String>,
    /// How long ago that was; `None` before the first.
    pub age: Option<Duration>,
    /// How many checks in a row were bad, up to the latest.
    pub bad_in_a_row: u32,
    /// How many were good.
    pub good_in_a_row: u32,
    /// Whether calls reach the plugin.
    pub circuit: Circuit,
}

/// What is told of a plugin's health over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HealthReport {
    /// In one word.
    pub status: Status,
    /// What else is known: see [`Health::details`].
    pub details: Map<String, Value>,
    /// How long it has been active; 0 when it is not.
    pub uptime_seconds: f64,
    /// How often something of it failed.
    pub error_count: u64,
}

impl Vitals {
    /// Those of a plugin that nobody has asked yet.
    pub fn new(settings: &HealthCheck) -> Self {
        Self {
            settings: settings.clone(),
            latest: Mutex::default(),
            checking: tokio::sync::Mutex::default(),
        }
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().expect("no holder of this lock panics")
    }

    /// Takes in what a check has brought. The status before it, and the one that follows.
    pub fn take(&self, checked: &Result<(), Fault>) -> (Status, Status) {
        let mut latest = self.latest();
        let before = latest.judge.status();
        latest.at = Some(Instant::now());
        latest.error = checked.as_ref().err().map(ToString::to_string);
        latest.judge.take(checked.is_ok(), &self.settings);
        (before, latest.judge.status())
    }

    /// What is known, of a plugin before which `circuit` is. Where calls do not reach it, it is not healthy.
    pub fn health(&self, circuit: Circuit) -> Health {
        let latest = self.latest();
        let status = match (latest.judge.status(), circuit) {
            (status, Circuit::Closed) => status,
            (Status::Unknown | Status::Healthy, _) => Status::Degraded,
            (status, _) => status,
        };
        Health {
            status,
            error: latest.error.clone(),
            age: latest.at.map(|at| at.elapsed()),
            bad_in_a_row: latest.judge.bad_in_a_row(),
            good_in_a_row: latest.judge.good_in_a_row(),
            circuit,
        }
    }
}

impl Health {
    /// All but the word. `error`: what was wrong at the latest check, if anything; `checked_ms_ago`: when that was, if it
    /// was; `bad_in_a_row`, `good_in_a_row`: checks; `circuit`: `open` or `half_open` where calls do not reach the plugin,
    /// and `circuit_open_ms`: for how long still.
    pub fn details(&self) -> Map<String, Value> {
        let mut details = Map::new();
        let mut put = |name: &str, value: Value| drop(details.insert(name.to_owned(), value));
        if let Some(error) = &self.error {
            put("error", json!(error));
        }
        if let Some(age) = self.age {
            put("checked_ms_ago", json!(age.as_millis() as u64));
            put("bad_in_a_row", json!(self.bad_in_a_row));
            put("good_in_a_row", json!(self.good_in_a_row));
        }
        match self.circuit {
            Circuit::Closed => {}
            Circuit::HalfOpen => put("circuit", json!("half_open")),
            Circuit::Open(left) => {
                put("circuit", json!("open"));
                put("circuit_open_ms", json!(left.as_millis() as u64));
            }
        }
        details
    }

    /// What is told of it, together with what is known of the plugin's life.
    pub fn report(&self, life: &Snapshot) -> HealthReport {
        HealthReport {
            status: self.status,
            details: self.details(),
            uptime_seconds: life.uptime.as_secs_f64(),
            error_count: life.error_count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fault::FaultKind;
    use crate::registry::life::State;
    use crate::registry::life::record::Times;

    #[tokio::test(start_paused = true)]
    async fn a_report_says_what_is_known_and_no_more() {
        let life = Snapshot {
            state: State::Active,
            error: None,
            error_count: 7,
            restarts: 0,
            uptime: Duration::from_millis(1_500),
            in_state: Duration::from_millis(1_500),
            times: Times::default(),
        };
        let vitals = Vitals::new(&HealthCheck::default());
        let told = |circuit| serde_json::to_value(vitals.health(circuit).report(&life));
        assert_eq!(
            told(Circuit::Closed).expect("JSON"),
            json!({ "status": "unknown", "details": {}, "uptime_seconds": 1.5, "error_count": 7 })
        );
        assert_eq!(vitals.take(&Ok(())).1, Status::Healthy);
        let wrong = Fault::new(FaultKind::Timeout, "it is silent");
        assert_eq!(
            vitals.take(&Err(wrong)),
            (Status::Healthy, Status::Degraded)
        );
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(
            told(Circuit::Closed).expect("JSON")["details"],
            json!({ "error": "it is silent", "checked_ms_ago": 250, "bad_in_a_row": 1, "good_in_a_row": 0 })
        );
        assert_eq!(vitals.take(&Ok(())).1, Status::Degraded);
        assert_eq!(vitals.take(&Ok(())).1, Status::Healthy);
        let told = told(Circuit::Open(Duration::from_secs(2))).expect("JSON");
        assert_eq!(
            (&told["status"], &told["details"]),
            (
                &json!("degraded"),
                &json!({
                    "checked_ms_ago": 0, "bad_in_a_row": 0, "good_in_a_row": 2,
                    "circuit": "open", "circuit_open_ms": 2000,
                })
            )
        );
    }
}
