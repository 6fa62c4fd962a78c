//! Takes answers apart. Others may write to the same streams, so nothing is expected of what is in them.

use std::collections::HashMap;

use redis::{Value, from_redis_value};

/// The fields of an entry, as far as they are text.
pub(super) type Fields = HashMap<String, String>;

/// An entry and its id; no fields where it is not there any more.
pub(super) type Entry = (String, Option<Fields>);

/// An event that was delivered to a group and not acknowledged.
pub(super) struct Pending {
    pub(super) id: String,
    pub(super) consumer: String,
    pub(super) deliveries: u32,
}

/// The entries of a range or a claim.
pub(super) fn entries(reply: Value) -> Vec<Entry> {
    items(reply).into_iter().filter_map(entry).collect()
}

/// The entries of a read of one stream; none where it was waited for in vain.
pub(super) fn read(reply: Value) -> Vec<Entry> {
    let stream = match reply {
        Value::Map(streams) => streams.into_iter().next().map(|(_, entries)| entries),
        reply => items(reply)
            .into_iter()
            .next()
            .and_then(|stream| items(stream).pop()),
    };
    stream.map(entries).unwrap_or_default()
}

/// What a group has not acknowledged (the long form of `XPENDING`).
pub(super) fn pending(reply: Value) -> Vec<Pending> {
    let one = |value: Value| {
        let mut parts = items(value).into_iter();
        let id = text(parts.next()?)?;
        let consumer = text(parts.next()?)?;
        let deliveries = from_redis_value(parts.nth(1)?).ok()?;
        Some(Pending {
            id,
            consumer,
            deliveries,
        })
    };
    items(reply).into_iter().filter_map(one).collect()
}

/// How many entries a group has not acknowledged (the short form of `XPENDING`).
pub(super) fn count(reply: Value) -> usize {
    let first = items(reply).into_iter().next();
    first
        .and_then(|count| from_redis_value(count).ok())
        .unwrap_or(0)
}

/// The names of consumers that have nothing, and have not been heard of for `idle_ms` (`XINFO CONSUMERS`).
pub(super) fn gone(reply: Value, idle_ms: u64) -> Vec<String> {
    let one = |value: Value| {
        let facts: HashMap<String, Value> = from_redis_value(value).ok()?;
        let number = |key: &str| -> Option<u64> { from_redis_value(facts.get(key)?.clone()).ok() };
        let is_gone = number("pending")? == 0 && number("idle")? > idle_ms;
        let name = facts.get("name").cloned().and_then(text);
        name.filter(|_| is_gone)
    };
    items(reply).into_iter().filter_map(one).collect()
}

fn entry(value: Value) -> Option<Entry> {
    let mut parts = items(value).into_iter();
    let id = text(parts.next()?)?;
    let fields = match parts.next() {
        None | Some(Value::Nil) => None,
        Some(fields) => Some(pairs(fields)),
    };
    Some((id, fields))
}

fn pairs(fields: Value) -> Fields {
    let mut fields = items(fields).into_iter();
    let mut known = Fields::new();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        if let (Some(name), Some(value)) = (text(name), text(value)) {
            known.insert(name, value);
        }
    }
    known
}

fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

fn text(value: Value) -> Option<String> {
    from_redis_value(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn what_others_wrote_is_no_failure() {
        let odd = Value::Array(vec![
            Value::Nil,
            Value::Array(vec![bytes("1-0"), Value::Nil]),
            Value::Array(vec![
                bytes("2-0"),
                Value::Array(vec![
                    Value::BulkString(vec![0xff]),
                    bytes("x"),
                    bytes("topic"),
                    bytes("t"),
                ]),
            ]),
        ]);
        let read = entries(odd);
        assert_eq!(read[0], ("1-0".to_owned(), None));
        let fields = read[1].1.as_ref().expect("it has fields");
        assert_eq!((fields.len(), fields["topic"].as_str()), (1, "t"));
        assert!(super::read(Value::Nil).is_empty());
    }
}
