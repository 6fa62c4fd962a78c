//! `get_events`: what Kubernetes says has happened.

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::kubernetes::cluster::Cluster;
use crate::builtin::kubernetes::names::Name;
use crate::builtin::kubernetes::places::Scope;
use crate::builtin::kubernetes::refusal::Refusal;
use crate::builtin::kubernetes::words::{age, counted, now, seconds_since};
use crate::builtin::table::Table;
use crate::plugin::{ToolError, Worded};

/// Events that are shown unless told otherwise.
const USUAL: u32 = 50;

/// The most events that are shown.
const MOST: u32 = 500;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetEvents {
    /// The namespace; the operator's usual one if not given.
    #[serde(default)]
    namespace: Option<Name>,
    /// Looks into all namespaces that the operator allows, in place of one.
    #[serde(default)]
    all_namespaces: bool,
    /// Only events of objects of this kind, such as `Pod`, `Deployment`, `ReplicaSet`, `Job`.
    #[serde(default)]
    #[schemars(regex(pattern = "^[A-Za-z]{1,63}$"))]
    kind: Option<String>,
    /// Only events of the object of this name.
    #[serde(default)]
    name: Option<Name>,
    /// Only events that are warnings.
    #[serde(default)]
    only_warnings: bool,
    /// Only what happened in the last so many seconds. The API server forgets events, mostly after an hour.
    #[serde(default)]
    #[schemars(range(min = 1, max = 604_800))]
    since_seconds: Option<u64>,
    /// How many events are shown, at the most, the newest ones.
    #[serde(default = "usual")]
    #[schemars(range(min = 1, max = 500))]
    limit: u32,
}

fn usual() -> u32 {
    USUAL
}

/// Events that were found.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Events {
    pub(super) events: Vec<Happening>,
    pub(super) omitted: usize,
    /// Whether there are more events than were read (5,000).
    pub(super) incomplete: bool,
}

/// Something that happened to an object.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Happening {
    namespace: String,
    r#type: String,
    reason: String,
    message: String,
    object: String,
    count: i32,
    first: Option<String>,
    last: Option<String>,
    age_seconds: Option<u64>,
    source: String,
}

/// Lists events.
pub(super) async fn get_events(
    cluster: &Cluster,
    wanted: GetEvents,
) -> Result<Worded<Events>, ToolError> {
    let scope = cluster
        .namespaces
        .scope(wanted.namespace.as_ref(), wanted.all_namespaces)?;
    let warning = wanted.only_warnings.then(|| "type=Warning".to_owned());
    let kind = wanted
        .kind
        .map(|kind| format!("involvedObject.kind={kind}"));
    let name = wanted
        .name
        .map(|name| format!("involvedObject.name={name}"));
    let fields: Vec<String> = [kind, name, warning].into_iter().flatten().collect();
    let most = wanted.limit.clamp(1, MOST) as usize;
    let value = find(
        cluster,
        &scope,
        &fields.join(","),
        wanted.since_seconds,
        most,
    )
    .await?;
    Ok(Worded {
        words: words(&value),
        value,
    })
}

/// The newest events of objects that `fields` selects.
pub(super) async fn find(
    cluster: &Cluster,
    scope: &Scope,
    fields: &str,
    since_seconds: Option<u64>,
    most: usize,
) -> Result<Events, Refusal> {
    let query = ListParams {
        field_selector: Some(fields.to_owned()).filter(|fields| !fields.is_empty()),
        ..ListParams::default()
    };
    let found = cluster.list::<Event>(scope, &query).await?;
    let now = now(cluster.clock);
    let mut dated: Vec<(Option<Timestamp>, Happening)> = found
        .items
        .iter()
        .map(|event| (last(event), happening(event, now)))
        .collect();
    if let Some(since) = since_seconds {
        dated.retain(|(_, event)| event.age_seconds.is_some_and(|age| age <= since));
    }
    dated.sort_by(|(one, _), (other, _)| other.cmp(one));
    let omitted = dated.len().saturating_sub(most);
    dated.truncate(most);
    Ok(Events {
        events: dated.into_iter().map(|(_, event)| event).collect(),
        omitted,
        incomplete: found.more,
    })
}

