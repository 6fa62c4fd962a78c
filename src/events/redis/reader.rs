//! Waits for what is new in the stream, tells the tails, and wakes the groups.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};

use crate::events::redis::link::Backoff;
use crate::events::redis::{Redis, entry, reply};

/// How long one read waits for something new.
const BLOCK: Duration = Duration::from_secs(2);

/// The most entries of one read.
const COUNT: usize = 256;

impl Redis {
    /// Reads while anyone asks for anything.
    pub(super) async fn read(&self) {
        let mut any = self.interest.any();
        let mut backoff = Backoff::new();
        let mut last: Option<String> = None;
        let mut connection: Option<MultiplexedConnection> = None;
        loop {
            if !*any.borrow_and_update() {
                // What is published meanwhile is nobody's.
                (last, connection) = (None, None);
                if any.changed().await.is_err() {
                    return;
                }
                continue;
            }
            match self.read_on(&mut connection, &mut last).await {
                Ok(()) => backoff.reset(),
                Err(_) => {
                    connection = None;
                    backoff.wait().await;
                }
            }
        }
    }

    async fn read_on(
        &self,
        connection: &mut Option<MultiplexedConnection>,
        last: &mut Option<String>,
    ) -> RedisResult<()> {
        let since = match last {
            Some(since) => since,
            None => {
                let newest = cmd("XREVRANGE")
                    .arg(&self.keys.events)
                    .arg("+")
                    .arg("-")
                    .arg("COUNT")
                    .arg(1)
                    .to_owned();
                let newest = reply::entries(self.link.ask(&newest).await?).pop();
                last.insert(newest.map_or_else(|| "0-0".to_owned(), |(id, _)| id))
            }
        };
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(self.link.own(BLOCK).await?),
        };
        let mut read = cmd("XREAD");
        read.arg("COUNT")
            .arg(COUNT)
            .arg("BLOCK")
            .arg(BLOCK.as_millis() as u64);
        read.arg("STREAMS").arg(&self.keys.events).arg(&*since);
        let entries = reply::read(read.query_async(connection).await?);
        if entries.is_empty() {
            // Nothing is told through the connection that waits, so the other one is asked whether the server is there.
            self.link.ask(&cmd("PING")).await?;
            return Ok(());
        }
        for (id, fields) in entries {
            if let Some(event) = fields.as_ref().and_then(entry::event) {
                self.tails.tell(&event);
            }
            *last = Some(id);
        }
        for group in self.groups().iter() {
            group.nudge();
        }
        Ok(())
    }
}
