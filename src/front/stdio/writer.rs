//! What goes to standard output, in order, one message per line.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::background::Supervisor;
use crate::wire::line::write_line;

/// The most messages that wait. Answers wait for a place; notifications are dropped.
const MAX_WAITING: usize = 1024;

/// The most bytes that are put together into one write.
const BATCH: usize = 256 << 10;

/// How long the last messages may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The most bytes of notifications that wait, unless a single one is larger.
const MAX_OFFERED: usize = 1 << 20;

/// What waits to be written.
enum Queued {
    Answer(Bytes),
    Notification(Bytes),
}

/// The writing end of the pipe.
pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Queued>>>,
    /// How many bytes of notifications wait.
    offered: Arc<AtomicUsize>,
    broken: CancellationToken,
    done: CancellationToken,
}

impl Writer {
    pub(super) fn start<W: AsyncWrite + Send + Unpin + 'static>(
        output: W,
        supervisor: &Supervisor,
    ) -> Arc<Self> {
        let (queue, messages) = mpsc::channel(MAX_WAITING);
        let (broken, done) = (CancellationToken::new(), CancellationToken::new());
        let offered = Arc::new(AtomicUsize::new(0));
        let writer = Arc::new(Self {
            queue: Mutex::new(Some(queue)),
            offered: Arc::clone(&offered),
            broken: broken.clone(),
            done: done.clone(),
        });
        supervisor.spawn("stdout", |_| async move {
            if let Err(err) = write(output, messages, &offered).await {
                tracing::debug!("Could not write to standard output: {err}");
                broken.cancel();
            }
            done.cancel();
        });
        writer
    }

    fn queue(&self) -> Option<mpsc::Sender<Queued>> {
        self.queue
            .lock()
            .expect("no holder of this lock panics")
            .clone()
    }

    /// Queues an answer; waits for a place.
    pub(super) async fn send(&self, message: Bytes) {
        if let Some(queue) = self.queue() {
            // A closed queue means that there is nobody to answer any more.
            queue.send(Queued::Answer(message)).await.ok();
        }
    }

    /// Queues a notification, or drops it when the client does not read.
    pub(super) fn offer(&self, message: Bytes) {
        let size = message.len();
        let waiting = self.offered.fetch_add(size, Ordering::Relaxed);
        let full = waiting > 0 && waiting + size > MAX_OFFERED;
        if full
            || self
                .queue()
                .is_some_and(|queue| queue.try_send(Queued::Notification(message)).is_err())
        {
            self.offered.fetch_sub(size, Ordering::Relaxed);
            tracing::debug!("Dropped a notification for a client that does not read");
        }
    }

    /// Waits until nobody reads the output any more.
    pub(super) async fn broken(&self) {
        self.broken.cancelled().await;
    }

    /// Writes what is queued, takes nothing more.
    pub(super) async fn close(&self) {
        drop(
            self.queue
                .lock()
                .expect("no holder of this lock panics")
                .take(),
        );
        tokio::time::timeout(LAST_WORDS, self.done.cancelled())
            .await
            .ok();
    }
}

async fn write<W: AsyncWrite + Unpin>(
    mut output: W,
    mut messages: mpsc::Receiver<Queued>,
    offered: &AtomicUsize,
) -> std::io::Result<()> {
    let take = |batch: &mut Vec<u8>, queued| match queued {
        Queued::Answer(message) => write_line(batch, &message),
        Queued::Notification(message) => {
            offered.fetch_sub(message.len(), Ordering::Relaxed);
            write_line(batch, &message);
        }
    };
    let mut batch = Vec::new();
    while let Some(queued) = messages.recv().await {
        batch.clear();
        take(&mut batch, queued);
        while batch.len() < BATCH
            && let Ok(queued) = messages.try_recv()
        {
            take(&mut batch, queued);
        }
        output.write_all(&batch).await?;
        output.flush().await?;
    }
    Ok(())
}
