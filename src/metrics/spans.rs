//! Spans of calls, for a tracing system: begun and ended on the path of a call, sent by somebody else.
//!
//! What cannot be queued is dropped and counted: nothing here waits. Which span the code that runs belongs to is known to
//! its task, so that what a call does on its way, filters and calls of other plugins among it, is told as its part.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use futures::future::BoxFuture;
use tokio::sync::mpsc;

use crate::metrics::page::Page;
use crate::wire::trace::TraceContext;

/// The most spans that wait to be sent.
pub const MAX_WAITING: usize = 2_048;

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// Where spans go. Clones go to the same place.
#[derive(Debug, Clone)]
pub struct Spans(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: mpsc::Sender<Ended>,
    /// Of traces that begin here, those whose number is below this are recorded.
    below: u64,
    sent: AtomicU64,
    dropped: AtomicU64,
}

/// Which side of a request a span tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who was asked.
    Server,
    /// Who asks.
    Client,
    /// Neither: what happens in between.
    Inside,
}

/// A span that goes on. One that is dropped was given up.
#[derive(Debug)]
pub struct OpenSpan {
    spans: Spans,
    span: Option<Ended>,
}

/// A span that has come to its end.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its own place.
    pub context: TraceContext,
    /// The span it is a part of, and whether that is another system's.
    pub parent: Option<([u8; 8], bool)>,
    /// Which side it tells of.
    pub side: Side,
    /// What is done.
    pub name: String,
    /// When it began.
    pub begun: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// What is known of it.
    pub attributes: Vec<(&'static str, String)>,
    /// What went wrong, in a word.
    pub error: Option<String>,
}

impl Spans {
    /// Spans, and where they come out. Of the traces that begin here this part is recorded, 0 to 1; of those that began
    /// elsewhere the ones that are recorded there.
    pub fn new(part: f64) -> (Self, mpsc::Receiver<Ended>) {
        let (queue, out) = mpsc::channel(MAX_WAITING);
        let shared = Shared {
            queue,
            below: below(part),
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        };
        (Self(Arc::new(shared)), out)
    }

    /// Begins a span of what `asked` belongs to, or of what the code that runs is a part of, or of a new trace. `None`
    /// where it is not to be recorded.
    pub fn begin(&self, asked: Option<TraceContext>, side: Side) -> Option<OpenSpan> {
        let current = CURRENT.try_with(|current| *current).ok();
        let mut ids = [0_u8; 24];
        getrandom::fill(&mut ids).ok()?;
        let (new, span) = ids.split_at(16);
        let (trace, parent) = match (current, asked) {
            (Some(current), _) => (current.trace, Some((current.span, false))),
            (None, Some(asked)) if asked.sampled => (asked.trace, Some((asked.span, true))),
            (None, Some(_)) => return None,
            (None, None) => {
                let trace: [u8; 16] = new.try_into().expect("they are 16");
                let (_, number) = trace.split_at(8);
                let number = u64::from_be_bytes(number.try_into().expect("they are 8"));
                // All of them where all are wanted, also the one that is not below.
                if number >= self.0.below && self.0.below != u64::MAX {
                    return None;
                }
                (trace, None)
            }
        };
        let now = SystemTime::now();
        Some(OpenSpan {
            spans: self.clone(),
            span: Some(Ended {
                context: TraceContext {
                    trace,
                    span: span.try_into().expect("they are 8"),
                    sampled: true,
                },
                parent,
                side,
                name: String::new(),
                begun: now,
                ended: now,
                attributes: Vec::new(),
                error: None,
            }),
        })
    }

    /// So many were sent.
    pub fn sent(&self, count: usize) {
        self.0.sent.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// So many could not be.
    pub fn lost(&self, count: usize) {
        self.0.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// How many were lost so far.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn read(&self, page: &mut Page) {
        let counts = [
            (
                "toolgate_spans_sent",
                "Spans that were sent to the collector",
                &self.0.sent,
            ),
            (
                "toolgate_spans_dropped",
                "Spans that were not: the collector was away, or too slow",
                &self.0.dropped,
            ),
        ];
        for (name, help, count) in counts {
            page.counter(name, help, &[], count.load(Ordering::Relaxed));
        }
    }
}

impl OpenSpan {
    /// Its place in the trace.
    pub fn context(&self) -> TraceContext {
        self.span
            .as_ref()
            .expect("it is there until it ends")
            .context
    }

    /// Says what it is.
    pub fn named(&mut self, name: String) {
        if let Some(span) = &mut self.span {
            span.name = name;
        }
    }

    /// Notes what is known of it.
    pub fn note(&mut self, key: &'static str, value: impl Into<String>) {
        if let Some(span) = &mut self.span {
            span.attributes.push((key, value.into()));
        }
    }

    /// Ends it, well or with a word for what went wrong.
    pub fn end(mut self, error: Option<String>) {
        self.finish(error);
    }

    fn finish(&mut self, error: Option<String>) {
        if let Some(mut span) = self.span.take() {
            span.ended = SystemTime::now();
            span.error = error;
            let shared = &self.spans.0;
            if shared.queue.try_send(span).is_err() {
                shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        self.finish(Some("cancelled".to_owned()));
    }
}

/// Does `work` as a part of the span at `current`.
pub fn within<'a, W>(current: TraceContext, work: W) -> BoxFuture<'a, W::Output>
where
    W: Future + Send + 'a,
{
    Box::pin(CURRENT.scope(current, work))
}

/// The number that this part of all numbers is below.
fn below(part: f64) -> u64 {
    match part.clamp(0.0, 1.0) {
        1.0 => u64::MAX,
        part => (part * u64::MAX as f64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(sampled: bool) -> TraceContext {
        TraceContext {
            trace: [7; 16],
            span: [9; 8],
            sampled,
        }
    }

    #[tokio::test]
    async fn a_span_is_part_of_what_runs_or_of_what_asked() {
        let (spans, mut out) = Spans::new(0.0);
        assert!(
            spans.begin(None, Side::Server).is_none(),
            "none begins here"
        );
        assert!(spans.begin(Some(asked(false)), Side::Server).is_none());
        let outer = spans
            .begin(Some(asked(true)), Side::Server)
            .expect("it is recorded");
        let context = outer.context();
        within(context, async {
            let inner = spans.begin(None, Side::Client).expect("it is recorded");
            inner.end(None);
        })
        .await;
        drop(outer);
        let inner = out.recv().await.expect("it ended");
        assert_eq!(inner.parent, Some((context.span, false)));
        assert_eq!((inner.context.trace, inner.error), ([7; 16], None));
        let outer = out.recv().await.expect("it ended");
        assert_eq!(outer.parent, Some(([9; 8], true)));
        assert_eq!(outer.error.as_deref(), Some("cancelled"));
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let (spans, _out) = Spans::new(1.0);
        for _ in 0..MAX_WAITING + 3 {
            spans
                .begin(None, Side::Server)
                .expect("all are recorded")
                .end(None);
        }
        assert_eq!(spans.dropped(), 3);
    }

    #[test]
    fn a_part_of_the_traces_is_recorded() {
        let (spans, _out) = Spans::new(0.25);
        let recorded = (0..2_000)
            .filter(|_| spans.begin(None, Side::Server).is_some())
            .count();
        assert!((350..650).contains(&recorded), "{recorded}");
    }
}
