//! What checks in a row say about a plugin. One bad check is a warning, several in a row are an illness, and it takes
//! several good ones until the plugin is trusted again, so that one that is now well and now not does not count as well.

use serde::Serialize;

use crate::manifest::upkeep::HealthCheck;

/// How a plugin is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was not asked yet.
    #[default]
    Unknown,
    /// It is well.
    Healthy,
    /// It was not well at some check lately.
    Degraded,
    /// It was not well at `health.unhealthy_after` checks in a row, and not well again since.
    Unhealthy,
}

/// The checks of one plugin so far.
#[derive(Debug, Clone, Default)]
pub struct Judge {
    status: Status,
    bad: u32,
    good: u32,
}

impl Judge {
    /// Takes in one check.
    pub fn take(&mut self, is_good: bool, settings: &HealthCheck) {
        if is_good {
            self.bad = 0;
            self.good = self.good.saturating_add(1);
            // Nothing speaks against one that was never asked before.
            if self.status == Status::Unknown || self.good >= settings.healthy_after {
                self.status = Status::Healthy;
            }
            return;
        }
        self.good = 0;
        self.bad = self.bad.saturating_add(1);
        if self.bad >= settings.unhealthy_after {
            self.status = Status::Unhealthy;
        } else if self.status != Status::Unhealthy {
            self.status = Status::Degraded;
        }
    }

    /// How the plugin is.
    pub fn status(&self) -> Status {
        self.status
    }

    /// How many checks in a row were bad, up to the latest.
    pub fn bad_in_a_row(&self) -> u32 {
        self.bad
    }

    /// How many were good.
    pub fn good_in_a_row(&self) -> u32 {
        self.good
    }
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Unknown,
        Self::Healthy,
        Self::Degraded,
        Self::Unhealthy,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `checks`: `+` is a good one, `-` a bad one. `expect`: the first letter of the status after each; `U` is unhealthy.
    fn check(checks: &str, expect: &str) {
        let (mut judge, settings) = (Judge::default(), HealthCheck::default());
        let found: String = checks
            .chars()
            .map(|check| {
                judge.take(check == '+', &settings);
                match judge.status() {
                    Status::Unknown => '?',
                    Status::Healthy => 'h',
                    Status::Degraded => 'd',
                    Status::Unhealthy => 'U',
                }
            })
            .collect();
        assert_eq!(found, expect, "{checks}");
    }

    #[test]
    fn it_takes_several_checks_to_change_the_judgement() {
        assert_eq!(Judge::default().status(), Status::Unknown);
        check("+", "h");
        check("-", "d");
        check("---", "ddU");
        check("+-++", "hddh");
        check("+--+--+--", "hdddddddd");
        check("---+-+++", "ddUUUUhh");
        check("---++-", "ddUUhd");
        // Now well, now not.
        check("+-+-+-+-", "hddddddd");
    }
}
