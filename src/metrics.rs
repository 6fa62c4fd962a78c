//! What is counted and measured, and how it is told: calls, requests over HTTP, what plugins count of their own.
//!
//! One value for each gateway, never a global one. What is written on the path of a call is a few atomics, found once for
//! each tool ([`calls::ToolNumbers`]); everything else is read when somebody asks ([`Metrics::read_from`]).

pub mod calls;

pub mod durations;

pub mod of_plugins;

pub mod page;

pub mod process;

pub mod recent;

pub mod requests;

pub mod spans;

use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use crate::metrics::calls::Calls;
use crate::metrics::of_plugins::OfPlugins;
use crate::metrics::page::Page;
use crate::metrics::recent::Recent;
use crate::metrics::requests::Requests;
use crate::metrics::spans::Spans;

/// The numbers of one gateway.
pub struct Metrics {
    begun: Instant,
    /// Calls, by plugin and tool.
    pub calls: Calls,
    /// Requests over HTTP, by route.
    pub requests: OnceLock<Requests>,
    /// What plugins count of their own.
    pub of_plugins: OfPlugins,
    /// Calls of the last minutes, second by second.
    pub recent: Recent,
    spans: OnceLock<Spans>,
    readers: Mutex<Vec<Reader>>,
}

/// Writes numbers that are looked at only when somebody asks. Must be quick, and must not keep the gateway alive.
pub type Reader = Box<dyn Fn(&mut Page) + Send + Sync>;

impl Metrics {
    /// Numbers that begin now.
    pub fn new() -> Self {
        let begun = Instant::now();
        Self {
            begun,
            calls: Calls::default(),
            requests: OnceLock::new(),
            of_plugins: OfPlugins::default(),
            recent: Recent::new(begun),
            spans: OnceLock::new(),
            readers: Mutex::default(),
        }
    }

    /// When the gateway began.
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// Has `reader` write its numbers whenever somebody asks.
    pub fn read_from(&self, reader: impl Fn(&mut Page) + Send + Sync + 'static) {
        let mut readers = self.readers.lock().expect("no holder of this lock panics");
        readers.push(Box::new(reader));
    }

    /// Has spans made of calls from now on. Only the first ones count.
    pub fn trace_to(&self, spans: Spans) {
        self.spans.set(spans).ok();
    }

    /// Where spans of calls go, if they are wanted.
    pub fn spans(&self) -> Option<&Spans> {
        self.spans.get()
    }

    /// All numbers in the text format of Prometheus ([`page::CONTENT_TYPE`]).
    pub fn text(&self) -> String {
        let mut page = Page::default();
        self.calls.read(&mut page);
        if let Some(requests) = self.requests.get() {
            requests.read(&mut page);
        }
        if let Some(spans) = self.spans() {
            spans.read(&mut page);
        }
        process::read(&mut page);
        let readers = self.readers.lock().expect("no holder of this lock panics");
        readers.iter().for_each(|reader| reader(&mut page));
        drop(readers);
        // Last, so that no plugin takes a name that is taken.
        self.of_plugins.read(&mut page);
        page.text()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests;
