//! Carries events from the outbox to Redis.

use redis::RedisResult;
use tokio_util::sync::CancellationToken;

use crate::events::redis::link::Backoff;
use crate::events::redis::{LAST_EVENTS, Redis, entry};

impl Redis {
    /// Writes what is published, until `stop`, and then what is left within a bound.
    pub(super) async fn write(&self, stop: &CancellationToken) {
        let mut backoff = Backoff::new();
        loop {
            let written = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                written = self.write_next() => written,
            };
            match written {
                Ok(()) => backoff.reset(),
                Err(_) => {
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => break,
                        () = backoff.wait() => {}
                    }
                }
            }
        }
        // What was on its way when that was given up may be there already: it is the same event then.
        self.outbox.done(false);
        let rest = async { while self.outbox.len() > 0 && self.write_batch().await.is_ok() {} };
        tokio::time::timeout(LAST_EVENTS, rest).await.ok();
    }

    /// Waits for something to write, and writes it.
    async fn write_next(&self) -> RedisResult<()> {
        let groups = self.groups().clone();
        for group in groups {
            // Before anything that was published after it subscribed.
            group.create(&self.link, &self.keys).await?;
        }
        match self.outbox.len() {
            0 => {
                self.outbox.bell.notified().await;
                Ok(())
            }
            _ => self.write_batch().await,
        }
    }

    async fn write_batch(&self) -> RedisResult<()> {
        let batch = self.outbox.batch();
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        for event in &batch {
            let add = entry::add(&self.keys.events, self.rules.keep, event);
            pipeline.add_command(add).ignore();
        }
        let written = self.link.transact(&pipeline).await;
        self.outbox.done(written.is_ok());
        written.map(drop)
    }
}
