//! What goes to standard output, in order, one message per line.

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

/// The writing end of the pipe.
pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Bytes>>>,
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
        let writer = Arc::new(Self {
            queue: Mutex::new(Some(queue)),
            broken: broken.clone(),
            done: done.clone(),
        });
        supervisor.spawn("stdout", |_| async move {
            if let Err(err) = write(output, messages).await {
                tracing::debug!("Could not write to standard output: {err}");
                broken.cancel();
            }
            done.cancel();
        });
        writer
    }

    fn queue(&self) -> Option<mpsc::Sender<Bytes>> {
        self.queue
            .lock()
            .expect("no holder of this lock panics")
            .clone()
    }

    /// Queues an answer; waits for a place.
    pub(super) async fn send(&self, message: Bytes) {
        if let Some(queue) = self.queue() {
            // A closed queue means that there is nobody to answer any more.
            queue.send(message).await.ok();
        }
    }

    /// Queues a notification, or drops it when the client does not read.
    pub(super) fn offer(&self, message: Bytes) {
        if self
            .queue()
            .is_some_and(|queue| queue.try_send(message).is_err())
        {
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
    mut messages: mpsc::Receiver<Bytes>,
) -> std::io::Result<()> {
    let mut batch = Vec::new();
    while let Some(message) = messages.recv().await {
        batch.clear();
        write_line(&mut batch, &message);
        while batch.len() < BATCH
            && let Ok(message) = messages.try_recv()
        {
            write_line(&mut batch, &message);
        }
        output.write_all(&batch).await?;
        output.flush().await?;
    }
    Ok(())
}
