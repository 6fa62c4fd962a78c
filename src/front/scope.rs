//! What a caller must be allowed to do: one check for all routes, one refusal.

use http::Response;

use crate::front::admin::answer::denied;
use crate::front::http::body::Body;
use crate::model::caller::Caller;

/// Refuses who does not have the scope: 403 with what is missing (RFC 6750 section 3.1).
pub(in crate::front) fn need(caller: &Caller, scope: &str) -> Result<(), Box<Response<Body>>> {
    match caller.may(scope) {
        true => Ok(()),
        false => Err(Box::new(denied(scope))),
    }
}
