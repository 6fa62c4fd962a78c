//! Events: what was published, on which topic, when and by whom.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use crate::model::topic::Topic;
use crate::model::utc::utc;
use crate::wire::json::Json;

/// The id of an event, a UUID of version 7 (RFC 9562): later ones sort behind earlier ones. Whoever hears an event twice
/// knows it by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct EventId(u128);

/// A text that is not the id of an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of an event, a UUID")]
pub struct BadEventId(String);

/// Something that was published.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Event {
    /// Which one it is, and when it was published.
    pub id: EventId,
    /// What it is about.
    pub topic: Topic,
    /// Who published it: `plugin:{id}`, `caller:{principal}`, or `toolgate`.
    pub source: Arc<str>,
    /// What it says.
    pub payload: Json,
}

const MS_BITS: u64 = (1 << 48) - 1;

impl EventId {
    /// The id of the `sequence`th event of that millisecond, of 4096; `tail` tells programs from each other.
    pub(crate) fn new(unix_ms: u64, sequence: u16, tail: u64) -> Self {
        let high = (unix_ms & MS_BITS) << 16 | 0x7000 | u64::from(sequence & 0xfff);
        let low = 1 << 63 | tail >> 2;
        Self(u128::from(high) << 64 | u128::from(low))
    }

    /// When it was made, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_ms(self) -> u64 {
        (self.0 >> 80) as u64
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            id >> 96,
            id >> 80 & 0xffff,
            id >> 64 & 0xffff,
            id >> 48 & 0xffff,
            id & 0xffff_ffff_ffff
        )
    }
}

impl FromStr for EventId {
    type Err = BadEventId;

    fn from_str(text: &str) -> Result<Self, BadEventId> {
        let bad = || BadEventId(text.chars().take(64).collect());
        let dashes = [8, 13, 18, 23];
        let is_formed = text.len() == 36
            && text
                .bytes()
                .enumerate()
                .all(|(at, byte)| match dashes.contains(&at) {
                    true => byte == b'-',
                    false => byte.is_ascii_hexdigit(),
                });
        if !is_formed {
            return Err(bad());
        }
        let digits = text.replace('-', "");
        u128::from_str_radix(&digits, 16)
            .map(Self)
            .map_err(|_| bad())
    }
}

impl TryFrom<String> for EventId {
    type Error = BadEventId;

    fn try_from(text: String) -> Result<Self, BadEventId> {
        text.parse()
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Event {
    /// When it was published, as RFC 3339 writes it.
    pub fn time(&self) -> String {
        utc(Duration::from_millis(self.id.unix_ms()))
    }

    /// The payload, read into a type of its own.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.payload.parse()
    }

    /// How much it takes, in bytes, about.
    pub(crate) fn weight(&self) -> usize {
        256 + self.topic.as_str().len() + self.payload.bytes().len()
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Whole<'a> {
            id: EventId,
            topic: &'a Topic,
            time: String,
            source: &'a str,
            payload: &'a Json,
        }
        let whole = Whole {
            id: self.id,
            topic: &self.topic,
            time: self.time(),
            source: &self.source,
            payload: &self.payload,
        };
        whole.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_that_sort_by_time() {
        let early = EventId::new(1_700_000_000_000, 4095, u64::MAX);
        let late = EventId::new(1_700_000_000_001, 0, 0);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string(), "018bcfe5-6800-7fff-bfff-ffffffffffff");
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(early.unix_ms(), 1_700_000_000_000);
        for bad in [
            "",
            "018bcfe568007fffbfffffffffffffff0000",
            "x",
            "+18bcfe5-6800-7fff-bfff-ffffffffffff",
        ] {
            assert!(bad.parse::<EventId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_event_is_read_as_it_is_written() {
        let event = Event {
            id: EventId::new(951_782_400_007, 1, 2),
            topic: "task.done".parse().expect("a topic"),
            source: "plugin:a".into(),
            payload: Json::literal(r#"{"b":1.0,"a":[]}"#),
        };
        let text = Json::of(&event);
        assert_eq!(
            text.as_str(),
            r#"{"id":"00dd9aa6-e007-7001-8000-000000000000","topic":"task.done","time":"2000-02-29T00:00:00.007Z","source":"plugin:a","payload":{"b":1.0,"a":[]}}"#
        );
        assert_eq!(text.parse::<Event>().expect("it is one"), event);
    }
}
