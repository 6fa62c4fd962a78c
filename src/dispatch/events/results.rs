//! Events in results of tools, `_meta["toolgate/events"]`: how plugins in other processes publish.

use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;
use serde::Deserialize;

use crate::dispatch::Dispatcher;
use crate::dispatch::events::source_of;
use crate::dispatch::subject::Subject;
use crate::events::bus::MAX_PAYLOAD;
use crate::manifest::Grant;
use crate::model::answer::{Answer, ResultKind, kind_of};
use crate::model::topic::Topic;
use crate::registry::plugin::Plugin;
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::Outcome;

/// The key in `_meta` of a result.
const KEY: &str = "toolgate/events";

/// The most events of one result.
const MAX_EVENTS: usize = 100;

/// The end of the key as it stands in a text, whether its slash is escaped or not.
static NAMED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("/events\""));

#[derive(Deserialize)]
struct Draft {
    topic: String,
    #[serde(default = "nothing")]
    payload: Json,
}

impl Dispatcher {
    /// Publishes the events in the result of a tool of `plugin`, and takes them out of it. A result whose events are not
    /// published stays as it is.
    pub(in crate::dispatch) fn publish_from(
        &self,
        plugin: &Arc<Plugin>,
        subject: &Subject,
        mut answer: Answer,
    ) -> Answer {
        let asks = plugin.manifest.requests.contains(&Grant::EventsPub);
        let Outcome::Result(reply) = &mut answer.outcome else {
            return answer;
        };
        if !asks
            || !matches!(subject, Subject::Tool(_))
            || NAMED.find(reply.result.bytes()).is_none()
            || kind_of(reply) != Some(ResultKind::Complete)
        {
            return answer;
        }
        if let Some(rest) = self.take_events(plugin, &reply.result) {
            reply.result = rest;
        }
        answer
    }

    /// The result without its events, if it has some and they were published.
    fn take_events(&self, plugin: &Arc<Plugin>, result: &Json) -> Option<Json> {
        let mut members = Members::of(result)?;
        let mut meta = members.get("_meta").and_then(Members::of)?;
        let list = meta.remove(KEY)?;
        let id = plugin.id();
        if !plugin.grants.contains(&Grant::EventsPub) {
            let mut told = self
                .events
                .told
                .lock()
                .expect("no holder of this lock panics");
            if told.insert(id.clone()) {
                tracing::warn!(plugin.id = %id, "`{id}` publishes events and lacks the grant `EVENTS_PUB`: they go nowhere");
            }
            return None;
        }
        let drafts = match drafts(&list) {
            Ok(drafts) => drafts,
            Err(why) => {
                tracing::warn!(plugin.id = %id, "The events in a result of `{id}` are not published: {why}");
                return None;
            }
        };
        for (topic, payload) in drafts {
            if let Err(fault) = self.events.publish(topic, source_of(id), payload) {
                tracing::warn!(plugin.id = %id, "An event in a result of `{id}` is not published: {fault}");
            }
        }
        match meta.is_empty() {
            true => drop(members.remove("_meta")),
            false => members.set("_meta", meta.to_json()),
        }
        Some(members.to_json())
    }
}

/// All of them, or what is wrong with one.
fn drafts(list: &Json) -> Result<Vec<(Topic, Json)>, String> {
    let drafts: Vec<Draft> = list.parse().map_err(|err| err.to_string())?;
    if drafts.len() > MAX_EVENTS {
        return Err(format!(
            "there are {}, more than {MAX_EVENTS}",
            drafts.len()
        ));
    }
    let check = |draft: Draft| {
        let size = draft.payload.bytes().len();
        if size > MAX_PAYLOAD {
            return Err(format!(
                "a payload has {size} bytes, more than {MAX_PAYLOAD}"
            ));
        }
        let topic = draft.topic.parse().map_err(|bad| format!("{bad}"))?;
        Ok((topic, draft.payload))
    };
    drafts.into_iter().map(check).collect()
}

fn nothing() -> Json {
    Json::literal("null")
}
