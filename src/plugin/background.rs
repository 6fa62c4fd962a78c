//! Background work of a plugin: workers that run on, and work that is done again and again.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::model::fault::Fault;

/// What is done each time; an error is a sentence for people.
pub(crate) type Work = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Does the background work of one plugin, for as long as that runs.
pub(crate) trait Workers: Send + Sync {
    /// Whether the plugin may have any: the grant `BACKGROUND_TASKS`.
    fn is_granted(&self) -> bool;

    /// Begins work: again after each `interval`, or without one for as long as it runs.
    fn take_on(&self, name: &str, interval: Option<Duration>, work: Work) -> Result<(), Fault>;

    /// Ends work; whether there was any of that name.
    fn dismiss(&self, name: &str) -> bool;
}

/// The background work of a plugin that is granted `BACKGROUND_TASKS`. It runs where the plugin's code runs, ends after
/// `on_stop`, and is shown to operators by its names, who can stop and start it. Clones are the same.
///
/// ```
/// use std::time::Duration;
///
/// use async_trait::async_trait;
/// use toolgate::plugin::{HookResult, Plugin, PluginContext};
///
/// struct Watcher;
///
/// #[async_trait]
/// impl Plugin for Watcher {
///     async fn on_init(&self, context: &PluginContext) -> HookResult {
///         let background = context.background()?;
///         // Runs on. When it ends or fails it is started again, after waits that grow.
///         background.start("listen", || async {
///             std::future::pending::<()>().await;
///         })?;
///         background.every("sweep", Duration::from_secs(60), || async {
///             Ok::<_, std::io::Error>(())
///         })?;
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Background(Arc<dyn Workers>);

/// What background work may come to.
pub trait IntoWorkResult {
    /// Itself, as nothing or a sentence on what went wrong.
    fn into_work_result(self) -> Result<(), String>;
}

impl IntoWorkResult for () {
    fn into_work_result(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: std::fmt::Display> IntoWorkResult for Result<(), E> {
    fn into_work_result(self) -> Result<(), String> {
        self.map_err(|err| err.to_string())
    }
}

impl Background {
    pub(crate) fn new(workers: Arc<dyn Workers>) -> Self {
        Self(workers)
    }

    /// Starts a worker that is meant to run on. When it ends, fails or panics it is started again: after a second, then
    /// after waits that double up to a minute, short again once it has run for ten seconds. A name that is taken is an
    /// error.
    pub fn start<F, W>(&self, name: &str, worker: F) -> Result<(), Fault>
    where
        F: Fn() -> W + Send + Sync + 'static,
        W: Future<Output: IntoWorkResult> + Send + 'static,
    {
        self.0.take_on(name, None, boxed(worker))
    }

    /// Has `work` done again and again, first after one `interval` and then after each end of it; later while it fails.
    /// A name that is taken is an error.
    pub fn every<F, W>(&self, name: &str, interval: Duration, work: F) -> Result<(), Fault>
    where
        F: Fn() -> W + Send + Sync + 'static,
        W: Future<Output: IntoWorkResult> + Send + 'static,
    {
        self.0.take_on(name, Some(interval), boxed(work))
    }

    /// Ends a worker or periodic work, and frees its name; whether there was one. What runs is dropped at its next
    /// `.await`.
    pub fn stop(&self, name: &str) -> bool {
        self.0.dismiss(name)
    }
}

fn boxed<F, W>(work: F) -> Work
where
    F: Fn() -> W + Send + Sync + 'static,
    W: Future<Output: IntoWorkResult> + Send + 'static,
{
    Arc::new(move || {
        let work = work();
        Box::pin(async move { work.await.into_work_result() })
    })
}

impl std::fmt::Debug for Background {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Background")
    }
}
