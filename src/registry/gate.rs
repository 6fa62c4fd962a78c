//! How many calls one plugin takes at once, and how many may wait for that.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The way into one plugin.
#[derive(Debug)]
pub struct Gate {
    running: Semaphore,
    waiting: AtomicUsize,
    max_running: usize,
    max_waiting: usize,
}

/// The gate is full, and so is the queue before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Gate {
    /// A gate that lets `max_running` calls run and `max_waiting` wait.
    pub fn new(max_running: usize, max_waiting: usize) -> Self {
        Self {
            running: Semaphore::new(max_running),
            waiting: AtomicUsize::new(0),
            max_running,
            max_waiting,
        }
    }

    /// A place, where that needs no waiting.
    pub fn try_enter(&self) -> Option<SemaphorePermit<'_>> {
        self.running.try_acquire().ok()
    }

    /// Waits for a place. Calls above the bounds are refused at once.
    pub async fn enter(&self) -> Result<SemaphorePermit<'_>, Full> {
        if let Some(permit) = self.try_enter() {
            return Ok(permit);
        }
        let _place = Waiting::take(self).ok_or(Full)?;
        self.running.acquire().await.map_err(|_| Full)
    }

    /// Waits until no call runs. Calls that come meanwhile wait behind this.
    pub async fn drained(&self) {
        let all = u32::try_from(self.max_running).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        drop(self.running.acquire_many(all).await);
    }

    /// How many calls run.
    pub fn in_flight(&self) -> usize {
        self.max_running - self.running.available_permits()
    }

    /// How many calls wait.
    pub fn queued(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// A place in the queue; dropping it gives it back, however the wait ends.
struct Waiting<'a>(&'a Gate);

impl<'a> Waiting<'a> {
    fn take(gate: &'a Gate) -> Option<Self> {
        let taken = gate.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(gate);
        (taken < gate.max_waiting).then_some(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_above_the_bounds_are_refused_at_once() {
        let gate = Gate::new(1, 1);
        let running = gate.enter().await.expect("free");
        let mut waits = Box::pin(gate.enter());
        assert!(futures::poll!(&mut waits).is_pending());
        assert_eq!(gate.enter().await.err(), Some(Full));
        assert_eq!((gate.in_flight(), gate.queued()), (1, 1));
        drop(running);
        assert!(waits.await.is_ok());
        assert_eq!((gate.in_flight(), gate.queued()), (0, 0));
    }
}
