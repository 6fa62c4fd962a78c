//! Host and Origin, checked on every route: a page in a browser must not reach the gateway by a name of its own
//! (DNS rebinding), nor from a place that the operator does not know.

use std::net::{IpAddr, SocketAddr};

use http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use http::uri::Authority;
use http::{Request, Response, StatusCode};

use crate::front::denied::denied;
use crate::front::http::body::{Body, problem};

/// The names the gateway answers to.
#[derive(Debug)]
pub(super) struct Guard {
    address: IpAddr,
    any_host: bool,
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// Where a request comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Not from a page.
    Absent,
    /// From a page of this machine. It may send requests; a browser does not let it see the answers.
    Local,
    /// From a page that the operator allows.
    Allowed(HeaderValue),
}

/// Why a request is not let in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Malformed(&'static str),
    Host(String),
    Origin(String),
}

impl Guard {
    pub(super) fn new(address: SocketAddr, hosts: &[String], origins: &[String]) -> Self {
        let lower = |names: &[String]| {
            names
                .iter()
                .map(|name| name.to_ascii_lowercase())
                .collect::<Vec<_>>()
        };
        Self {
            address: address.ip(),
            any_host: hosts.iter().any(|host| host == "*"),
            hosts: lower(hosts),
            origins: lower(origins),
        }
    }

    /// Whether only this machine can reach the gateway.
    pub(super) fn is_loopback(&self) -> bool {
        self.address.is_loopback()
    }

    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<Origin, Refused> {
        let headers = request.headers();
        let host = only(headers, HOST.as_str())
            .map_err(|()| Refused::Malformed("more than one Host header"))?;
        let host = match (host.map(HeaderValue::to_str), request.uri().authority()) {
            (Some(Ok(host)), _) => host,
            (None, Some(authority)) => authority.as_str(),
            (Some(Err(_)), _) => return Err(Refused::Malformed("a Host header that is not ASCII")),
            (None, None) => return Err(Refused::Malformed("no Host header")),
        };
        if !self.answers_to(host) {
            return Err(Refused::Host(host.to_owned()));
        }
        let origin = only(headers, ORIGIN.as_str())
            .map_err(|()| Refused::Malformed("more than one Origin header"))?;
        match origin {
            None => Ok(Origin::Absent),
            Some(origin) => self.origin(origin),
        }
    }

    fn answers_to(&self, host: &str) -> bool {
        // The two that nearly every request names, without parsing.
        if self.any_host
            || host.starts_with("127.0.0.1:")
                && host[10..].bytes().all(|byte| byte.is_ascii_digit())
        {
            return true;
        }
        let Ok(authority) = host.parse::<Authority>() else {
            return false;
        };
        // Neither user information before the name nor anything but a port after it.
        let after = host.get(authority.host().len()..).unwrap_or("@");
        let is_port = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if !after.is_empty() && !after.strip_prefix(':').is_some_and(is_port) {
            return false;
        }
        let name = authority.host().to_ascii_lowercase();
        is_local(&name)
            || name.trim_matches(['[', ']']).parse() == Ok(self.address)
            || self
                .hosts
                .iter()
                .any(|known| *known == name || *known == host.to_ascii_lowercase())
    }

    fn origin(&self, value: &HeaderValue) -> Result<Origin, Refused> {
        let origin = value.to_str().unwrap_or("").to_ascii_lowercase();
        if self.origins.contains(&origin) {
            return Ok(Origin::Allowed(value.clone()));
        }
        let authority = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        let authority = authority.and_then(|rest| rest.parse::<Authority>().ok());
        match authority {
            Some(authority) if is_local(authority.host()) && !authority.as_str().contains('@') => {
                Ok(Origin::Local)
            }
            _ => Err(Refused::Origin(origin)),
        }
    }
}

fn is_local(name: &str) -> bool {
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

/// The one value of a header; an error when it stands there more than once.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        Err(())
    } else {
        Ok(first)
    }
}

impl Refused {
    pub(super) fn response(&self) -> Response<Body> {
        match self {
            Self::Malformed(what) => problem(
                StatusCode::BAD_REQUEST,
                "bad_request",
                &format!("the request has {what}"),
            ),
            Self::Host(host) => {
                let message = format!(
                    "`{}` is not a host of this gateway; `server.allowed_hosts` names others",
                    host.escape_debug()
                );
                let refusal = problem(StatusCode::FORBIDDEN, "host_not_allowed", &message);
                denied(refusal, "host_not_allowed")
            }
            Self::Origin(origin) => {
                let message = format!(
                    "origin `{}` is not allowed; `server.allowed_origins` names those that are",
                    origin.escape_debug()
                );
                let refusal = problem(StatusCode::FORBIDDEN, "origin_not_allowed", &message);
                denied(refusal, "origin_not_allowed")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)]) -> Result<Origin, Refused> {
        let guard = Guard::new(
            "127.0.0.1:8080".parse().expect("an address"),
            &["Gate.example".into()],
            &["https://app.example".into()],
        );
        let mut request = Request::new(());
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().expect("a name");
            request
                .headers_mut()
                .append(name, value.parse().expect("a value"));
        }
        guard.check(&request)
    }

    #[test]
    fn known_hosts_are_let_in() {
        for host in [
            "127.0.0.1:1",
            "localhost",
            "LOCALHOST:80",
            "[::1]:9",
            "gate.example",
            "gate.example:443",
        ] {
            assert_eq!(check(&[("host", host)]), Ok(Origin::Absent), "{host}");
        }
    }

    #[test]
    fn other_hosts_are_not() {
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1:80@evil.example",
            "localhost.evil",
            "localhost:80.evil",
            "a@localhost",
            "",
            "a b",
        ] {
            assert!(
                matches!(check(&[("host", host)]), Err(Refused::Host(_))),
                "{host}"
            );
        }
        assert!(matches!(check(&[]), Err(Refused::Malformed(_))));
        assert!(matches!(
            check(&[("host", "localhost"), ("host", "evil")]),
            Err(Refused::Malformed(_))
        ));
    }

    #[test]
    fn origins_are_known_or_refused() {
        let origin = |origin| check(&[("host", "localhost"), ("origin", origin)]);
        assert_eq!(origin("http://localhost:3000"), Ok(Origin::Local));
        assert!(matches!(
            origin("https://app.example"),
            Ok(Origin::Allowed(_))
        ));
        for evil in [
            "https://evil.example",
            "null",
            "http://localhost.evil",
            "https://app.example:1",
            "file://",
            "http://localhost@evil.example",
        ] {
            assert!(matches!(origin(evil), Err(Refused::Origin(_))), "{evil}");
        }
    }
}
