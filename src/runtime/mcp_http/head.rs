//! The headers of requests: which revision, which session, what the body is about.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::runtime::mcp_http::mirror::Mirrors;
use crate::wire::header::{
    MCP_METHOD, MCP_NAME, MCP_PROTOCOL_VERSION, MCP_SESSION_ID, encode_value,
};
use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::method::Method;
use crate::wire::revision::{Era, Revision};

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static(MCP_PROTOCOL_VERSION);
const METHOD: HeaderName = HeaderName::from_static(MCP_METHOD);
const NAME: HeaderName = HeaderName::from_static(MCP_NAME);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
pub(super) const SESSION_ID: HeaderName = HeaderName::from_static(MCP_SESSION_ID);

/// The methods that are about one task.
const TASKS: [&str; 3] = ["tasks/get", "tasks/update", "tasks/cancel"];

/// What all requests of one upstream session have in common.
pub(super) struct Head {
    /// The revision agreed on; `None` before that.
    pub(super) revision: Option<Revision>,
    /// The session the server gave us; many give none.
    pub(super) session: Option<HeaderValue>,
    /// Counts the sessions.
    pub(super) generation: u64,
    headers: HeaderMap,
    /// The same with room for what a modern `tools/call` adds.
    call_headers: HeaderMap,
}

impl Head {
    pub(super) fn new(
        base: &HeaderMap,
        revision: Option<Revision>,
        session: Option<HeaderValue>,
        generation: u64,
    ) -> Self {
        let mut headers = base.clone();
        // The header came with 2025-06-18; older servers may refuse what they do not know.
        if let Some(revision) = revision.filter(|known| *known >= Revision::V2025_06_18) {
            let name = HeaderValue::from_static(revision.as_str());
            headers.insert(PROTOCOL_VERSION, name);
        }
        if let Some(session) = &session {
            headers.insert(SESSION_ID, session.clone());
        }
        let mut call_headers = headers.clone();
        call_headers.insert(METHOD, HeaderValue::from_static("tools/call"));
        call_headers.insert(NAME, HeaderValue::from_static(""));
        Self {
            revision,
            session,
            generation,
            headers,
            call_headers,
        }
    }

    /// The era agreed on.
    pub(super) fn era(&self) -> Option<Era> {
        self.revision.map(Revision::era)
    }

    /// Whether several messages may come in one array.
    pub(super) fn has_batches(&self) -> bool {
        self.revision.is_some_and(Revision::has_batches)
    }

    /// The headers that say nothing of a method: those of a legacy session.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The headers of a request for a stream: from behind the event `last` on, or for a new one.
    pub(super) fn of_stream(&self, last: Option<&HeaderValue>) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.remove(CONTENT_TYPE);
        if let Some(last) = last {
            headers.insert(LAST_EVENT_ID, last.clone());
        }
        headers
    }

    /// The headers of one request.
    pub(super) fn of_request(
        &self,
        method: &Method,
        params: &Params,
        mirrors: &Mirrors,
    ) -> HeaderMap {
        if self.era() != Some(Era::Modern) {
            return self.headers.clone();
        }
        let mut headers = if *method == Method::ToolsCall {
            self.call_headers.clone()
        } else {
            let mut headers = self.headers.clone();
            if let Ok(method) = HeaderValue::from_str(method.as_str()) {
                headers.insert(METHOD, method);
            }
            headers
        };
        let name = name_param(method).and_then(|key| params.members.get(key));
        match name.and_then(name_value) {
            Some(name) => drop(headers.insert(NAME, name)),
            None => drop(headers.remove(NAME)),
        }
        if *method == Method::ToolsCall {
            mirrors.write(params, &mut headers);
        }
        headers
    }
}

/// The member of the params that `Mcp-Name` repeats. Of what an extension may call a task, only the three methods that
/// the protocol has (MCP 2026-07-28, tasks).
fn name_param(method: &Method) -> Option<&'static str> {
    match method {
        Method::Other(name) if !TASKS.contains(&&**name) => None,
        method => method.name_param(),
    }
}

fn name_value(name: &Json) -> Option<HeaderValue> {
    HeaderValue::from_str(&encode_value(&name.string()?)).ok()
}

/// A session id as a server may give it: visible ASCII (MCP 2025-11-25, session management), of a length that fits a
/// header.
pub(super) fn session_id(value: &HeaderValue) -> Option<HeaderValue> {
    let bytes = value.as_bytes();
    let fits = (1..=1024).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    let mut value = fits.then(|| value.clone())?;
    value.set_sensitive(true);
    Some(value)
}
