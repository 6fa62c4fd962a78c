//! What a caller must be allowed to do: one check for all routes, one refusal.

use std::sync::Arc;

use http::header::HeaderMap;
use http::{HeaderName, Response};

use crate::front::admin::answer::denied;
use crate::front::http::body::Body;
use crate::model::caller::{Caller, Scopes};

/// The scopes that a request wants to be held to, separated by commas or spaces.
const X_SCOPES: HeaderName = HeaderName::from_static("x-scopes");

/// Refuses who does not have the scope: 403 with what is missing (RFC 6750 section 3.1).
pub(in crate::front) fn need(caller: &Caller, scope: &str) -> Result<(), Box<Response<Body>>> {
    match caller.may(scope) {
        true => Ok(()),
        false => Err(Box::new(denied(scope))),
    }
}

/// The caller as this request wants it held: `X-Scopes` takes scopes away and never gives any. `is_local` says that
/// nobody needs a credential and only this machine can ask: then a caller that may not do anything without saying so is
/// believed what it says.
pub(in crate::front) fn narrowed(
    caller: &Arc<Caller>,
    headers: &HeaderMap,
    is_local: bool,
) -> Arc<Caller> {
    if !headers.contains_key(X_SCOPES) {
        return Arc::clone(caller);
    }
    let named = headers.get_all(X_SCOPES).iter();
    let named = named.flat_map(|value| value.to_str().unwrap_or_default().split([',', ' ', '\t']));
    let named = named.filter(|scope| !scope.is_empty());
    // Who may call all tools may as well say that it calls those of one plugin.
    let calls = |scope: &str| {
        !caller.tools_by_scope && scope.starts_with("ext:") && scope.ends_with(":tools")
    };
    let scopes = named.filter(|scope| is_local || caller.may(scope) || calls(scope));
    let scopes = Scopes::only(scopes.map(str::to_owned));
    Arc::new(Caller {
        tools_by_scope: caller.tools_by_scope || scopes.speak_of_plugins(),
        scopes,
        ..(**caller).clone()
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// O22: the header narrows; it is believed alone only where nobody has a credential.
    #[test]
    fn scopes_are_taken_away_and_never_given() {
        let check = |held: Option<&[&str]>, header: Option<&str>, local, wanted: &str, expect| {
            let scopes = match held {
                None => Scopes::All,
                Some(held) => Scopes::Only(held.iter().map(|scope| (*scope).to_owned()).collect()),
            };
            let caller = Arc::new(Caller {
                scopes,
                ..Caller::anonymous()
            });
            let mut headers = HeaderMap::new();
            if let Some(text) = header {
                let value = HeaderValue::from_str(text).expect("a header");
                headers.insert(X_SCOPES, value);
            }
            let caller = narrowed(&caller, &headers, local);
            assert_eq!(caller.may(wanted), expect, "{held:?} {header:?} {wanted}");
        };
        let routes = "ext:x:routes";
        check(None, None, true, routes, true);
        check(None, Some("other"), true, routes, false);
        check(None, Some("other, ext:x:routes"), true, routes, true);
        check(Some(&[]), Some(routes), true, routes, true);
        check(Some(&[]), Some(routes), false, routes, false);
        check(Some(&[]), None, true, routes, false);
        check(
            Some(&["admin"]),
            Some("ext:x:routes read"),
            false,
            routes,
            true,
        );
        check(
            Some(&["admin"]),
            Some("ext:x:routes read"),
            false,
            "admin",
            false,
        );
        check(Some(&["ext:*:routes"]), Some(routes), false, routes, true);
        check(Some(&["ext:*:routes"]), Some(""), false, routes, false);
        let own = "deploy:tools";
        check(Some(&[]), Some(own), false, own, false);
    }
}
