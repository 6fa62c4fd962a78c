//! A bounded queue of messages on their way to one client stream.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::Notify;

/// The most messages that wait in one outbox.
pub const MAX_MESSAGES: usize = 256;

/// The most bytes that wait in one outbox, unless a single message is larger.
pub const MAX_BYTES: usize = 1 << 20;

/// Messages on their way to one stream. Filling it never waits: what it cannot hold is dropped and counted.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Bytes>,
    bytes: usize,
    dropped: u64,
    closed: bool,
}

impl Outbox {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder of this lock panics")
    }

    /// Queues a message; `false` when it was dropped.
    pub fn push(&self, message: Bytes) -> bool {
        let mut queue = self.queue();
        let full = queue.messages.len() >= MAX_MESSAGES
            || (queue.bytes + message.len() > MAX_BYTES && !queue.messages.is_empty());
        if queue.closed || full {
            queue.dropped += 1;
            return false;
        }
        queue.bytes += message.len();
        queue.messages.push_back(message);
        drop(queue);
        self.ready.notify_one();
        true
    }

    /// Takes a message if one waits.
    pub fn try_next(&self) -> Option<Bytes> {
        let mut queue = self.queue();
        let message = queue.messages.pop_front()?;
        queue.bytes -= message.len();
        Some(message)
    }

    /// Waits for a message; `None` when the outbox is closed and empty. For one reader.
    pub async fn next(&self) -> Option<Bytes> {
        loop {
            if let Some(message) = self.try_next() {
                return Some(message);
            }
            if self.is_closed() {
                return None;
            }
            self.ready.notified().await;
        }
    }

    /// Takes no more messages; those that wait can still be read.
    pub fn close(&self) {
        self.queue().closed = true;
        self.ready.notify_one();
    }

    /// Whether it takes no more messages.
    pub fn is_closed(&self) -> bool {
        self.queue().closed
    }

    /// How many messages were dropped.
    pub fn dropped(&self) -> u64 {
        self.queue().dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_come_out_in_order_until_it_is_closed() {
        let outbox = Outbox::default();
        assert!(outbox.push(Bytes::from_static(b"a")) && outbox.push(Bytes::from_static(b"b")));
        outbox.close();
        assert!(!outbox.push(Bytes::from_static(b"c")));
        assert_eq!(outbox.next().await.as_deref(), Some(&b"a"[..]));
        assert_eq!(outbox.next().await.as_deref(), Some(&b"b"[..]));
        assert_eq!(outbox.next().await, None);
        assert_eq!(outbox.dropped(), 1);
    }

    #[test]
    fn an_unread_outbox_stays_within_its_bounds() {
        let outbox = Outbox::default();
        let taken = (0..1000)
            .filter(|_| outbox.push(Bytes::from_static(b"x")))
            .count();
        assert_eq!(taken, MAX_MESSAGES);
        let outbox = Outbox::default();
        let large = Bytes::from(vec![0; MAX_BYTES + 1]);
        assert!(
            outbox.push(large.clone()),
            "one large message must get through"
        );
        assert!(!outbox.push(large));
    }
}
