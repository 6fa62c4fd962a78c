//! A thread with a tokio runtime of its own, for code that may block.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// A thread that was started and is not waited for: a blocked one cannot be ended, only left behind.
#[derive(Clone)]
pub(crate) struct OwnThread {
    /// Cancelled when the thread has ended.
    pub(crate) ended: CancellationToken,
    panic: Arc<OnceLock<String>>,
}

impl OwnThread {
    /// Runs `work` to its end on a thread of its own.
    pub(crate) fn start<W>(name: String, work: W) -> std::io::Result<Self>
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = Self {
            ended: CancellationToken::new(),
            panic: Arc::default(),
        };
        let seen = thread.clone();
        std::thread::Builder::new().name(name).spawn(move || {
            let _at_end = seen.ended.drop_guard();
            let run = AssertUnwindSafe(|| runtime.block_on(work));
            if let Err(panic) = std::panic::catch_unwind(run) {
                let _ = seen.panic.set(panic_text(&*panic));
            }
            // What it has left running in blocking threads must not hold this one.
            runtime.shutdown_background();
        })?;
        Ok(thread)
    }

    /// What it died of, if it panicked.
    pub(crate) fn panic(&self) -> Option<&str> {
        self.panic.get().map(String::as_str)
    }

    /// Waits for its end, `bound` at the most; `false` when it has not come.
    pub(crate) async fn wait(&self, bound: Duration) -> bool {
        tokio::time::timeout(bound, self.ended.cancelled())
            .await
            .is_ok()
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it did not say why")
        .to_owned()
}
