//! Servers that say when they want to be asked again (`Retry-After`, RFC 9110 section 10.2.3): until then they are not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::{StatusCode, Uri};
use tokio::time::Instant;

use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::runtime::mcp_http::trouble::Upstream;

/// The reason of a request that comes too early for the server, whoever says so.
pub(super) const BUSY: &str = "upstream_busy";

/// Until when one server wants to be left alone. All instances of a plugin share it.
#[derive(Debug, Default)]
pub(super) struct Hold(Mutex<Option<Until>>);

#[derive(Debug, Clone, Copy)]
struct Until {
    at: Instant,
    status: StatusCode,
}

/// The holds of all plugins.
#[derive(Default)]
pub(super) struct Holds(Mutex<HashMap<(PluginId, Uri), Arc<Hold>>>);

impl Holds {
    /// The one of the server at `uri`, as this plugin meets it: another may come with other credentials.
    pub(super) fn of(&self, plugin: &PluginId, uri: &Uri) -> Arc<Hold> {
        let mut holds = self.0.lock().expect("no holder of this lock panics");
        // One that is over and that nobody holds says nothing.
        holds.retain(|_, hold| Arc::strong_count(hold) > 1 || hold.left().is_some());
        let key = (plugin.clone(), uri.clone());
        Arc::clone(holds.entry(key).or_default())
    }
}

impl Hold {
    fn until(&self) -> MutexGuard<'_, Option<Until>> {
        self.0.lock().expect("no holder of this lock panics")
    }

    fn left(&self) -> Option<(Duration, StatusCode)> {
        let until = (*self.until())?;
        let left = until.at.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some((left, until.status))
    }

    /// The server answered `status`, and wants to be left alone for `wait`.
    pub(super) fn begin(&self, status: StatusCode, wait: Duration) {
        let at = Instant::now() + wait;
        let mut until = self.until();
        if until.is_none_or(|until| until.at < at) {
            *until = Some(Until { at, status });
        }
    }

    /// Refuses a request that comes too early.
    pub(super) fn check(&self, upstream: &Upstream) -> Result<(), Fault> {
        let Some((left, status)) = self.left() else {
            return Ok(());
        };
        let what = format_args!(
            "it is not asked for {} ms: it answered {status} and wants to be left alone for so long",
            left.as_millis()
        );
        Err(upstream
            .fault(FaultKind::Busy, BUSY, what)
            .retry_after(left))
    }
}

/// Whether a server that answers `status` may say when to come again.
pub(super) fn may_be_later(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_wait_counts_and_is_forgotten_when_it_is_over() {
        let (holds, plugin) = (Holds::default(), "up".parse().expect("an id"));
        let uri = Uri::from_static("https://example.com/mcp");
        let upstream = Upstream {
            plugin,
            host: "example.com".into(),
        };
        let hold = holds.of(&upstream.plugin, &uri);
        hold.begin(StatusCode::TOO_MANY_REQUESTS, Duration::from_secs(2));
        hold.begin(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(1));
        drop(hold);
        tokio::time::advance(Duration::from_millis(1_500)).await;
        let hold = holds.of(&upstream.plugin, &uri);
        let fault = hold.check(&upstream).expect_err("too early");
        assert_eq!(
            (fault.reason, fault.retry_after),
            (BUSY, Some(Duration::from_millis(500)))
        );
        assert!(fault.message.contains("429"), "{fault}");
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(hold.check(&upstream).is_ok());
    }
}