/// When it last happened: three ages of Kubernetes have three places for it.
fn last(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref();
    let of_series = series.and_then(|series| series.last_observed_time.as_ref());
    let at = of_series.map(|time| time.0);
    at.or_else(|| event.last_timestamp.as_ref().map(|time| time.0))
        .or_else(|| event.event_time.as_ref().map(|time| time.0))
        .or_else(|| {
            event
                .metadata
                .creation_timestamp
                .as_ref()
                .map(|time| time.0)
        })
}

fn happening(event: &Event, now: Timestamp) -> Happening {
    let object = &event.involved_object;
    let last = last(event);
    let first = event.first_timestamp.as_ref().map(|time| time.0);
    let first = first.or_else(|| event.event_time.as_ref().map(|time| time.0));
    let source = event.source.as_ref();
    let component = source.and_then(|source| source.component.clone());
    let component = component.or_else(|| event.reporting_component.clone());
    let of_series = event.series.as_ref().and_then(|series| series.count);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Happening {
        namespace: text(&event.metadata.namespace),
        r#type: text(&event.type_),
        reason: text(&event.reason),
        message: text(&event.message).trim().to_owned(),
        object: format!("{}/{}", text(&object.kind), text(&object.name)),
        count: of_series.or(event.count).unwrap_or(1).max(1),
        first: first.map(|at| at.to_string()),
        last: last.map(|at| at.to_string()),
        age_seconds: last.map(|at| seconds_since(at, now)),
        source: component.unwrap_or_default(),
    }
}

fn words(found: &Events) -> String {
    let mut words =
        table(found).render("No events: the API server knows of none there that fit.\n");
    if found.omitted > 0 {
        let omitted = counted(found.omitted, "older event is", "older events are");
        words.push_str(&format!(
            "… {omitted} not shown: select, or raise `limit`\n"
        ));
    }
    if found.incomplete {
        words.push_str(
            "… there are more events than were read, newer ones may be missing: select by object or namespace\n",
        );
    }
    words
}

/// Events as a table, the newest first.
pub(super) fn table(found: &Events) -> Table {
    let mut table = Table::new(["AGE", "TIMES", "TYPE", "REASON", "OBJECT", "MESSAGE"]);
    for event in &found.events {
        let object = match event.namespace.is_empty() {
            true => event.object.clone(),
            false => format!("{}:{}", event.namespace, event.object),
        };
        table.row([
            event.age_seconds.map_or_else(|| "–".to_owned(), age),
            event.count.to_string(),
            event.r#type.clone(),
            event.reason.clone(),
            object,
            event.message.clone(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_time_is_found_wherever_it_is() {
        for (times, expect) in [
            (
                json!({ "lastTimestamp": "2026-01-01T00:00:05Z", "firstTimestamp": "2026-01-01T00:00:01Z", "count": 4 }),
                (5, 4),
            ),
            (
                json!({ "eventTime": "2026-01-01T00:00:03.000000Z" }),
                (7, 1),
            ),
            (
                json!({ "eventTime": "2026-01-01T00:00:03.000000Z", "series": { "count": 9, "lastObservedTime": "2026-01-01T00:00:08.000000Z" } }),
                (2, 9),
            ),
        ] {
            let mut event = json!({ "metadata": {}, "involvedObject": {} });
            event
                .as_object_mut()
                .expect("an object")
                .extend(times.as_object().expect("an object").clone());
            let event: Event = serde_json::from_value(event).expect("it is an event");
            let now = "2026-01-01T00:00:10Z".parse().expect("a time");
            let read = happening(&event, now);
            assert_eq!((read.age_seconds, read.count), (Some(expect.0), expect.1));
        }
    }
}
