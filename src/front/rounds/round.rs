//! One round of a call, as the front sees it that answers a request.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::front::desk::Reply;
use crate::front::rounds::dialogue::{Dialogue, Taken};

/// A round while a front serves it. Dropping it before its end cancels the call: its client has gone away.
pub(crate) struct Round {
    dialogue: Arc<Dialogue>,
    ended: bool,
    /// When the call becomes a task, if it may.
    task_at: Option<Instant>,
}

/// What comes next in a round.
pub(crate) enum Next {
    /// A notification.
    Message(Bytes),
    /// The result that ends the round while the call goes on: the client is asked, or it comes back for a task.
    Parked(Bytes),
    /// What the call came to.
    Answered(Reply),
}

impl Round {
    pub(super) fn of(dialogue: &Arc<Dialogue>) -> Self {
        Self {
            dialogue: Arc::clone(dialogue),
            ended: false,
            task_at: dialogue.task_at(),
        }
    }

    /// Waits for what comes next. After an end nothing does. Loses nothing when it is dropped.
    pub(crate) async fn next(&mut self) -> Next {
        let mut gathered = false;
        loop {
            let ready = self.dialogue.ready();
            match self.dialogue.take(gathered) {
                Taken::Next(next) => {
                    self.ended = !matches!(next, Next::Message(_));
                    return next;
                }
                // What is asked in the same breath belongs in the same answer.
                Taken::Questions => {
                    gathered = true;
                    tokio::task::yield_now().await;
                }
                Taken::Nothing if self.is_late() => {
                    self.task_at = None;
                    if let Some(task) = self.dialogue.become_task() {
                        self.ended = true;
                        return Next::Parked(task);
                    }
                }
                Taken::Nothing => match self.task_at {
                    None => ready.await,
                    Some(at) => tokio::select! {
                        () = ready => {}
                        () = tokio::time::sleep_until(at) => {}
                    },
                },
            }
        }
    }

    fn is_late(&self) -> bool {
        self.task_at.is_some_and(|at| at <= Instant::now())
    }

    /// The call is over, and the front has its answer: what is still to be told before that, if anything is.
    pub(crate) fn end(&mut self) -> Vec<Bytes> {
        self.ended = true;
        self.dialogue.end()
    }

    /// The call that it is a round of.
    pub(crate) fn dialogue(&self) -> &Arc<Dialogue> {
        &self.dialogue
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        if !self.ended {
            self.dialogue.abandon();
        }
    }
}
