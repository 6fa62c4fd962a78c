//! The tasks of the gateway: every one has an owner, a name and an end.

pub mod backoff;

pub mod work;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Starts tasks and sees to their end. The only place that spawns.
#[derive(Debug, Clone, Default)]
pub struct Supervisor {
    stop: CancellationToken,
    tasks: TaskTracker,
    names: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Supervisor {
    /// A supervisor without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// A supervisor of the same tasks whose own ones can be told to stop before the others.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            stop: self.stop.child_token(),
            tasks: self.tasks.clone(),
            names: Arc::clone(&self.names),
        }
    }

    /// Starts a task. It should end soon after `stop` is cancelled.
    pub fn spawn<F, W>(&self, name: impl Into<String>, work: F) -> JoinHandle<()>
    where
        F: FnOnce(CancellationToken) -> W,
        W: Future<Output = ()> + Send + 'static,
    {
        let name = Named::new(&self.names, name.into());
        let work = work(self.stop.clone());
        self.tasks.spawn(async move {
            let _name = name;
            work.await;
        })
    }

    /// The same on another runtime than the one that asks: for work that belongs to a thread of its own.
    pub fn spawn_on<F, W>(
        &self,
        runtime: &tokio::runtime::Handle,
        name: impl Into<String>,
        work: F,
    ) -> JoinHandle<()>
    where
        F: FnOnce(CancellationToken) -> W,
        W: Future<Output = ()> + Send + 'static,
    {
        let name = Named::new(&self.names, name.into());
        let work = work(self.stop.clone());
        let named = async move {
            let _name = name;
            work.await;
        };
        self.tasks.spawn_on(named, runtime)
    }

    /// Starts the work of one request: counted, but not listed by name.
    pub fn spawn_request<W>(&self, work: W) -> JoinHandle<W::Output>
    where
        W: Future + Send + 'static,
        W::Output: Send + 'static,
    {
        self.tasks.spawn(work)
    }

    /// The same on another runtime than the one that asks: for work that is to outlive it.
    pub fn spawn_request_on<W>(
        &self,
        runtime: &tokio::runtime::Handle,
        work: W,
    ) -> JoinHandle<W::Output>
    where
        W: Future + Send + 'static,
        W::Output: Send + 'static,
    {
        self.tasks.spawn_on(work, runtime)
    }

    /// Cancelled when the tasks are to end.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Tells the tasks to end and waits for that, `grace` at the most. Says who was left.
    pub async fn stop(&self, grace: Duration) -> Vec<String> {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_ok() {
            return Vec::new();
        }
        self.names()
    }

    /// The names of the tasks that run, in order.
    pub fn names(&self) -> Vec<String> {
        self.names
            .lock()
            .expect("no holder of this lock panics")
            .keys()
            .cloned()
            .collect()
    }

    /// How many tasks run.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether no task runs.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

/// Keeps a task's name listed while it runs.
struct Named {
    names: Arc<Mutex<BTreeMap<String, usize>>>,
    name: String,
}

impl Named {
    fn new(names: &Arc<Mutex<BTreeMap<String, usize>>>, name: String) -> Self {
        *names
            .lock()
            .expect("no holder of this lock panics")
            .entry(name.clone())
            .or_default() += 1;
        Self {
            names: Arc::clone(names),
            name,
        }
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let mut names = self.names.lock().expect("no holder of this lock panics");
        if let Some(count) = names.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                names.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_does_not_end_is_named() {
        let supervisor = Supervisor::new();
        supervisor.spawn("good", |stop| async move { stop.cancelled().await });
        supervisor.spawn("deaf", |_| std::future::pending());
        assert_eq!(supervisor.stop(Duration::from_secs(1)).await, ["deaf"]);
    }

    #[tokio::test]
    async fn a_child_stops_alone() {
        let parent = Supervisor::new();
        let child = parent.child();
        let task = child.spawn("child", |stop| async move { stop.cancelled().await });
        parent.spawn("parent", |stop| async move { stop.cancelled().await });
        child.stopping().cancel();
        task.await.expect("the task ends");
        assert_eq!(parent.names(), ["parent"]);
        assert!(parent.stop(Duration::from_secs(5)).await.is_empty());
    }
}
