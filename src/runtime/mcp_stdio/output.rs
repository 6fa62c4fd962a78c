//! The output of a child, which is over soon after the child is.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, ReadBuf};

use crate::runtime::process::Process;

/// How long after the end of a child what it wrote is still read.
const GRACE: Duration = Duration::from_millis(200);

/// Ends at the end of the pipe, or a moment after the end of the process: its own children may hold the pipe open for
/// ever, and nobody is to wait for an answer that they do not know of.
pub(super) struct Output<R> {
    pipe: R,
    over: BoxFuture<'static, ()>,
    is_over: bool,
}

impl<R> Output<R> {
    pub(super) fn new(pipe: R, process: Process) -> Self {
        let over = Box::pin(async move {
            process.ended().await;
            tokio::time::sleep(GRACE).await;
        });
        Self {
            pipe,
            over,
            is_over: false,
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Output<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.is_over = self.is_over || self.over.as_mut().poll(context).is_ready();
        if self.is_over {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.pipe).poll_read(context, buffer)
    }
}
