//! Every access that is denied is recorded: whoever refuses marks the answer, and the front notes what is marked.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, Response, StatusCode, Uri};

use crate::front::http::body::Body;
use crate::ledger::Ledger;
use crate::ledger::record::DenialRow;

/// What was refused.
#[derive(Debug, Clone)]
pub(super) struct Denied {
    /// In one word.
    pub(super) what: &'static str,
    /// The scope that was missing.
    pub(super) scope: Option<String>,
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
pub(super) fn denied(
    mut answer: Response<Body>,
    what: &'static str,
    scope: Option<&str>,
) -> Response<Body> {
    let scope = scope.map(str::to_owned);
    answer.extensions_mut().insert(Denied { what, scope });
    answer
}

/// Notes on a refusal whom it is for.
pub(super) fn to(answer: &mut Response<Body>, principal: &Arc<str>) {
    if is_denied(answer) {
        answer.extensions_mut().insert(To(Arc::clone(principal)));
    }
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
        let what = match answer.status() {
            StatusCode::UNAUTHORIZED => "unauthorized",
            _ => "forbidden",
        };
        let to = answer.extensions().get::<To>();
        ledger.denied(DenialRow {
            principal: to.map(|To(principal)| principal.to_string()),
            what: denied.map_or(what, |denied| denied.what).to_owned(),
            scope: denied.and_then(|denied| denied.scope.clone()),
            // Not the query: that may hold what nobody should see.
            path: Some(format!("{} {}", self.verb, self.uri.path())),
            remote: Some(self.peer.ip().to_string()),
            ..DenialRow::default()
        });
    }
}
