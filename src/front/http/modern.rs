//! Requests of the modern era: each stands alone (MCP 2026-07-28).

use std::sync::Arc;

use http::header::HeaderMap;
use http::{Response, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::front::auth::insufficient;
use crate::front::desk::Desk;
use crate::front::http::body::{Body, json_response};
use crate::front::http::mcp::error_response;
use crate::front::http::round::{self, Asking};
use crate::front::http::stream::Answered;
use crate::front::http::{Active, HttpFront};
use crate::front::incidents::naming::name_incident;
use crate::model::caller::Caller;
use crate::wire::error::{HEADER_MISMATCH, METHOD_NOT_FOUND, RpcError};
use crate::wire::header::{HeaderMismatch, check_params, check_standard};
use crate::wire::message::{Params, Request};
use crate::wire::method::Method;

impl HttpFront {
    /// Answers a modern request. Dropping the future, or the body of the answer, cancels it.
    pub(super) async fn modern(
        self: &Arc<Self>,
        headers: &HeaderMap,
        request: Request,
        caller: Arc<Caller>,
        active: Active,
    ) -> Response<Body> {
        let Request {
            id,
            method,
            mut params,
        } = request;
        let agrees = |version: &str| {
            let checked = self.check_headers(headers, version, &method, &params, &caller);
            checked.map_err(|mismatch| RpcError::new(HEADER_MISMATCH, mismatch.to_string()))
        };
        let profile = match Desk::modern_profile(&params, agrees) {
            Ok(profile) => profile,
            Err(error) => return error_response(StatusCode::BAD_REQUEST, Some(&id), &error),
        };
        if method == Method::Listen {
            drop(active);
            return self.listen(id, &params, &caller, profile).await;
        }
        let profile = Arc::new(profile);
        let rounds = &self.desk.rounds;
        let next = match rounds.receive(&caller, &profile, &method, &mut params) {
            Ok(next) => next,
            Err(error) => return error_response(StatusCode::OK, Some(&id), &error),
        };
        let asking = Asking { id, active, status };
        if let Some(next) = next {
            return round::later(next, asking).await;
        }
        let calls = (&caller, &profile);
        let request = (&method, &params);
        let (dialogue, context) =
            self.desk
                .modern_call(rounds, calls, request, CancellationToken::new());
        name_incident(headers, &mut params);
        let (desk, first) = (Arc::clone(&self.desk), dialogue.first());
        let work = Box::pin(async move {
            let reply = desk.answer(&method, params, context).await;
            dialogue.sealed(reply)
        });
        round::first(first, work, asking, &self.desk.supervisor).await
    }

    fn check_headers(
        &self,
        headers: &HeaderMap,
        version: &str,
        method: &Method,
        params: &Params,
        caller: &Caller,
    ) -> Result<(), HeaderMismatch> {
        let name = method
            .name_param()
            .and_then(|param| params.members.string(param));
        check_standard(headers, version, method.as_str(), name.as_deref())?;
        let (Method::ToolsCall, Some(name)) = (method, &name) else {
            return Ok(());
        };
        let entry = self.desk.registry().with_catalog(|catalog| {
            catalog
                .find(name, caller)
                .filter(|entry| !entry.param_headers.is_empty())
                .cloned()
        });
        let Some(entry) = entry else { return Ok(()) };
        let arguments = params
            .members
            .get("arguments")
            .and_then(|arguments| arguments.parse().ok());
        check_params(
            headers,
            &entry.param_headers,
            &arguments.unwrap_or_else(|| serde_json::json!({})),
        )
    }
}

/// The status of an error that is the whole answer (MCP 2026-07-28, transports).
pub(super) fn status(error: &RpcError) -> StatusCode {
    match error.code {
        METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        _ if error.is_modern() => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

/// A JSON answer with the right type.
pub(super) fn whole(answered: Answered) -> Response<Body> {
    let Answered {
        status,
        head,
        result,
        tail,
        scope,
    } = answered;
    let mut response = json_response(status, Body::around(head, result, tail));
    if let Some(scope) = scope {
        insufficient(response.headers_mut(), &scope);
    }
    response
}
