//! The address of a remote MCP server.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

/// An absolute `http` or `https` address without user name, password or fragment.
///
/// Printing it leaves the query out, because some services want their key there.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HttpUrl {
    text: String,
    uri: Uri,
}

/// A text that is not such an address. Does not quote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    #[error("not an address: expected `https://host/path`")]
    NotAnAddress,
    #[error("the address must begin with `https://` or `http://`")]
    Scheme,
    #[error("no user name or password in an address; use `bearer_token` or `headers`")]
    Credentials,
    #[error("no `#` in an address")]
    Fragment,
}

impl HttpUrl {
    /// The whole address as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Host name or address, IPv6 in brackets.
    pub fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    /// Whether what is sent there is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host().trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for HttpUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        if text.contains('#') {
            return Err(BadUrl::Fragment);
        }
        let uri: Uri = text.parse().map_err(|_| BadUrl::NotAnAddress)?;
        match (uri.scheme_str(), uri.authority()) {
            (Some("http" | "https"), Some(authority)) if authority.as_str().contains('@') => {
                Err(BadUrl::Credentials)
            }
            (Some("http" | "https"), Some(authority)) if !authority.host().is_empty() => Ok(Self {
                text: text.to_owned(),
                uri,
            }),
            (Some("http" | "https"), _) | (None, _) => Err(BadUrl::NotAnAddress),
            (Some(_), _) => Err(BadUrl::Scheme),
        }
    }
}

impl TryFrom<String> for HttpUrl {
    type Error = BadUrl;

    fn try_from(text: String) -> Result<Self, BadUrl> {
        text.parse()
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.split_once('?') {
            Some((shown, _)) => write!(f, "{shown}?***"),
            None => f.write_str(&self.text),
        }
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Serialize for HttpUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for HttpUrl {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "HttpUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^(https?://[^#@/]+(/[^#]*)?|.*\$\{.*)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<(bool, bool), BadUrl>) {
        let found = text
            .parse::<HttpUrl>()
            .map(|url| (url.is_encrypted(), url.is_loopback()));
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn addresses() {
        check("https://example.com/mcp", Ok((true, false)));
        check("http://127.0.0.1:8080/mcp", Ok((false, true)));
        check("http://[::1]:80/", Ok((false, true)));
        check("http://LOCALHOST/", Ok((false, true)));
        check("http://localhost.example.com/", Ok((false, false)));
        check("ftp://example.com/", Err(BadUrl::Scheme));
        check("example.com/mcp", Err(BadUrl::NotAnAddress));
        check("/mcp", Err(BadUrl::NotAnAddress));
        check("https:///mcp", Err(BadUrl::NotAnAddress));
        check("https://me:pw@example.com/", Err(BadUrl::Credentials));
        check("https://example.com/#x", Err(BadUrl::Fragment));
    }

    #[test]
    fn the_query_is_not_printed() {
        let url: HttpUrl = "https://example.com/mcp?key=hunter2"
            .parse()
            .expect("valid");
        assert_eq!(
            format!("{url} {url:?}"),
            "https://example.com/mcp?*** \"https://example.com/mcp?***\""
        );
        assert!(url.as_str().contains("hunter2"));
    }
}
