//! What a request about plugins says: its query, its body.

use std::time::Duration;

use http::StatusCode;
use http::header::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::control::info::PluginInfo;
use crate::front::admin::answer::{bad_request, problem};
use crate::front::admin::{Refused, scanned};
use crate::front::http::HttpFront;
use crate::front::http::body::read;
use crate::front::http::mcp::is_json;
use crate::wire::json::Json;
use crate::wire::members::Members;

/// The most plugins on one page.
const MAX_PAGE: usize = 1_000;

/// How many are on one where the request does not say.
const PAGE: usize = 20;

/// Which plugins are asked for; all of them when nothing is said.
#[derive(Deserialize)]
pub(in crate::front) struct ListQuery {
    status: Option<String>,
    page_no: Option<usize>,
    page_size: Option<usize>,
}

/// One page of the plugins in a state.
pub(super) struct PageWanted {
    status: Option<String>,
    page_no: usize,
    page_size: usize,
}

/// A page of plugins.
#[derive(Serialize)]
pub(super) struct Page {
    total: usize,
    page_no: usize,
    page_size: usize,
    list: Vec<PluginInfo>,
}

/// The plugin that something is to be done with.
pub(super) struct Target {
    pub(super) id: String,
    /// Whether it is to be built anew.
    pub(super) rebuild: bool,
}

/// A call of a plugin.
pub(super) struct Wanted {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) arguments: Json,
}

impl ListQuery {
    /// The page that is asked for, if one is.
    pub(super) fn page(self) -> Result<Option<PageWanted>, String> {
        let Self {
            status,
            page_no,
            page_size,
        } = self;
        if status.is_none() && page_no.is_none() && page_size.is_none() {
            return Ok(None);
        }
        let (page_no, page_size) = (page_no.unwrap_or(1), page_size.unwrap_or(PAGE));
        if page_no == 0 {
            return Err("`page_no` counts from 1".to_owned());
        }
        if !(1..=MAX_PAGE).contains(&page_size) {
            return Err(format!("`page_size` is 1 to {MAX_PAGE}"));
        }
        let status = status.filter(|status| !status.is_empty());
        Ok(Some(PageWanted {
            status,
            page_no,
            page_size,
        }))
    }
}

impl Page {
    pub(super) fn of(all: impl Iterator<Item = PluginInfo>, wanted: &PageWanted) -> Self {
        let fits = |info: &PluginInfo| {
            let status = wanted.status.as_deref();
            status.is_none_or(|word| info.status == word || info.state.as_str() == word)
        };
        let fitting: Vec<_> = all.filter(fits).collect();
        let before = (wanted.page_no - 1).saturating_mul(wanted.page_size);
        Self {
            total: fitting.len(),
            page_no: wanted.page_no,
            page_size: wanted.page_size,
            list: fitting
                .into_iter()
                .skip(before)
                .take(wanted.page_size)
                .collect(),
        }
    }
}

impl Target {
    /// The plugin that a body names. Other members are looked at by who knows them.
    pub(super) fn of(body: &Json) -> Result<Self, Refused> {
        let members = Members::of(body).unwrap_or_default();
        let rebuild = match members.get("rebuild").map(Json::as_str) {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                return Err(Box::new(bad_request(
                    "`/rebuild` must be `true` or `false`",
                )));
            }
        };
        match members.string("id").map(|id| id.into_owned()) {
            Some(id) if !id.is_empty() => Ok(Self { id, rebuild }),
            _ => Err(Box::new(bad_request(
                "`/id` must be a string, the plugin's id",
            ))),
        }
    }
}

impl Wanted {
    pub(super) fn of(body: Json) -> Result<Self, Refused> {
        let Target { id, .. } = Target::of(&body)?;
        let members = Members::of(&body).unwrap_or_default();
        let Some(method) = members.string("method") else {
            return Err(Box::new(bad_request(
                "`/method` must be a string, the plugin's own name of the tool",
            )));
        };
        let arguments = match members.get("args") {
            None => Json::literal("{}"),
            Some(arguments) if arguments.is_object() => arguments.clone(),
            Some(_) => {
                return Err(Box::new(bad_request(
                    "`/args` must be an object, the arguments",
                )));
            }
        };
        Ok(Self {
            id,
            method: method.into_owned(),
            arguments,
        })
    }
}

/// Reads a body within the bounds of the server. A page of another site cannot send JSON without being allowed to.
pub(in crate::front) async fn read_body(
    front: &HttpFront,
    headers: &HeaderMap,
    body: axum::body::Body,
) -> Result<Json, Refused> {
    if !is_json(headers) {
        let message = "send `Content-Type: application/json`";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Box::new(problem(
            status,
            "unsupported_media_type",
            message,
            None,
        )));
    }
    let max = front.config.max_body_bytes;
    let within = Duration::from_millis(front.config.body_timeout_ms);
    let text = read(body, max, within)
        .await
        .map_err(|unreadable| Box::new(unreadable.response(max)))?;
    scanned(text)
}
