//! The audit records of a gateway, kept so that tests can count them.

use std::sync::Mutex;

use toolgate::dispatch::audit::{Audited, Sink};

/// Keeps what is recorded.
#[derive(Default)]
pub(crate) struct Records(Mutex<Vec<Kept>>);

/// What is kept of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) call: u64,
    pub(crate) tool: String,
    pub(crate) outcome: &'static str,
    pub(crate) dry_run: bool,
    pub(crate) attempts: u32,
    pub(crate) approval: Option<String>,
}

impl Records {
    pub(crate) fn all(&self) -> Vec<Kept> {
        self.0
            .lock()
            .expect("no holder of this lock panics")
            .clone()
    }

    /// How many calls of `tool` came to `outcome`.
    pub(crate) fn count(&self, tool: &str, outcome: &str) -> usize {
        let fits = |kept: &&Kept| kept.tool == tool && kept.outcome == outcome;
        self.all().iter().filter(fits).count()
    }
}

impl Kept {
    /// What is kept of the only call of `tool`.
    pub(crate) fn only<'a>(records: &'a [Self], tool: &str) -> &'a Self {
        let mut of_tool = records.iter().filter(|kept| kept.tool == tool);
        let only = of_tool.next().expect("a call of that tool");
        assert_eq!(of_tool.next(), None, "one call of `{tool}`");
        only
    }
}

impl Sink for Records {
    fn write(&self, record: &Audited<'_>) {
        let (tool, outcome) = (record.subject.to_owned(), record.outcome);
        let kept = Kept {
            call: record.call,
            tool,
            outcome,
            dry_run: record.dry_run,
            attempts: record.attempts,
            approval: record.approval.map(str::to_owned),
        };
        self.0
            .lock()
            .expect("no holder of this lock panics")
            .push(kept);
    }
}
