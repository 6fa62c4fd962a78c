//! What a modern client is to be told of one call, in the order it came.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::front::outgoing::{Logs, notification};
use crate::session::outbox::{MAX_BYTES, MAX_MESSAGES};
use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::method::Method;

/// Which notifications the request of a round asked for.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// From which level on it wants log messages.
    pub(super) logs: Logs,
    /// What it wants progress to be marked with.
    pub(super) token: Token,
}

/// The mark of progress.
#[derive(Debug, Clone)]
pub(super) enum Token {
    /// The call's own, with which the plugin marks it: the first round.
    AsItComes,
    /// That of a later round, which the plugin does not know; `None` where that wants no progress.
    Other(Option<Json>),
}

/// A bounded queue. What it cannot hold is dropped.
#[derive(Debug, Default)]
pub(super) struct Queue {
    messages: VecDeque<Message>,
    bytes: usize,
}

#[derive(Debug)]
enum Message {
    /// As it goes out.
    Text(Bytes),
    /// What came while no request was there to say whether and how it is wanted.
    Early { method: Method, params: Json },
}

impl Wanted {
    /// The text of a notification, if it is wanted.
    fn text(&self, method: &Method, params: &Params) -> Option<Bytes> {
        match &self.token {
            Token::Other(token) if *method == Method::Progress => {
                let mut params = params.clone();
                params.members.set("progressToken", token.clone()?);
                notification(self.logs, method, &params)
            }
            Token::AsItComes | Token::Other(_) => notification(self.logs, method, params),
        }
    }
}

impl Queue {
    /// Queues a notification; `wanted` is what the round wants that is open, if one is. `false` when it was dropped for
    /// want of room.
    pub(super) fn push(
        &mut self,
        method: &Method,
        params: &Params,
        wanted: Option<&Wanted>,
    ) -> bool {
        let message = match wanted {
            Some(wanted) => match wanted.text(method, params) {
                Some(text) => Message::Text(text),
                None => return true,
            },
            None => Message::Early {
                method: method.clone(),
                params: params.to_json(),
            },
        };
        let size = message.size();
        let full = self.messages.len() >= MAX_MESSAGES
            || (self.bytes + size > MAX_BYTES && !self.messages.is_empty());
        if full {
            return false;
        }
        self.bytes += size;
        self.messages.push_back(message);
        true
    }

    /// A round is open: what came before it goes out in the way it wants it.
    pub(super) fn open(&mut self, wanted: &Wanted) {
        let early = std::mem::take(&mut self.messages);
        self.messages = early
            .into_iter()
            .filter_map(|message| match message {
                Message::Text(_) => Some(message),
                Message::Early { method, params } => {
                    wanted.text(&method, &params.into()).map(Message::Text)
                }
            })
            .collect();
        self.bytes = self.messages.iter().map(Message::size).sum();
    }

    /// Takes the next message of the round that is open.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        match self.messages.pop_front()? {
            Message::Text(text) => {
                self.bytes -= text.len();
                Some(text)
            }
            early @ Message::Early { .. } => {
                self.messages.push_front(early);
                None
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.bytes = 0;
    }
}

impl Message {
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Early { params, .. } => params.bytes().len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::level::LogLevel;

    fn progress(value: u32) -> Params {
        Params::of(&json!({ "progressToken": "first", "progress": value }))
    }

    fn log(level: &str) -> Params {
        Params::of(&json!({ "level": level, "data": 1 }))
    }

    fn all(queue: &mut Queue) -> Vec<String> {
        std::iter::from_fn(|| queue.pop())
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .collect()
    }

    #[test]
    fn what_comes_between_rounds_goes_out_as_the_next_one_wants_it() {
        let mut queue = Queue::default();
        queue.push(&Method::Progress, &progress(1), None);
        queue.push(&Method::LogMessage, &log("info"), None);
        queue.push(&Method::LogMessage, &log("error"), None);
        assert_eq!(queue.pop(), None, "no round is open");
        let wanted = Wanted {
            logs: Logs::From(LogLevel::Error),
            token: Token::Other(Some(Json::literal("7"))),
        };
        queue.open(&wanted);
        queue.push(&Method::Progress, &progress(2), Some(&wanted));
        let texts = all(&mut queue);
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(texts[0].contains(r#"{"progressToken":7,"progress":1}"#));
        assert!(texts[1].contains(r#""level":"error""#));
        assert!(texts[2].contains(r#"{"progressToken":7,"progress":2}"#));
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn a_round_without_a_token_gets_no_progress() {
        let mut queue = Queue::default();
        queue.push(&Method::Progress, &progress(1), None);
        let wanted = Wanted {
            logs: Logs::None,
            token: Token::Other(None),
        };
        queue.open(&wanted);
        assert!(queue.push(&Method::Progress, &progress(2), Some(&wanted)));
        assert!(all(&mut queue).is_empty());
        let first = Wanted {
            token: Token::AsItComes,
            ..wanted
        };
        queue.push(&Method::Progress, &progress(3), Some(&first));
        assert!(all(&mut queue)[0].contains(r#""progressToken":"first""#));
    }

    #[test]
    fn a_queue_that_nobody_reads_is_bounded() {
        let mut queue = Queue::default();
        let taken = (0..1000).filter(|_| queue.push(&Method::Progress, &progress(1), None));
        assert_eq!(taken.count(), MAX_MESSAGES);
    }
}
