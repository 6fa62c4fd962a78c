//! What a group was delivered and has not acknowledged: kept while it is worked on here, delivered again when its time has
//! come, whoever had it, and given up after so many times.
//!
//! `XAUTOCLAIM` would do the second in one command, but it does not say how often an event was delivered.

use redis::{RedisResult, cmd};

use crate::events::bus::Dead;
use crate::events::redis::group::{RedisGroup, WINDOW};
use crate::events::redis::link::Link;
use crate::events::redis::reply::{self, Pending};
use crate::events::redis::{Keys, Rules, entry};

/// A consumer with nothing to do that was not heard of for so long is forgotten, in milliseconds.
const GONE_MS: u64 = 3_600_000;

impl RedisGroup {
    pub(super) async fn reclaim(
        &self,
        link: &Link,
        keys: &Keys,
        rules: &Rules,
        consumer: &str,
    ) -> RedisResult<()> {
        self.renew(link, keys, consumer).await?;
        self.count(link, keys).await?;
        self.forget(link, keys).await?;
        let (held, wanted) = {
            let state = self.state();
            let held: Vec<String> = state.held.values().map(|held| held.entry.clone()).collect();
            (held, state.subscriptions > 0)
        };
        if !wanted {
            return Ok(());
        }
        let idle_ms = u64::try_from(rules.redeliver.as_millis()).unwrap_or(u64::MAX);
        let mut look = cmd("XPENDING");
        look.arg(&keys.events).arg(&self.name);
        look.arg("IDLE").arg(idle_ms).arg("-").arg("+").arg(WINDOW);
        let mut due = reply::pending(link.ask(&look).await?);
        due.retain(|pending| !held.contains(&pending.id));
        due.truncate(WINDOW.saturating_sub(held.len()));
        if due.is_empty() {
            return Ok(());
        }
        let mut claim = cmd("XCLAIM");
        claim
            .arg(&keys.events)
            .arg(&self.name)
            .arg(consumer)
            .arg(idle_ms);
        for pending in &due {
            claim.arg(&pending.id);
        }
        let claimed = reply::entries(link.ask(&claim).await?);
        self.sort(claimed, &due);
        Ok(())
    }

    /// Those that were delivered too often die, the others are delivered again.
    fn sort(&self, claimed: Vec<reply::Entry>, due: &[Pending]) {
        let mut again = Vec::new();
        for (id, fields) in claimed {
            let Some(pending) = due.iter().find(|pending| pending.id == id) else {
                continue;
            };
            let event = fields.as_ref().and_then(entry::event);
            match event.filter(|_| pending.deliveries >= self.max_deliveries) {
                None => again.push(((id, fields), pending.deliveries + 1)),
                Some(event) => {
                    let mut state = self.state();
                    let error = state.errors.remove(&id).unwrap_or_else(|| {
                        format!("`{}` has not acknowledged it", pending.consumer)
                    });
                    let dead = Dead {
                        event,
                        group: self.subscriber.group.clone(),
                        deliveries: pending.deliveries,
                        error,
                    };
                    state.dying.push((id, dead));
                    drop(state);
                    self.work.notify_one();
                }
            }
        }
        self.hold(again);
    }

    /// Says that what is here is being worked on, so that nobody else takes it.
    async fn renew(&self, link: &Link, keys: &Keys, consumer: &str) -> RedisResult<()> {
        let mut claim = cmd("XCLAIM");
        claim.arg(&keys.events).arg(&self.name).arg(consumer).arg(0);
        {
            let state = self.state();
            if state.held.is_empty() {
                return Ok(());
            }
            for held in state.held.values() {
                claim.arg(&held.entry);
            }
        }
        // Like this it does not count as a delivery.
        claim.arg("JUSTID");
        link.ask(&claim).await.map(drop)
    }

    async fn count(&self, link: &Link, keys: &Keys) -> RedisResult<()> {
        let count = cmd("XPENDING").arg(&keys.events).arg(&self.name).to_owned();
        let pending = reply::count(link.ask(&count).await?);
        self.state().pending = pending;
        Ok(())
    }

    /// Forgets gateways that are gone.
    async fn forget(&self, link: &Link, keys: &Keys) -> RedisResult<()> {
        let look = cmd("XINFO")
            .arg("CONSUMERS")
            .arg(&keys.events)
            .arg(&self.name)
            .to_owned();
        for name in reply::gone(link.ask(&look).await?, GONE_MS) {
            let forget = cmd("XGROUP")
                .arg("DELCONSUMER")
                .arg(&keys.events)
                .arg(&self.name)
                .arg(name)
                .to_owned();
            link.ask(&forget).await?;
        }
        Ok(())
    }
}
