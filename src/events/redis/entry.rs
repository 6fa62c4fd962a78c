//! Events as entries of a stream.

use std::sync::Arc;

use redis::Cmd;

use crate::events::bus::Dead;
use crate::events::redis::reply::Fields;
use crate::model::event::Event;
use crate::wire::json::Json;

/// The command that adds an event to a stream that keeps about so many.
pub(super) fn add(key: &str, keep: usize, event: &Event) -> Cmd {
    let mut add = redis::cmd("XADD");
    add.arg(key).arg("MAXLEN").arg("~").arg(keep).arg("*");
    add.arg("id").arg(event.id.to_string());
    add.arg("topic").arg(event.topic.as_str());
    add.arg("source").arg(&*event.source);
    add.arg("payload").arg(&event.payload.bytes()[..]);
    add
}

/// The same of a dead letter.
pub(super) fn add_dead(key: &str, keep: usize, dead: &Dead) -> Cmd {
    let mut add = add(key, keep, &dead.event);
    add.arg("group").arg(&dead.group);
    add.arg("deliveries").arg(dead.deliveries);
    add.arg("error").arg(&dead.error);
    add
}

/// The event in an entry, if it is one.
pub(super) fn event(fields: &Fields) -> Option<Arc<Event>> {
    let field = |name: &str| fields.get(name);
    let payload = field("payload")?.clone().into_bytes();
    Some(Arc::new(Event {
        id: field("id")?.parse().ok()?,
        topic: field("topic")?.parse().ok()?,
        source: field("source")?.as_str().into(),
        payload: Json::scan(payload.into()).ok()?,
    }))
}

/// The dead letter in an entry, if it is one.
pub(super) fn dead(fields: &Fields) -> Option<Dead> {
    Some(Dead {
        event: event(fields)?,
        group: fields.get("group")?.clone(),
        deliveries: fields.get("deliveries")?.parse().ok()?,
        error: fields.get("error")?.clone(),
    })
}
