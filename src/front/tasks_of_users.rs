//! `/api/tasks`: tools that are run now, at a time, or again and again. A caller sees its own tasks, `admin` all.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query};
use http::header::HeaderMap;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::dispatch::schedule::task::{Status, Task};
use crate::dispatch::schedule::{Schedule, ScheduleError, Wanted};
use crate::front::admin::answer::{bad_request, problem};
use crate::front::admin::query::read_body;
use crate::front::http::body::{Body, json_response};
use crate::front::http::mcp::busy;
use crate::front::http::routes::Door;
use crate::front::live::{Broadcast, live, written};
use crate::model::caller::Caller;
use crate::wire::json::Json;

/// How many tasks are on one page where the request does not say.
const PAGE: usize = 100;

/// The most on one page.
const MAX_PAGE: usize = 1_000;

#[derive(Deserialize)]
pub(super) struct ListQuery {
    /// Only those in this status.
    status: Option<String>,
    limit: Option<usize>,
    /// Only those behind this one: the `next` of the page before.
    before: Option<String>,
}

/// `GET /api/tasks`: the newest first.
pub(super) async fn list(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Response<Body> {
    let Ok(Query(query)) = query else {
        return bad_request("`limit` is a number, `status` a word, `before` the `next` of a page");
    };
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return bad_request(&format!("`limit` is 1 to {MAX_PAGE}"));
    }
    let status = match query.status.as_deref().filter(|status| !status.is_empty()) {
        None => None,
        Some(name) => match Status::of(name) {
            Some(status) => Some(status),
            None => {
                return bad_request(
                    "`status` is one of scheduled, running, waiting, done, failed, cancelled",
                );
            }
        },
    };
    let tasks = front.desk.schedule.list(&caller, status);
    let behind = match &query.before {
        None => 0,
        Some(before) => match tasks.iter().position(|task| task.id == *before) {
            Some(at) => at + 1,
            None => return bad_request("`before` is not known: its task may be gone"),
        },
    };
    let page = tasks.get(behind..).unwrap_or_default();
    let (page, is_last) = match page.get(..limit) {
        Some(cut) => (cut, page.len() == limit),
        None => (page, true),
    };
    let next = page.last().filter(|_| !is_last).map(|task| &*task.id);
    let shown: Vec<Json> = page
        .iter()
        .map(|task| Json::of(&task.shown(false)))
        .collect();
    answer(StatusCode::OK, &json_list(&shown, next))
}

/// `POST /api/tasks`: makes one.
pub(super) async fn create(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Response<Body> {
    let Some(_active) = front.enter() else {
        return busy("the gateway is stopping");
    };
    let body = match read_body(&front, &headers, body).await {
        Ok(body) => body,
        Err(refused) => return *refused,
    };
    let wanted = match body.parse::<Wanted>() {
        Ok(wanted) => wanted,
        Err(err) => {
            return refused(&ScheduleError::Invalid(format!(
                "the body does not fit: {err}"
            )));
        }
    };
    match front.desk.schedule.create(wanted, &caller).await {
        Ok(task) => answer(StatusCode::CREATED, &Json::of(&task.shown(false))),
        Err(err) => refused(&err),
    }
}

/// `GET /api/tasks/{id}`: one, with its last runs.
pub(super) async fn show(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    id: Result<Path<String>, PathRejection>,
) -> Response<Body> {
    let Ok(Path(id)) = id else {
        return refused(&ScheduleError::NotFound);
    };
    match front.desk.schedule.get(&id, &caller) {
        Ok(task) => answer(StatusCode::OK, &Json::of(&task.shown(true))),
        Err(err) => refused(&err),
    }
}

/// `POST /api/tasks/{id}/{cancel|retry|run}`.
pub(super) async fn act(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Response<Body> {
    let Ok(Path((id, order))) = path else {
        return refused(&ScheduleError::NotFound);
    };
    // What a page of another site can send without asking is no order.
    if let Err(refused) = read_body(&front, &headers, body).await {
        return *refused;
    }
    let schedule = &front.desk.schedule;
    let done = match &*order {
        "cancel" => schedule.cancel(&id, &caller).await,
        "retry" => schedule.retry(&id, &caller).await,
        "run" => schedule.run(&id, &caller).await,
        _ => return bad_request("the path ends with `cancel`, `retry` or `run`"),
    };
    match done {
        Ok(task) => answer(StatusCode::OK, &Json::of(&task.shown(false))),
        Err(err) => refused(&err),
    }
}

/// `DELETE /api/tasks/{id}`: takes it out, with its runs. No page of another site can ask for that without being allowed.
pub(super) async fn remove(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    id: Result<Path<String>, PathRejection>,
) -> Response<Body> {
    let Ok(Path(id)) = id else {
        return refused(&ScheduleError::NotFound);
    };
    match front.desk.schedule.remove(&id, &caller).await {
        Ok(()) => answer(
            StatusCode::OK,
            &Json::of(&json!({ "id": id, "removed": true })),
        ),
        Err(err) => refused(&err),
    }
}

/// `GET /api/tasks/stream`: each change of a task that the caller may see.
pub(super) async fn stream(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
) -> Response<Body> {
    let receiver = front.desk.schedule.changes();
    let write = move |task: Arc<Task>| {
        let write = || written("task", None, &Json::of(&task.shown(false)));
        Schedule::is_for(&task, &caller).then(write)
    };
    live(&front, Broadcast { receiver, write })
}

fn json_list(tasks: &[Json], next: Option<&str>) -> Json {
    #[derive(serde::Serialize)]
    struct List<'a> {
        tasks: &'a [Json],
        next: Option<&'a str>,
    }
    Json::of(&List { tasks, next })
}

fn answer(status: StatusCode, data: &Json) -> Response<Body> {
    json_response(status, Body::of(data.bytes().clone()))
}

fn refused(err: &ScheduleError) -> Response<Body> {
    let (status, reason) = match err {
        ScheduleError::NotFound => (StatusCode::NOT_FOUND, "not_found"),
        ScheduleError::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
        ScheduleError::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "bad_input"),
        ScheduleError::Full => (StatusCode::TOO_MANY_REQUESTS, "overloaded"),
        ScheduleError::NotKept(_) => (StatusCode::SERVICE_UNAVAILABLE, "not_kept"),
    };
    problem(status, reason, &err.to_string(), None)
}
