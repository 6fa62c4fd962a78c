//! `/api/incidents…`: calls that belong together, and what is noted beside them.

pub(super) mod naming;

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query};
use http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::front::admin::Refused;
use crate::front::admin::answer::{bad_request, problem};
use crate::front::admin::query::read_body;
use crate::front::calls::query::{Bounds, MAX_PAGE, PageQuery};
use crate::front::calls::shown::{self, cursor, json};
use crate::front::calls::unavailable;
use crate::front::http::HttpFront;
use crate::front::http::body::{Body, json_response};
use crate::front::http::routes::Door;
use crate::front::scope::need;
use crate::ledger::IncidentFilter;
use crate::ledger::ids;
use crate::ledger::record::{CallFilter, Incident, NoteRow, Page};
use crate::model::caller::{ADMIN, Caller, READ};
use crate::wire::json::Json;
use crate::wire::members::Members;

/// The longest title and the longest note, in characters.
const MAX_TITLE: usize = 200;
const MAX_NOTE: usize = 4_000;

#[derive(Deserialize)]
pub(super) struct ListQuery {
    status: Option<String>,
    #[serde(flatten)]
    page: PageQuery,
}

/// `GET /api/incidents`: the newest that the caller may see.
pub(super) async fn list(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Response<Body> {
    let Ok(Query(query)) = query else {
        return bad_request("`status` is `open` or `closed`, `limit` a number");
    };
    let page = match query.page.read() {
        Ok(page) => page,
        Err(message) => return bad_request(&message),
    };
    let open = match query.status.as_deref() {
        None | Some("") => None,
        Some("open") => Some(true),
        Some("closed") => Some(false),
        Some(_) => return bad_request("`status` is `open` or `closed`"),
    };
    let filter = IncidentFilter {
        open,
        principal: Bounds::of(&caller).principal.map(str::to_owned),
    };
    match front.desk.ledger.incidents(&filter, page).await {
        Ok(incidents) => {
            let last = incidents.last().map(|incident| incident.id);
            let next = cursor(last, incidents.len(), page);
            let incidents: Vec<_> = incidents.iter().map(shown::incident).collect();
            json(&json!({ "incidents": incidents, "next": next }))
        }
        Err(error) => unavailable(&error),
    }
}

/// `POST /api/incidents`: opens one. That of an operator takes calls of every principal.
pub(super) async fn open(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Response<Body> {
    let body = match read_body(&front, &headers, body).await {
        Ok(body) => body,
        Err(refused) => return *refused,
    };
    let title = match word(&body, "title", MAX_TITLE) {
        Ok(title) => title.unwrap_or_else(|| "Incident".to_owned()),
        Err(refused) => return *refused,
    };
    let shared = caller.may(ADMIN);
    let opened = front
        .desk
        .ledger
        .open_incident(&title, &caller.principal, shared);
    match opened.await {
        Ok(incident) => {
            let text = Json::of(&shown::incident(&incident));
            json_response(StatusCode::CREATED, Body::of(text.bytes().clone()))
        }
        Err(error) => unavailable(&error),
    }
}

#[derive(Deserialize)]
pub(super) struct EventsQuery {
    limit: Option<u32>,
}

/// `GET /api/incidents/{id}`: one of them, with the last of its events, oldest first.
pub(super) async fn show(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Response<Body> {
    let limit = match query.map(|Query(query)| query.limit.unwrap_or(MAX_PAGE)) {
        Ok(limit) if (1..=MAX_PAGE).contains(&limit) => limit,
        _ => return bad_request(&format!("`limit` is 1 to {MAX_PAGE}")),
    };
    let found = match find(&front, &caller, id, READ).await {
        Ok(found) => found,
        Err(refused) => return *refused,
    };
    match events(&front, &caller, found.id, limit).await {
        Ok(events) => {
            let mut whole = shown::incident(&found);
            whole["events"] = events.into();
            json(&whole)
        }
        Err(refused) => *refused,
    }
}

/// The last events of an incident, oldest first.
async fn events(
    front: &HttpFront,
    caller: &Caller,
    incident: u64,
    limit: u32,
) -> Result<Vec<Value>, Refused> {
    let ledger = &front.desk.ledger;
    let plugins = caller.plugins.as_ref();
    let filter = CallFilter {
        incident: Some(incident),
        principal: Bounds::of(caller).principal.map(str::to_owned),
        plugins: plugins.map(|seen| seen.iter().map(ToString::to_string).collect()),
        ..CallFilter::default()
    };
    let page = Page {
        before: None,
        limit,
    };
    let failed = |error| Box::new(unavailable(&error));
    let calls = ledger.calls(&filter, page).await.map_err(failed)?;
    let notes = ledger.notes(incident, limit).await.map_err(failed)?;
    let calls = calls.iter().map(|call| (call.id, shown::call_event(call)));
    let notes = notes.iter().map(|note| (note.id, shown::note_event(note)));
    let mut all: Vec<_> = calls.chain(notes).collect();
    all.sort_by_key(|(id, _)| *id);
    let too_many = all.len().saturating_sub(limit as usize);
    Ok(all
        .into_iter()
        .skip(too_many)
        .map(|(_, event)| event)
        .collect())
}

/// `POST /api/incidents/{id}/close`: no more calls belong to it. One of one's own, or any as `admin`.
pub(super) async fn close(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Response<Body> {
    let found = match change(&front, &caller, id, &headers, body).await {
        Ok((found, _)) => found,
        Err(refused) => return *refused,
    };
    match front.desk.ledger.close_incident(found.id).await {
        Ok(true) => {}
        Ok(false) => {
            let message = "it is closed already";
            return problem(StatusCode::CONFLICT, "conflict", message, None);
        }
        Err(error) => return unavailable(&error),
    }
    match front.desk.ledger.incident(found.id).await {
        Ok(Some(incident)) => json(&shown::incident(&incident)),
        Ok(None) => *unknown(),
        Err(error) => unavailable(&error),
    }
}

/// `POST /api/incidents/{id}/notes`: writes something down in it.
pub(super) async fn note(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Response<Body> {
    let (found, body) = match change(&front, &caller, id, &headers, body).await {
        Ok(changed) => changed,
        Err(refused) => return *refused,
    };
    let text = match word(&body, "text", MAX_NOTE) {
        Ok(Some(text)) => text,
        Ok(None) => return bad_request("`/text` must be a string, the note"),
        Err(refused) => return *refused,
    };
    let data = json!({ "text": text });
    let note = NoteRow {
        incident: found.id,
        kind: "note".to_owned(),
        principal: caller.principal.to_string(),
        data: data.to_string(),
        ..NoteRow::default()
    };
    match front.desk.ledger.keep_note(note).await {
        Ok(note) => {
            let text = Json::of(&shown::note_event(&note));
            json_response(StatusCode::CREATED, Body::of(text.bytes().clone()))
        }
        Err(error) => unavailable(&error),
    }
}

/// The incident that is to be changed, if the caller may, and what the body says.
async fn change(
    front: &HttpFront,
    caller: &Caller,
    id: Result<Path<String>, PathRejection>,
    headers: &HeaderMap,
    body: axum::body::Body,
) -> Result<(Incident, Json), Refused> {
    let body = read_body(front, headers, body).await?;
    let found = find(front, caller, id, READ).await?;
    if *found.principal != *caller.principal {
        need(caller, ADMIN)?;
    }
    Ok((found, body))
}

/// The incident of that name, if it is the caller's or it has the scope.
async fn find(
    front: &HttpFront,
    caller: &Caller,
    id: Result<Path<String>, PathRejection>,
    scope: &str,
) -> Result<Incident, Refused> {
    let id = id
        .ok()
        .and_then(|Path(id)| ids::read(&id))
        .ok_or_else(unknown)?;
    let found = front.desk.ledger.incident(id).await;
    let found = found.map_err(|error| Box::new(unavailable(&error)))?;
    found
        .filter(|found| *found.principal == *caller.principal || caller.may(scope))
        .ok_or_else(unknown)
}

fn unknown() -> Refused {
    let message = "there is no such incident, or it is no longer kept";
    Box::new(problem(StatusCode::NOT_FOUND, "not_found", message, None))
}

/// A text of the body, within its bound.
fn word(body: &Json, key: &str, max: usize) -> Result<Option<String>, Refused> {
    let members = Members::of(body).unwrap_or_default();
    let Some(value) = members.get(key) else {
        return Ok(None);
    };
    match value.string() {
        Some(text) if text.chars().count() <= max => Ok(Some(text.into_owned())),
        _ => {
            let message = format!("`/{key}` must be a string of at most {max} characters");
            Err(Box::new(bad_request(&message)))
        }
    }
}
