//! What a caller is told who is not let in: which token would do, and where it comes from (RFC 6750 section 3, RFC 9728
//! section 5.1).

use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};

use crate::front::auth::{Callers, Unknown};
use crate::front::http::body::{Body, problem};

impl Callers {
    /// The refusal of a request that comes from nobody who is known.
    pub(in crate::front) fn unauthorized(&self, why: Unknown) -> Response<Body> {
        let (message, error) = match why {
            Unknown::Missing | Unknown::Unverified => (
                "this gateway needs a token: send `Authorization: Bearer …`; `toolgate token new` makes one".to_owned(),
                String::new(),
            ),
            Unknown::Invalid(why) => (
                format!("the token is refused: {why}"),
                format!(", error=\"invalid_token\", error_description=\"{why}\""),
            ),
        };
        let scopes = self.0.scopes_supported.join(" ");
        let scope = match scopes.is_empty() {
            true => String::new(),
            false => format!(", scope=\"{scopes}\""),
        };
        let mut response = problem(StatusCode::UNAUTHORIZED, "unauthorized", &message);
        challenge(response.headers_mut(), &format!("{error}{scope}"));
        response
    }

    /// Adds to a challenge where the metadata of this gateway is, where there is some. `at_alias`: the request came by the
    /// other path of the MCP endpoint.
    pub(in crate::front) fn point_to_metadata(
        &self,
        response: &mut Response<Body>,
        at_alias: bool,
    ) {
        let is_refusal = matches!(
            response.status(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        );
        let Some(url) = is_refusal.then(|| self.metadata_url(at_alias)).flatten() else {
            return;
        };
        let headers = response.headers_mut();
        let challenge = headers
            .get(WWW_AUTHENTICATE)
            .and_then(|value| value.to_str().ok());
        let Some(challenge) = challenge.filter(|value| value.starts_with("Bearer ")) else {
            return;
        };
        let pointed = format!("{challenge}, resource_metadata=\"{url}\"");
        if let Ok(pointed) = HeaderValue::from_str(&pointed) {
            headers.insert(WWW_AUTHENTICATE, pointed);
        }
    }
}

/// Says which scope the request lacks.
pub(in crate::front) fn insufficient(headers: &mut HeaderMap, scope: &str) {
    let rest = format!(", error=\"insufficient_scope\", scope=\"{scope}\"");
    challenge(headers, &rest);
}

fn challenge(headers: &mut HeaderMap, rest: &str) {
    let text = format!("Bearer realm=\"toolgate\"{rest}");
    if let Ok(text) = HeaderValue::from_str(&text) {
        headers.insert(WWW_AUTHENTICATE, text);
    }
}
