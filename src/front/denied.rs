//! Every access that is denied is recorded: whoever refuses marks the answer, and the front notes what is marked.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::WWW_AUTHENTICATE;
use http::{Method, Response, StatusCode, Uri};

use crate::front::http::body::Body;
use crate::ledger::Ledger;
use crate::ledger::record::DenialRow;

/// What was refused, where the status does not say it.
#[derive(Debug, Clone)]
struct Denied {
    /// In one word.
    what: &'static str,
}

/// Who was refused it.
#[derive(Debug, Clone)]
struct To(Arc<str>);

/// What a request was, for the time when its answer is known.
pub(super) struct Asked {
    pub(super) verb: Method,
    pub(super) uri: Uri,
    pub(super) peer: SocketAddr,
}

/// Marks an answer as a refusal.
#[must_use]
pub(super) fn denied(mut answer: Response<Body>, what: &'static str) -> Response<Body> {
    answer.extensions_mut().insert(Denied { what });
    answer
}

/// Notes on a refusal whom it is for.
pub(super) fn to(answer: &mut Response<Body>, principal: &Arc<str>) {
    if is_denied(answer) {
        answer.extensions_mut().insert(To(Arc::clone(principal)));
    }
}

/// The scope that a challenge names (RFC 6750 section 3).
fn missing_scope(answer: &Response<Body>) -> Option<String> {
    let challenge = answer.headers().get(WWW_AUTHENTICATE)?.to_str().ok()?;
    if !challenge.contains("error=\"insufficient_scope\"") {
        return None;
    }
    let (_, scope) = challenge.split_once("scope=\"")?;
    Some(scope.split('"').next()?.to_owned())
}

fn is_denied(answer: &Response<Body>) -> bool {
    let status = answer.status();
    status == StatusCode::FORBIDDEN
        || status == StatusCode::UNAUTHORIZED
        || answer.extensions().get::<Denied>().is_some()
}

impl Asked {
    /// Records the answer, if it is a refusal.
    pub(super) fn note(self, answer: &Response<Body>, ledger: &Ledger) {
        if !is_denied(answer) {
            return;
        }
        let denied = answer.extensions().get::<Denied>();
        let scope = missing_scope(answer);
        let what = match answer.status() {
            StatusCode::UNAUTHORIZED => "unauthorized",
            _ if scope.is_some() => "insufficient_scope",
            _ => "forbidden",
        };
        let to = answer.extensions().get::<To>();
        ledger.denied(DenialRow {
            principal: to.map(|To(principal)| principal.to_string()),
            what: denied.map_or(what, |denied| denied.what).to_owned(),
            scope,
            // Not the query: that may hold what nobody should see.
            path: Some(format!("{} {}", self.verb, self.uri.path())),
            remote: Some(self.peer.ip().to_string()),
            ..DenialRow::default()
        });
    }
}
