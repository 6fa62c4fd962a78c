//! What belongs to calls, as numbers that are read when somebody asks: sessions, the ledger, events, background work.

use crate::dispatch::Dispatcher;
use crate::metrics::page::Page;

/// What is said of the number of sessions.
pub const SESSIONS: &str = "Sessions that are open";

impl Dispatcher {
    /// Writes what it knows in numbers. Asks no database and no bus.
    pub fn measure(&self, page: &mut Page) {
        let kind = [("kind", "handle")];
        page.level("toolgate_sessions", SESSIONS, &kind, self.handles.len());
        self.measure_ledger(page);
        self.measure_events(page);
        self.measure_background(page);
    }

    fn measure_ledger(&self, page: &mut Page) {
        let status = self.ledger.counts();
        let healthy = usize::from(status.is_healthy);
        let help =
            "Whether the last attempt to write to the ledger succeeded, or there is no ledger";
        page.level("toolgate_ledger_healthy", help, &[], healthy);
        let waiting = usize::try_from(status.queue).unwrap_or(usize::MAX);
        let help = "Entries that wait to be written to the ledger";
        page.level("toolgate_ledger_queue_depth", help, &[], waiting);
        for (name, help, count) in [
            (
                "toolgate_ledger_written",
                "Entries that were written to the ledger",
                status.written,
            ),
            (
                "toolgate_ledger_dropped",
                "Entries that were dropped before they were written",
                status.dropped,
            ),
            (
                "toolgate_ledger_refused_calls",
                "Calls that were refused because they could not be recorded",
                status.refused,
            ),
        ] {
            page.counter(name, help, &[], count);
        }
    }

    fn measure_events(&self, page: &mut Page) {
        let status = self.events.bus().status();
        let help = "Whether the event bus answers";
        page.level(
            "toolgate_events_healthy",
            help,
            &[],
            usize::from(status.healthy),
        );
        let help = "Events that wait for the bus";
        page.level("toolgate_events_outbox_depth", help, &[], status.outbox);
        let help = "Events that groups have not acknowledged yet";
        let pending = status.subscriptions.iter().map(|group| group.pending).sum();
        page.level("toolgate_events_pending", help, &[], pending);
        for (name, help, count) in [
            (
                "toolgate_events_published",
                "Events that were published here",
                status.published,
            ),
            (
                "toolgate_events_delivered",
                "Deliveries that were acknowledged",
                status.delivered,
            ),
            (
                "toolgate_events_redelivered",
                "Deliveries that were not the first of their event",
                status.redelivered,
            ),
            (
                "toolgate_events_dead",
                "Events that became dead letters",
                status.dead,
            ),
            (
                "toolgate_events_dropped",
                "Events that were dropped at a bound",
                status.dropped,
            ),
        ] {
            page.counter(name, help, &[], count);
        }
    }

    fn measure_background(&self, page: &mut Page) {
        for work in self.background() {
            let labels = [
                ("plugin", work.plugin.as_str()),
                ("name", work.name.as_str()),
            ];
            let help = "How often background work was begun";
            page.counter("toolgate_background_runs", help, &labels, work.runs);
            let help = "How often background work failed";
            page.counter("toolgate_background_failures", help, &labels, work.failures);
            let running = usize::from(work.state == "running");
            let help = "Whether background work is at work";
            page.level("toolgate_background_running", help, &labels, running);
        }
    }
}
