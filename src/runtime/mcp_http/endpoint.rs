//! One MCP endpoint: where requests go, with which headers, and where they must not be sent on to.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION, USER_AGENT,
};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::manifest::runtime::McpHttp as Section;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::runtime::mcp_http::connect::Http;
use crate::runtime::mcp_http::hold::Hold;
use crate::runtime::mcp_http::trouble::{Upstream, retry_after};

/// How often one request is sent on to another path of the same origin.
const MAX_HOPS: usize = 2;

/// The content types a server may answer in (MCP, streamable HTTP).
const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// The endpoint of one plugin.
pub(super) struct Endpoint {
    pub(super) upstream: Upstream,
    /// The most bytes of one message.
    pub(super) max_message: usize,
    uri: Uri,
    client: Http,
    headers: HeaderMap,
    hold: Arc<Hold>,
}

impl Endpoint {
    /// The endpoint that `section` describes.
    pub(super) fn new(
        plugin: &PluginId,
        section: &Section,
        max_message: usize,
        version: &str,
        client: Http,
        hold: Arc<Hold>,
    ) -> Result<Self, Fault> {
        let uri = section.url.uri().clone();
        let host = uri.authority().map_or("", Authority::as_str);
        let upstream = Upstream {
            plugin: plugin.clone(),
            host: host.into(),
        };
        let bad = |name: &str| {
            upstream.fault(
                FaultKind::Unavailable,
                "bad_header",
                format_args!("the header `{name}` in its manifest cannot be sent"),
            )
        };
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(
            USER_AGENT,
            text(&format!("toolgate/{version}")).map_err(|()| bad("user-agent"))?,
        );
        for (name, value) in &section.headers {
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(name))?;
            if key.as_str().starts_with("mcp-") || key == ACCEPT_ENCODING {
                return Err(bad(name));
            }
            headers.insert(key, secret(value.expose()).map_err(|()| bad(name))?);
        }
        if let Some(token) = &section.bearer_token {
            let value = secret(&format!("Bearer {}", token.expose()));
            headers.insert(AUTHORIZATION, value.map_err(|()| bad("authorization"))?);
        }
        headers.insert(HOST, text(host).map_err(|()| bad("host"))?);
        headers.insert(ACCEPT, BOTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self {
            upstream,
            max_message,
            uri,
            client,
            headers,
            hold,
        })
    }

    /// The headers of every request: those of the manifest, and what a POST needs.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Like [`Endpoint::send`], for what the server is asked, as opposed to what it is told: not before the time at which
    /// it wants to be asked again.
    pub(super) async fn ask(
        &self,
        method: &Method,
        body: &Bytes,
        headers: &(dyn Fn() -> HeaderMap + Sync),
    ) -> Result<Response<Incoming>, Fault> {
        self.hold.check(&self.upstream)?;
        self.send(method, body, headers).await
    }

    /// Sends one request. A request that is sent on to a path of the same origin follows; a status of 300 and above
    /// that sends it anywhere else is a fault, all other answers are the caller's to read.
    pub(super) async fn send(
        &self,
        method: &Method,
        body: &Bytes,
        headers: &(dyn Fn() -> HeaderMap + Sync),
    ) -> Result<Response<Incoming>, Fault> {
        let mut uri = self.uri.clone();
        for hop in 0.. {
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = method.clone();
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = headers();
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|err| self.upstream.no_answer(err))?;
            if !answer.status().is_redirection() {
                let wait = retry_after(answer.status(), answer.headers());
                wait.inspect(|wait| self.hold.begin(answer.status(), *wait));
                return Ok(answer);
            }
            uri = self.redirect(hop, &uri, &answer)?;
        }
        unreachable!("the hops are counted")
    }

    /// Where a redirect leads to, if it may be followed.
    fn redirect<B>(&self, hop: usize, from: &Uri, answer: &Response<B>) -> Result<Uri, Fault> {
        let status = answer.status();
        let refused = |why: &str| {
            self.upstream.fault(
                FaultKind::Unavailable,
                "redirect_refused",
                format_args!("it redirects ({status}) {why}; set `mcp_http.url` to the final address if you trust it"),
            )
        };
        if !matches!(status.as_u16(), 307 | 308) {
            return Err(refused("in a way that a call cannot follow"));
        }
        if hop >= MAX_HOPS {
            return Err(refused("again and again"));
        }
        let to = answer.headers().get(LOCATION);
        let to = to.and_then(|to| resolve(from, to.to_str().ok()?));
        let to = to.ok_or_else(|| refused("to nowhere"))?;
        if !same_origin(from, &to) {
            return Err(refused("to another server"));
        }
        Ok(to)
    }
}

/// A header value that logs may show.
fn text(value: &str) -> Result<HeaderValue, ()> {
    HeaderValue::from_str(value).map_err(drop)
}

/// A header value that logs must not show.
fn secret(value: &str) -> Result<HeaderValue, ()> {
    let mut value = text(value)?;
    value.set_sensitive(true);
    Ok(value)
}

/// What `location` means at `base` (RFC 3986 section 5.2, without the folding of dots).
fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next()?;
    let scheme = base.scheme_str()?;
    if let Some(authority) = location.strip_prefix("//") {
        return format!("{scheme}://{authority}").parse().ok();
    }
    let parsed = location.parse::<Uri>().ok();
    if let Some(absolute) = parsed.filter(|uri| uri.scheme().is_some()) {
        return Some(absolute);
    }
    let path = match location.as_bytes().first() {
        Some(b'/') => location.to_owned(),
        Some(b'?') => format!("{}{location}", base.path()),
        _ => {
            let (directory, _) = base.path().rsplit_once('/')?;
            format!("{directory}/{location}")
        }
    };
    let mut parts = base.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

/// Whether two addresses have scheme, host and port in common (RFC 6454 section 5).
fn same_origin(one: &Uri, other: &Uri) -> bool {
    let port = |uri: &Uri| {
        let default = if uri.scheme() == Some(&Scheme::HTTPS) {
            443
        } else {
            80
        };
        uri.port_u16().unwrap_or(default)
    };
    let has_user = other
        .authority()
        .is_some_and(|to| to.as_str().contains('@'));
    let same_host = match (one.host(), other.host()) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => false,
    };
    !has_user && same_host && one.scheme() == other.scheme() && port(one) == port(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_within_the_origin() {
        let base: Uri = "https://example.com/a/mcp?k=1".parse().expect("an address");
        let table = [
            ("/b", "https://example.com/b", true),
            ("b", "https://example.com/a/b", true),
            ("?x=1", "https://example.com/a/mcp?x=1", true),
            (
                "https://EXAMPLE.com:443/c#f",
                "https://EXAMPLE.com:443/c",
                true,
            ),
            ("http://example.com/c", "http://example.com/c", false),
            (
                "https://example.com:444/",
                "https://example.com:444/",
                false,
            ),
            (
                "https://example.com.evil.net/",
                "https://example.com.evil.net/",
                false,
            ),
            ("//169.254.169.254/", "https://169.254.169.254/", false),
            ("https://me@example.com/", "https://me@example.com/", false),
            ("gopher://example.com/", "gopher://example.com/", false),
        ];
        for (location, expect, same) in table {
            let to = resolve(&base, location).expect(location);
            assert_eq!(to.to_string(), expect, "{location}");
            assert_eq!(same_origin(&base, &to), same, "{location}");
        }
    }
}
