//! The breaker in front of a remote plugin: what its calls show, and what those are told that it refuses.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::manifest::Manifest;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::registry::breaker::{Circuit, Machine, Shown, Ticket};

/// The reason of a call that is refused.
pub const CIRCUIT_OPEN: &str = "circuit_open";

/// The breaker of one plugin.
#[derive(Debug)]
pub struct Breaker {
    id: PluginId,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    machine: Machine,
    /// The latest failure that counted, in words.
    last: String,
}

/// A call that was let through. Dropping it says that the call has shown nothing.
#[derive(Debug)]
pub struct Pass {
    breaker: Arc<Breaker>,
    ticket: Option<Ticket>,
    began: Instant,
}

impl Breaker {
    /// The breaker of a plugin, closed.
    pub fn new(manifest: &Manifest) -> Arc<Self> {
        Arc::new(Self {
            id: manifest.id.clone(),
            inner: Mutex::new(Inner {
                machine: Machine::new(&manifest.breaker),
                last: String::new(),
            }),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of this lock panics")
    }

    /// Refuses a call at once that would be refused later. `heard` says when the server was last heard.
    pub fn check(&self, heard: impl FnOnce() -> Option<Instant>) -> Result<(), Fault> {
        let mut inner = self.inner();
        let now = Instant::now();
        if inner.machine.refuses(now).is_none() {
            return Ok(());
        }
        if let Some(at) = heard() {
            inner.machine.hear(at);
        }
        match inner.machine.refuses(now) {
            None => Ok(()),
            Some(wait) => Err(self.refusal(&inner, wait)),
        }
    }

    /// Lets a call through, or refuses it.
    pub fn enter(self: &Arc<Self>) -> Result<Pass, Fault> {
        let mut inner = self.inner();
        let began = Instant::now();
        let ticket = inner.machine.admit(began);
        let ticket = ticket.map_err(|wait| self.refusal(&inner, wait))?;
        Ok(Pass {
            breaker: Arc::clone(self),
            ticket: Some(ticket),
            began,
        })
    }

    /// Lets calls through again, as if nothing had ever failed.
    pub fn close(&self) {
        self.inner().machine.close();
    }

    fn refusal(&self, inner: &Inner, wait: Duration) -> Fault {
        let (id, last) = (&self.id, &inner.last);
        let message =
            format!("plugin `{id}` is not asked for now, it failed several times in a row: {last}");
        Fault::new(FaultKind::Unavailable, message)
            .because(CIRCUIT_OPEN)
            .retry_after(wait)
    }

    /// Where it stands.
    pub fn circuit(&self) -> Circuit {
        self.inner().machine.circuit(Instant::now())
    }

    fn take(&self, ticket: Ticket, shown: Shown, fault: Option<&Fault>) {
        let mut inner = self.inner();
        if let (Shown::Fails, Some(fault)) = (shown, fault) {
            inner.last = fault.to_string();
        }
        let before = inner.machine.circuit(Instant::now());
        let opened = inner.machine.take(ticket, shown, Instant::now());
        let after = inner.machine.circuit(Instant::now());
        let id = &self.id;
        match after {
            Circuit::Open(wait) if opened => {
                let (wait_ms, last) = (wait.as_millis() as u64, &inner.last);
                tracing::warn!(plugin.id = %id, wait_ms, "Leaves `{id}` alone for {wait_ms} ms: {last}");
            }
            Circuit::Closed if before != Circuit::Closed => {
                tracing::info!(plugin.id = %id, "`{id}` answers again");
            }
            _ => {}
        }
    }
}

impl Pass {
    /// The call has ended like this. `heard` is when the server was last heard: one that said something since the call
    /// began has not failed by being slow.
    pub fn ended<T>(mut self, outcome: &Result<T, Fault>, heard: Option<Instant>) {
        let shown = match outcome {
            Ok(_) => Shown::Answers,
            Err(fault) => match shown_by(fault) {
                Shown::Fails
                    if fault.kind == FaultKind::Timeout
                        && heard.is_some_and(|at| at >= self.began) =>
                {
                    Shown::Nothing
                }
                shown => shown,
            },
        };
        if let Some(ticket) = self.ticket.take() {
            self.breaker.take(ticket, shown, outcome.as_ref().err());
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.take(ticket, Shown::Nothing, None);
        }
    }
}

/// What a failed call shows of its server. An error of a tool or of the protocol is an answer, and so is HTTP 4xx.
fn shown_by(fault: &Fault) -> Shown {
    if fault.retry_after.is_some() {
        // The server said when to come again, or the gateway did and asked nobody.
        return Shown::Nothing;
    }
    match fault.reason {
        "dns_failure" | "upstream_5xx" | "upstream_reset" | "start_timeout" => Shown::Fails,
        reason if reason.starts_with("connect_") || reason.starts_with("tls_") => Shown::Fails,
        "upstream_4xx" | "upstream_auth" | "redirect_refused" => Shown::Answers,
        _ => match fault.kind {
            FaultKind::Timeout => Shown::Fails,
            FaultKind::Broken => Shown::Answers,
            FaultKind::NotFound
            | FaultKind::BadInput
            | FaultKind::Denied
            | FaultKind::Busy
            | FaultKind::Unavailable
            | FaultKind::Cancelled => Shown::Nothing,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_cannot_be_had_has_failed() {
        use FaultKind::{Broken, Busy, Cancelled, Timeout, Unavailable};
        let fault = |kind, reason| Fault::new(kind, "x").because(reason);
        let wait = Duration::from_secs(2);
        let table = [
            (fault(Unavailable, "connect_refused"), Shown::Fails),
            (fault(Unavailable, "tls_expired"), Shown::Fails),
            (fault(Unavailable, "dns_failure"), Shown::Fails),
            (fault(Unavailable, "upstream_5xx"), Shown::Fails),
            (fault(Unavailable, "upstream_reset"), Shown::Fails),
            (fault(Timeout, "timeout"), Shown::Fails),
            (
                fault(Unavailable, "upstream_5xx").retry_after(wait),
                Shown::Nothing,
            ),
            (
                fault(Busy, "upstream_busy").retry_after(wait),
                Shown::Nothing,
            ),
            (fault(Busy, "upstream_busy"), Shown::Nothing),
            (
                fault(Unavailable, "connect_refused").retry_after(wait),
                Shown::Nothing,
            ),
            (fault(Cancelled, "cancelled"), Shown::Nothing),
            (fault(Unavailable, "shutting_down"), Shown::Nothing),
            (fault(Unavailable, "upstream_4xx"), Shown::Answers),
            (fault(Broken, "protocol_error"), Shown::Answers),
        ];
        for (fault, shown) in table {
            assert_eq!(shown_by(&fault), shown, "{}", fault.reason);
        }
    }

    fn breaker() -> Arc<Breaker> {
        let text = "id = 'a'\nversion = '1.0.0'\nruntime = 'mcp_http'\nmcp_http = { url = 'http://127.0.0.1/' }\nbreaker = { failures = 1 }";
        Breaker::new(&crate::manifest::parse_toml(text).expect("sound"))
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_a_failure_and_slowness_is_not() {
        let late = || Err::<(), _>(Fault::new(FaultKind::Timeout, "late"));
        for (heard_after_ms, circuit) in [
            (None, Circuit::Open(Duration::from_secs(1))),
            (Some(1), Circuit::Closed),
        ] {
            let breaker = breaker();
            let pass = breaker.enter().expect("closed");
            tokio::time::advance(Duration::from_millis(50)).await;
            let heard = heard_after_ms.map(|ms| pass.began + Duration::from_millis(ms));
            pass.ended(&late(), heard);
            assert_eq!(breaker.circuit(), circuit);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_is_told_why_and_for_how_long() {
        let breaker = breaker();
        let fault = Fault::new(FaultKind::Unavailable, "it answered 500").because("upstream_5xx");
        let pass = breaker.enter().expect("closed");
        pass.ended(&Err::<(), _>(fault), None);
        tokio::time::advance(Duration::from_millis(400)).await;
        let refused = breaker.enter().expect_err("open");
        assert_eq!(refused.reason, CIRCUIT_OPEN);
        assert_eq!(refused.retry_after, Some(Duration::from_millis(600)));
        assert!(refused.message.ends_with("it answered 500"), "{refused}");
        tokio::time::advance(Duration::from_millis(600)).await;
        let trying = breaker.enter().expect("half open");
        assert!(breaker.check(|| None).is_err());
        drop(trying);
        assert_eq!(breaker.circuit(), Circuit::HalfOpen);
        assert!(breaker.check(|| None).is_ok());
    }
}
