//! Where a plugin runs: in the tasks of its callers, or on a thread of its own.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::manifest::limits::Limits;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::runtime::in_process::hooks::{Life, Offers, STOP_BOUND};
use crate::runtime::own_thread::OwnThread;

/// How much longer than its `on_stop` the thread of a plugin may take to end: its background work is dropped meanwhile.
const SLACK: Duration = Duration::from_secs(1);

/// Where one plugin runs.
pub(super) enum Seat {
    /// In the tasks of its callers.
    Here {
        stop: CancellationToken,
        stopped: OnceCell<()>,
    },
    /// On its own thread.
    There(Thread),
}

/// A plugin's own thread.
pub(super) struct Thread {
    id: PluginId,
    queue: mpsc::Sender<Job>,
    stop: CancellationToken,
    thread: OwnThread,
}

type Job = BoxFuture<'static, ()>;

impl Seat {
    /// Starts a plugin that promises never to block.
    pub(super) async fn here(life: &Life, limits: &Limits) -> Result<(Self, Offers), Fault> {
        let bound = Duration::from_millis(limits.start_timeout_ms);
        let started = tokio::time::timeout(bound, life.start())
            .await
            .unwrap_or_else(|_| Err(life.late(bound)))?;
        let seat = Self::Here {
            stop: CancellationToken::new(),
            stopped: OnceCell::new(),
        };
        Ok((seat, started))
    }

    /// Starts a plugin that may block. When it does not start in time its thread is told to end, which it does as soon
    /// as it is no longer blocked.
    pub(super) async fn there(life: &Arc<Life>, limits: &Limits) -> Result<(Self, Offers), Fault> {
        let bound = Duration::from_millis(limits.start_timeout_ms);
        let (queue, jobs) = mpsc::channel(limits.max_queue.max(1) as usize);
        let (ready, started) = oneshot::channel();
        let stop = CancellationToken::new();
        let at_once = limits.max_concurrent_calls.max(1) as usize;
        let work = serve(Arc::clone(life), jobs, at_once, ready, stop.clone());
        let id = life.id.clone();
        let thread = OwnThread::start(format!("plugin {id}"), work).map_err(|err| {
            Fault::new(
                FaultKind::Unavailable,
                format!("plugin `{id}` got no thread"),
            )
            .caused_by(err)
        })?;
        let given_up = stop.clone().drop_guard();
        let started = match tokio::time::timeout(bound, started).await {
            Ok(Ok(started)) => started?,
            Ok(Err(_)) => return Err(gone(&id, thread.panic())),
            Err(_) => return Err(life.late(bound)),
        };
        given_up.disarm();
        let thread = Thread {
            id,
            queue,
            stop,
            thread,
        };
        Ok((Self::There(thread), started))
    }

    /// Does `work` where the plugin runs. Never waits for room: a full queue is a fault. Dropping the future drops the
    /// work.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        life: &Life,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let stop = match self {
            Self::Here { stop, .. } => stop,
            Self::There(thread) => return thread.run(work).await,
        };
        let mut work = pin!(work);
        if stop.is_cancelled() {
            return Err(stopped(&life.id));
        }
        // Most tools are done at once; only for the others it is worth to listen for the end.
        if let Poll::Ready(done) = futures::poll!(work.as_mut()) {
            return done;
        }
        tokio::select! {
            biased;
            done = work => done,
            () = stop.cancelled() => Err(stopped(&life.id)),
        }
    }

    /// Cancelled when the plugin is stopped.
    pub(super) fn stopping(&self) -> &CancellationToken {
        match self {
            Self::Here { stop, .. } => stop,
            Self::There(thread) => &thread.stop,
        }
    }

    /// Stops the plugin and waits for that, within a bound.
    pub(super) async fn stop(&self, life: &Life) {
        match self {
            Self::Here { stop, stopped } => {
                stop.cancel();
                stopped.get_or_init(|| life.stop()).await;
            }
            Self::There(thread) => {
                thread.stop.cancel();
                if !thread.thread.wait(STOP_BOUND + SLACK).await {
                    let (id, s) = (&life.id, (STOP_BOUND + SLACK).as_secs());
                    tracing::warn!(plugin.id = %id, "Left the thread of `{id}` behind: it did not end within {s} s");
                }
            }
        }
    }

    /// Why it came to an end by itself.
    pub(super) fn last_words(&self) -> Option<String> {
        match self {
            Self::Here { .. } => None,
            Self::There(thread) => thread
                .thread
                .panic()
                .map(|why| format!("its thread panicked: {why}")),
        }
    }

    /// Cancelled when its thread has ended.
    pub(super) fn thread_ended(&self) -> Option<&CancellationToken> {
        match self {
            Self::Here { .. } => None,
            Self::There(thread) => Some(&thread.thread.ended),
        }
    }
}

impl Thread {
    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let (mut reply, answer) = oneshot::channel();
        let job = async move {
            tokio::select! {
                biased;
                () = reply.closed() => {}
                done = work => drop(reply.send(done)),
            }
        };
        // Work answers for its own panics, except for one while it is dropped; that must not end the thread either.
        let job = Box::pin(AssertUnwindSafe(job).catch_unwind().map(drop));
        self.queue.try_send(job).map_err(|err| match err {
            mpsc::error::TrySendError::Full(_) => Fault::new(
                FaultKind::Busy,
                format!("plugin `{}` has too many calls waiting", self.id),
            )
            .because("overloaded"),
            mpsc::error::TrySendError::Closed(_) => gone(&self.id, self.thread.panic()),
        })?;
        answer
            .await
            .unwrap_or_else(|_| Err(gone(&self.id, self.thread.panic())))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The work of a plugin's own thread.
async fn serve(
    life: Arc<Life>,
    mut jobs: mpsc::Receiver<Job>,
    at_once: usize,
    ready: oneshot::Sender<Result<Offers, Fault>>,
    stop: CancellationToken,
) {
    let started = tokio::select! {
        biased;
        () = stop.cancelled() => return,
        started = life.start() => started,
    };
    let failed = started.is_err();
    let heard = ready.send(started).is_ok();
    if failed {
        return;
    }
    if !heard {
        return life.stop().await;
    }
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(()) = running.next(), if !running.is_empty() => {}
            job = jobs.recv(), if running.len() < at_once => match job {
                Some(job) => running.push(job),
                None => break,
            },
        }
    }
    drop(jobs);
    drop(running);
    life.stop().await;
}

fn stopped(id: &PluginId) -> Fault {
    Fault::new(
        FaultKind::Unavailable,
        format!("plugin `{id}` has been stopped"),
    )
    .because("stopped")
}

fn gone(id: &PluginId, panic: Option<&str>) -> Fault {
    match panic {
        None => stopped(id),
        Some(why) => Fault::new(
            FaultKind::Unavailable,
            format!("the thread of plugin `{id}` panicked"),
        )
        .because("panic")
        .caused_by(why),
    }
}
