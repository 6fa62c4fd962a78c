//! The resource `http`: requests of plugins in this process, by the client that remote servers are reached with.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{HOST, USER_AGENT};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};

use crate::model::fault::{Fault, FaultKind};
use crate::plugin::{Fetch, HttpClient};
use crate::runtime::mcp_http::connect::{ConnectError, Http, Tls, client, find, is_forbidden};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// How long one request may take, its answer included.
const TOTAL: Duration = Duration::from_secs(30);

/// The most bytes of an answer's body.
const MAX_BODY: usize = 8 << 20;

struct Outbound {
    client: Http,
    user_agent: HeaderValue,
}

/// A client for plugins.
pub(crate) fn outbound(version: &str) -> HttpClient {
    let user_agent = HeaderValue::try_from(format!("toolgate/{version}"));
    HttpClient::new(Arc::new(Outbound {
        client: client(&Tls::default(), CONNECT),
        user_agent: user_agent.expect("a version has no control characters"),
    }))
}

impl Outbound {
    async fn exchange(
        &self,
        mut request: Request<Bytes>,
        host: &str,
    ) -> Result<Response<Bytes>, Fault> {
        let headers = request.headers_mut();
        // It follows from the URI.
        headers.remove(HOST);
        headers
            .entry(USER_AGENT)
            .or_insert_with(|| self.user_agent.clone());
        let answer = self.client.request(request.map(Full::new)).await;
        let answer = answer.map_err(|err| match find::<ConnectError>(&err) {
            Some(why) => {
                let message = format!("`{host}` could not be reached: {why}");
                Fault::new(FaultKind::Unavailable, message).because(why.reason)
            }
            None => Fault::new(FaultKind::Unavailable, format!("`{host}` did not answer"))
                .caused_by(err),
        })?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let body = body.map_err(|err| match err.downcast_ref::<LengthLimitError>() {
            Some(_) => {
                let message = format!("the answer of `{host}` is larger than {MAX_BODY} bytes");
                Fault::new(FaultKind::Broken, message).because("answer_too_large")
            }
            None => Fault::new(
                FaultKind::Unavailable,
                format!("the answer of `{host}` was cut off"),
            )
            .caused_by(err),
        })?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

impl Fetch for Outbound {
    fn fetch(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, Fault>> {
        Box::pin(async move {
            let host = host_of(request.uri())?;
            tokio::time::timeout(TOTAL, self.exchange(request, &host))
                .await
                .unwrap_or_else(|_| {
                    let seconds = TOTAL.as_secs();
                    let message = format!("`{host}` did not answer within {seconds} s");
                    Err(Fault::new(FaultKind::Timeout, message))
                })
        })
    }
}

fn host_of(uri: &Uri) -> Result<String, Fault> {
    let is_known = matches!(uri.scheme_str(), Some("http" | "https"));
    // Names are checked when they are resolved; an address is not.
    let address = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    if address.parse().is_ok_and(is_forbidden) {
        let message = format!("`{address}` is an address that plugins must not reach");
        return Err(Fault::new(FaultKind::Denied, message).because("forbidden_address"));
    }
    match uri.host().filter(|_| is_known) {
        Some(host) => Ok(host.to_owned()),
        None => Err(Fault::new(
            FaultKind::BadInput,
            "a URL begins with `https://` or `http://` and a host",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_that_is_none_or_forbidden_is_refused() {
        let http = outbound("0.0.0");
        let fault = http.get("/path").await.expect_err("no host");
        assert_eq!(fault.kind, FaultKind::BadInput);
        for url in ["http://169.254.169.254/", "http://[fe80::1]:80/x"] {
            let fault = http.get(url).await.expect_err("a forbidden address");
            assert_eq!(fault.kind, FaultKind::Denied, "{fault}");
        }
    }
}
