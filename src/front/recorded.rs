//! `/api/ledger`, `/api/life`, `/api/denials`: how the ledger does, and what is in it beside calls.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query};
use http::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::front::admin::Refused;
use crate::front::admin::answer::bad_request;
use crate::front::calls::query::{PageQuery, is_seen, moment};
use crate::front::calls::shown::{self, cursor, json};
use crate::front::calls::unavailable;
use crate::front::http::body::Body;
use crate::front::http::routes::Door;
use crate::front::scope::need;
use crate::ledger::ids::{first_of, time_of};
use crate::ledger::record::Page;
use crate::model::caller::{Caller, READ};
use crate::plugin::utc;

#[derive(Deserialize)]
pub(super) struct RowsQuery {
    plugin: Option<String>,
    principal: Option<String>,
    since: Option<String>,
    #[serde(flatten)]
    page: PageQuery,
}

impl RowsQuery {
    fn read(&self) -> Result<(Option<u64>, Page), String> {
        let since = moment("since", self.since.as_deref())?;
        Ok((since.map(first_of), self.page.read()?))
    }
}

/// `GET /api/ledger`: how it does.
pub(super) async fn status(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
) -> Response<Body> {
    if let Err(refused) = need(&caller, READ) {
        return *refused;
    }
    let status = front.desk.ledger.status().await;
    let mut shown = json!({
        "backend": status.backend,
        "healthy": status.is_healthy,
        "written": status.written,
        "dropped": status.dropped,
        "queue": status.queue,
        "refused": status.refused,
        "strayed": status.strayed,
        "oldest": status.oldest.map(|id| utc(time_of(id))),
        "bytes": status.bytes,
    });
    if let Some(error) = status.error {
        shown["error"] = Value::from(&*error);
    }
    json(&shown)
}

/// What is asked for, where the caller may ask.
fn asked(
    caller: &Caller,
    query: Result<Query<RowsQuery>, QueryRejection>,
) -> Result<(RowsQuery, Option<u64>, Page), Refused> {
    need(caller, READ)?;
    let Ok(Query(query)) = query else {
        return Err(Box::new(bad_request("the parameters are words")));
    };
    let read = query.read();
    let (since, page) = read.map_err(|message| Box::new(bad_request(&message)))?;
    Ok((query, since, page))
}

/// `GET /api/life`: what happened to plugins, newest first.
pub(super) async fn life(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    query: Result<Query<RowsQuery>, QueryRejection>,
) -> Response<Body> {
    let (query, since, page) = match asked(&caller, query) {
        Ok(asked) => asked,
        Err(refused) => return *refused,
    };
    let plugin = query.plugin.as_deref();
    match front.desk.ledger.life(plugin, since, page).await {
        Ok(rows) => {
            let next = cursor(rows.last().map(|row| row.id), rows.len(), page);
            let seen = rows.iter().filter(|row| is_seen(&caller, &row.plugin));
            let events: Vec<_> = seen.map(shown::life).collect();
            json(&json!({ "events": events, "next": next }))
        }
        Err(error) => unavailable(&error),
    }
}

/// `GET /api/denials`: what was refused to whom, newest first.
pub(super) async fn denials(
    Door(front): Door,
    Extension(caller): Extension<Arc<Caller>>,
    query: Result<Query<RowsQuery>, QueryRejection>,
) -> Response<Body> {
    let (query, since, page) = match asked(&caller, query) {
        Ok(asked) => asked,
        Err(refused) => return *refused,
    };
    let principal = query.principal.as_deref();
    match front.desk.ledger.denials(principal, since, page).await {
        Ok(rows) => {
            let next = cursor(rows.last().map(|row| row.id), rows.len(), page);
            let denials: Vec<_> = rows.iter().map(shown::denial).collect();
            json(&json!({ "denials": denials, "next": next }))
        }
        Err(error) => unavailable(&error),
    }
}
