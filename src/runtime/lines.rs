//! A multiplexer over newline-delimited JSON-RPC: many callers, one pipe.
//!
//! Callers never wait for the pipe. A request is put into a bounded buffer that one task writes out in batches, so a
//! caller that goes away in the middle of a write cannot leave half a line behind, and a plugin that does not read its
//! input holds up nobody but itself.

mod incoming;

mod pending;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::model::client::Farewell;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::runtime::changed::Changed;
use crate::runtime::lines::pending::{Caller, Pending};
use crate::runtime::link::Link;
use crate::runtime::questions::Questions;
use crate::runtime::subscribed::Subscribed;
use crate::runtime::{CallContext, Host};
use crate::session::Session;
use crate::wire::json::Json;
use crate::wire::line::write_line;
use crate::wire::message::{Id, Outcome, Params, write_notification, write_request, write_result};
use crate::wire::meta;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// How long after its input was found closed a plugin may take to end its output.
const LAST_OUTPUT: Duration = Duration::from_secs(2);

/// The multiplexer of one pipe.
pub(crate) struct Lines {
    pub(crate) plugin: PluginId,
    host: Host,
    outgoing: Mutex<Outgoing>,
    wake: Notify,
    next_id: AtomicU64,
    pending: Pending,
    max_message: usize,
    /// The session that all callers belong to, where they do.
    session: Mutex<Option<Arc<Session>>>,
    /// Which lists the plugin says are others now.
    pub(crate) changed: Changed,
    /// What a modern plugin is asked to tell of.
    pub(crate) subscribed: Subscribed,
    /// Its questions that are being answered.
    questions: Questions,
    /// Whether the plugin speaks the modern era.
    is_modern: AtomicBool,
    /// Cancelled when nothing more will come.
    pub(crate) ended: CancellationToken,
    /// What came in and was of no use.
    pub(crate) counts: Counts,
}

/// What came in and was of no use, counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Lines that are not messages.
    pub(crate) garbage: AtomicU64,
    /// Answers to requests that are over, or that never were.
    pub(crate) late: AtomicU64,
    /// Notifications that belong to nobody.
    pub(crate) strays: AtomicU64,
}

#[derive(Default)]
struct Outgoing {
    buffer: Vec<u8>,
    /// What the writer has taken and not yet written.
    writing: usize,
    closed: bool,
}

/// Says why a pipe ended, when its reader has seen the end.
pub(crate) type Why = Box<dyn FnOnce() -> BoxFuture<'static, Fault> + Send>;

