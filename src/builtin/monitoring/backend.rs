//! One service: asked over HTTP, its answers read, its failures put into sentences.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HeaderName};
use http::{HeaderValue, Request, StatusCode};
use serde::de::DeserializeOwned;

use crate::builtin::monitoring::settings::Service;
use crate::plugin::{HttpClient, ToolError};

/// The most letters of a service's own words about a failure.
const MAX_WORDS: usize = 300;

/// A service.
#[derive(Clone)]
pub(super) struct Backend {
    /// What people call it.
    name: &'static str,
    base: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    http: HttpClient,
}

impl Backend {
    /// The service at the address that its settings name.
    pub(super) fn new(
        name: &'static str,
        key: &str,
        service: &Service,
        http: &HttpClient,
    ) -> Result<Self, ToolError> {
        let mut headers = vec![(ACCEPT, HeaderValue::from_static("application/json"))];
        for (header, value) in &service.headers {
            let wrong = || ToolError::new(format!("`{key}.headers.{header}` is not a header"));
            let header_name = HeaderName::try_from(header).map_err(|_| wrong())?;
            let mut value = HeaderValue::try_from(value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.push((header_name, value));
        }
        if let Some(token) = &service.token {
            let bearer = HeaderValue::try_from(format!("Bearer {token}"));
            let mut bearer =
                bearer.map_err(|_| ToolError::new(format!("`{key}.token` is not a token")))?;
            bearer.set_sensitive(true);
            headers.push((AUTHORIZATION, bearer));
        }
        Ok(Self {
            name,
            base: service.base(key)?,
            headers,
            http: http.clone(),
        })
    }

    /// Gets what is at `path` with this query, as JSON.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ToolError> {
        let (status, body) = self.ask(path, query).await?;
        match status.is_success() {
            true => self.read(&body),
            false => Err(self.refused(status, &body)),
        }
    }

    /// The same for what may not be there.
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<Option<T>, ToolError> {
        let (status, body) = self.ask(path, &[]).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => self.read(&body).map(Some),
            status => Err(self.refused(status, &body)),
        }
    }

    async fn ask(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<(StatusCode, Bytes), ToolError> {
        let mut url = format!("{}{path}", self.base);
        if !query.is_empty() {
            let mut written = form_urlencoded::Serializer::new(String::new());
            written.extend_pairs(query);
            url.push('?');
            url.push_str(&written.finish());
        }
        let mut request = Request::get(&url).body(Bytes::new())?;
        request.headers_mut().extend(self.headers.iter().cloned());
        let server = self.server();
        let answer = self.http.send(request).await;
        let answer = answer
            .map_err(|fault| ToolError::new(format!("{} at {server}: {fault}", self.name)))?;
        Ok((answer.status(), answer.into_body()))
    }

    /// Where it is, for people: without a path, and without what may be secret.
    fn server(&self) -> String {
        let uri = self.base.parse::<http::Uri>().unwrap_or_default();
        let host = uri.host().unwrap_or_default().to_owned();
        match uri.port() {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }

    fn read<T: DeserializeOwned>(&self, body: &Bytes) -> Result<T, ToolError> {
        serde_json::from_slice(body).map_err(|err| {
            ToolError::new(format!(
                "{} answered something that is not understood ({err}); does its url in the settings lead to it?",
                self.name
            ))
        })
    }

    /// What it says when it does not do what it is asked.
    fn refused(&self, status: StatusCode, body: &Bytes) -> ToolError {
        let words = words_of(body);
        let advice = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "; look at the token in the plugin's settings"
            }
            StatusCode::TOO_MANY_REQUESTS => "; try again later",
            status if status.is_redirection() => {
                "; redirects are not followed: put the address that it leads to into the plugin's settings"
            }
            _ => "",
        };
        let name = self.name;
        ToolError::new(match words.is_empty() {
            true => format!("{name} answered {status}{advice}"),
            false => format!("{name} answered {status}: {words}{advice}"),
        })
    }
}

/// The sentence in an answer: the member that these services put it in, or its beginning.
fn words_of(body: &Bytes) -> String {
    let object: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let member = object.as_ref().and_then(|object| {
        let keys = ["error", "detail", "message"];
        keys.iter()
            .find_map(|key| object.get(key).and_then(serde_json::Value::as_str))
    });
    let text = match member {
        Some(text) => text.to_owned(),
        None => String::from_utf8_lossy(body).into_owned(),
    };
    let flat = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    flat.take(MAX_WORDS).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_in_the_services_own_words() {
        for (body, expect) in [
            (r#"{"status":"error","error":"bad\nquery"}"#, "bad query"),
            (
                r#"{"detail":"Invalid token header"}"#,
                "Invalid token header",
            ),
            ("parse error at line 1", "parse error at line 1"),
            ("", ""),
        ] {
            assert_eq!(words_of(&Bytes::from_static(body.as_bytes())), expect);
        }
        let long = Bytes::from("x".repeat(5_000));
        assert_eq!(words_of(&long).len(), MAX_WORDS);
    }
}