impl Lines {
    /// Starts the tasks that read and write. After the end of `reader`, `why` says what the callers that still wait are
    /// told.
    pub(crate) fn start<R, W>(
        plugin: PluginId,
        (reader, writer): (R, W),
        max_message: usize,
        host: &Host,
        why: Why,
    ) -> Arc<Self>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let lines = Arc::new(Self {
            plugin,
            // The session may become another.
            host: Host {
                session: None,
                ..host.clone()
            },
            outgoing: Mutex::default(),
            wake: Notify::new(),
            next_id: AtomicU64::new(1),
            pending: Pending::default(),
            max_message,
            session: Mutex::new(host.session.clone()),
            changed: Changed::default(),
            subscribed: Subscribed::default(),
            questions: Questions::default(),
            is_modern: AtomicBool::new(false),
            ended: CancellationToken::new(),
            counts: Counts::default(),
        });
        let writing = Arc::clone(&lines);
        host.supervisor
            .spawn(format!("{} writer", lines.plugin), move |_| {
                writing.write(writer)
            });
        let reading = Arc::clone(&lines);
        host.supervisor
            .spawn(format!("{} reader", lines.plugin), move |_| {
                incoming::read(reading, reader, why)
            });
        lines
    }

    /// Closes the plugin's input once what is queued has been written. The plugin should end by itself then.
    pub(crate) fn close(&self) {
        self.outgoing
            .lock()
            .expect("no holder of this lock panics")
            .closed = true;
        self.wake.notify_one();
    }

    /// The plugin speaks the modern era: its callers may belong to several sessions.
    pub(crate) fn modern(&self) {
        self.is_modern.store(true, Ordering::Relaxed);
        self.serve(None);
    }

    fn era(&self) -> Era {
        match self.is_modern.load(Ordering::Relaxed) {
            true => Era::Modern,
            false => Era::Legacy,
        }
    }

    /// Whether it takes requests.
    pub(crate) fn is_open(&self) -> bool {
        let outgoing = self.outgoing.lock();
        !outgoing.expect("no holder of this lock panics").closed && !self.ended.is_cancelled()
    }

    /// Whether the plugin may still be at work for a caller who gave up.
    pub(crate) fn is_at_work(&self) -> bool {
        self.pending.is_at_work()
    }

    /// Says which session alone the callers to come belong to; `None`: they may belong to several.
    pub(crate) fn serve(&self, session: Option<Arc<Session>>) {
        *self.session.lock().expect("no holder of this lock panics") = session;
    }

    fn session(&self) -> Option<Arc<Session>> {
        self.session
            .lock()
            .expect("no holder of this lock panics")
            .clone()
    }

    /// The client that something without an address is for, if that can be said.
    fn addressee(&self) -> Option<Caller> {
        self.pending.addressee(self.session().is_some())
    }

    /// The client that a log message or the like is for, if that can be said.
    fn hearer(&self, method: &Method) -> Option<Caller> {
        let is_log = *method == Method::LogMessage;
        match is_log && self.era() == Era::Modern {
            true => self.pending.listener(),
            false => self.addressee(),
        }
    }

    /// Ends it: whoever still waits is told `fault`.
    fn end(&self, fault: &Fault) {
        self.close();
        self.pending.fail_all(fault);
        self.ended.cancel();
    }

    async fn write<W: AsyncWrite + Send + Unpin>(self: Arc<Self>, mut writer: W) {
        let mut batch = Vec::new();
        loop {
            let closed = {
                let mut outgoing = self.outgoing.lock().expect("no holder of this lock panics");
                batch.clear();
                std::mem::swap(&mut batch, &mut outgoing.buffer);
                outgoing.writing = batch.len();
                outgoing.closed
            };
            if batch.is_empty() {
                if closed {
                    break;
                }
                tokio::select! {
                    () = self.wake.notified() => continue,
                    () = self.ended.cancelled() => break,
                }
            }
            let written = tokio::select! {
                written = writer.write_all(&batch) => written,
                () = self.ended.cancelled() => break,
            };
            if written.is_err() || writer.flush().await.is_err() {
                self.nobody_reads().await;
                break;
            }
            if batch.capacity() > 1 << 20 {
                batch = Vec::new();
            }
        }
        drop(writer);
    }

    /// The plugin takes no more input. Mostly it has ended, and the reader sees that and says why; one that goes on is
    /// of no use any more.
    async fn nobody_reads(&self) {
        self.close();
        if tokio::time::timeout(LAST_OUTPUT, self.ended.cancelled())
            .await
            .is_err()
        {
            let message = format!("plugin `{}` closed its input", self.plugin);
            self.end(&Fault::new(FaultKind::Unavailable, message).because("upstream_exited"));
        }
    }

    /// Queues one message. `Busy` when the plugin has not read what was sent before.
    fn send(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Fault> {
        let mut outgoing = self.outgoing.lock().expect("no holder of this lock panics");
        if outgoing.closed {
            return Err(Fault::new(
                FaultKind::Unavailable,
                format!("plugin `{}` is stopping", self.plugin),
            )
            .because("upstream_exited"));
        }
        if outgoing.buffer.len() + outgoing.writing > self.max_message {
            let message = format!("plugin `{}` does not read its input", self.plugin);
            return Err(Fault::new(FaultKind::Busy, message).because("upstream_blocked"));
        }
        let idle = outgoing.buffer.is_empty();
        write(&mut outgoing.buffer);
        drop(outgoing);
        if idle {
            self.wake.notify_one();
        }
        Ok(())
    }

    fn send_message(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Fault> {
        self.send(|buffer| {
            let start = buffer.len();
            write(buffer);
            if memchr::memchr2(b'\n', b'\r', &buffer[start..]).is_some() {
                let message = buffer.split_off(start);
                write_line(buffer, &message);
            } else {
                buffer.push(b'\n');
            }
        })
    }

    fn answer(&self, id: &Id, result: &Json) {
        if self
            .send_message(|out| write_result(out, id, result))
            .is_err()
        {
            tracing::debug!(plugin.id = %self.plugin, "Could not answer a request of the plugin");
        }
    }

    async fn ask(
        &self,
        method: &Method,
        mut params: Params,
        call: Option<&CallContext>,
    ) -> Result<Outcome, Fault> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        if *method == Method::Listen {
            self.subscribed.asked(id);
        }
        let caller = call.map(|call| Caller {
            client: Arc::clone(&call.client),
            token: params.progress_token().cloned(),
            logs: call.log_level.map(|_| Arc::clone(&call.caller.principal)),
        });
        if caller.as_ref().is_some_and(|caller| caller.token.is_some()) {
            params.meta.set(meta::PROGRESS_TOKEN, Json::of(&id));
        }
        let answer = self.pending.add(id, caller);
        let mut abandoned = Abandoned {
            lines: self,
            id,
            tell: *method != Method::Initialize,
            farewell: call.and_then(|call| call.farewell.clone()),
            era: call.map(|_| self.era()),
        };
        if self.ended.is_cancelled() {
            abandoned.tell = false;
            return Err(self.pending.why_ended());
        }
        self.send_message(|out| write_request(out, id, method, &params))
            .inspect_err(|_| abandoned.tell = false)?;
        let outcome = answer
            .await
            .unwrap_or_else(|_| Err(self.pending.why_ended()));
        abandoned.tell = false;
        outcome
    }
}

impl Link for Lines {
    fn request<'a>(
        &'a self,
        method: &'a Method,
        params: Params,
        call: Option<&'a CallContext>,
    ) -> BoxFuture<'a, Result<Outcome, Fault>> {
        Box::pin(self.ask(method, params, call))
    }

    fn notify<'a>(
        &'a self,
        method: &'a Method,
        params: Params,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(std::future::ready(
            self.send_message(|out| write_notification(out, method, &params)),
        ))
    }
}

/// Forgets a request when its caller goes away, and tells the plugin that nobody waits any more.
struct Abandoned<'a> {
    lines: &'a Lines,
    id: u64,
    tell: bool,
    farewell: Option<Farewell>,
    /// The era of the plugin, where the request is a client's: it may go on and say something about it, as it may ignore
    /// that it was cancelled (MCP 2026-07-28, cancellation).
    era: Option<Era>,
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        let given_up = self.era.filter(|_| self.tell);
        self.lines.pending.remove(self.id, given_up);
        if self.tell {
            let params = Farewell::params(self.farewell.as_ref(), self.id);
            // A plugin that does not read its input does not get this either; it is restarted for that.
            drop(
                self.lines
                    .send_message(|out| write_notification(out, &Method::Cancelled, &params)),
            );
        }
    }
}
