//! Talking to a gateway that runs.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::background::Supervisor;
use crate::cli::{Context, tokio_runtime};
use crate::wire::sse::Decoder;

/// The variable with the token for a gateway that wants one. Arguments can be seen by everyone on the machine.
pub(super) const TOKEN: &str = "TOOLGATE_TOKEN";

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(3);

/// How long the gateway may take to say something.
const READ: Duration = Duration::from_secs(30);

/// How long the gateway may take to do something: plugins are started, some are built first.
const ACT: Duration = Duration::from_secs(300);

/// The most bytes of an answer.
const MAX_ANSWER: usize = 64 << 20;

/// The most bytes of one event.
const MAX_EVENT: usize = 1 << 20;

/// Which gateway is asked.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct At {
    /// The address of the gateway, such as `http://127.0.0.1:8080`. [default: `server.listen` of the configuration]
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
}

impl At {
    /// Whether a certain one is meant, as opposed to that of the configuration.
    pub(super) fn is_named(&self) -> bool {
        self.gateway.is_some()
    }
}

/// A gateway that runs somewhere.
pub(super) struct Gateway {
    authority: String,
    token: Option<String>,
    supervisor: Supervisor,
}

/// Why a gateway gave no answer that could be used.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Nothing listens there.
    Nobody(String),
    /// It refused, or did not answer as it should: this sentence says how.
    Refused(String),
}

impl Unanswered {
    pub(super) fn message(self) -> String {
        match self {
            Self::Nobody(message) | Self::Refused(message) => message,
        }
    }
}

impl Gateway {
    /// The one that `at` names, or that the configuration is for.
    pub(super) fn find(context: &Context<'_>, at: &At) -> Result<Self, String> {
        let authority = match &at.gateway {
            Some(url) => authority(url)?,
            None => {
                let loaded = context.load().map_err(|problems| problems.to_string())?;
                loaded.config.server.listen.to_string()
            }
        };
        Ok(Self::at(context, authority))
    }

    /// The one at this host and port.
    pub(super) fn at(context: &Context<'_>, authority: String) -> Self {
        Self {
            authority,
            token: context.env.get(TOKEN).map(str::to_owned),
            supervisor: Supervisor::new(),
        }
    }

    /// The version of the gateway, as far as it tells: that needs a token where there are some. `Err` where none answers.
    pub(super) async fn version(&self) -> Result<Option<String>, Unanswered> {
        let (status, text) = self.exchange(Method::GET, "/health", None).await?;
        let health: Value = serde_json::from_slice(&text).unwrap_or_default();
        let is_ours = matches!(
            health["status"].as_str(),
            Some("starting" | "ready" | "stopping")
        );
        match status == 200 && is_ours {
            true => Ok(health["version"].as_str().map(str::to_owned)),
            false => Err(Unanswered::Nobody(format!(
                "what answers at http://{} is no toolgate: HTTP {status}",
                self.authority
            ))),
        }
    }

    /// Where it is asked.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// Asks for something under `/api/v1/plugin/`.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Unanswered> {
        self.ask(Method::GET, path, None).await
    }

    /// Wants something done under `/api/v1/plugin/`.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Unanswered> {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// The `data` of an answer.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Unanswered> {
        let path = format!("/api/v1/plugin/{path}");
        let (status, text) = self.exchange(method, &path, body).await?;
        let strange = || {
            let message = format!(
                "what answers at http://{} is no toolgate: HTTP {status}",
                self.authority
            );
            Unanswered::Refused(message)
        };
        let mut answer: Value = serde_json::from_slice(&text).map_err(|_| strange())?;
        if status == 401 {
            let message = format!(
                "the gateway at http://{} wants a token: set {TOKEN}; `toolgate token new` makes one",
                self.authority
            );
            return Err(Unanswered::Refused(message));
        }
        match (
            answer.get("code").and_then(Value::as_u64),
            answer.get("message"),
        ) {
            (Some(0), _) => Ok(answer["data"].take()),
            (Some(_), Some(Value::String(message))) => Err(Unanswered::Refused(message.clone())),
            _ => match answer.pointer("/error/message") {
                Some(Value::String(message)) => Err(Unanswered::Refused(message.clone())),
                _ => Err(strange()),
            },
        }
    }

    /// The whole answer to a request at a path.
    pub(super) async fn whole(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Unanswered> {
        let (status, text) = self.exchange(method, path, body).await?;
        self.read(status, &text)
    }

    /// The answer, or the sentence with which it was refused.
    fn read(&self, status: u16, text: &[u8]) -> Result<Value, Unanswered> {
        let answer: Value = serde_json::from_slice(text).unwrap_or_default();
        if (200..300).contains(&status) && !answer.is_null() {
            return Ok(answer);
        }
        let why = answer["message"].as_str();
        let why = why.or(answer.pointer("/error/message").and_then(Value::as_str));
        Err(Unanswered::Refused(match why {
            Some(why) => why.to_owned(),
            None => format!(
                "what answers at http://{} is no toolgate: HTTP {status}",
                self.authority
            ),
        }))
    }

    /// Hands the events of a stream over as they come, until it ends or `take` says `false`.
    pub(super) async fn events(
        &self,
        path: &str,
        mut take: impl FnMut(&str, &Value) -> bool,
    ) -> Result<(), Unanswered> {
        let response = self.begin(Method::GET, path, None).await?;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        if status != 200 {
            let text = Limited::new(body, MAX_ANSWER).collect().await;
            let text = text.map(|text| text.to_bytes()).unwrap_or_default();
            return self.read(status, &text).map(drop);
        }
        let mut decoder = Decoder::new(MAX_EVENT);
        while let Some(frame) = body.frame().await {
            let ended = |err: hyper::Error| Unanswered::Refused(format!("the stream ended: {err}"));
            let Ok(mut chunk) = frame.map_err(ended)?.into_data() else {
                continue;
            };
            while let Some(event) = decoder.next_event(&mut chunk) {
                // One that is too long is nothing to end for.
                let Ok(event) = event else { continue };
                let data = serde_json::from_slice(&event.data).unwrap_or_default();
                if !take(event.event.as_deref().unwrap_or("message"), &data) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// One request and its answer, within a bound.
    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Bytes), Unanswered> {
        let (bound, then) = match method {
            Method::GET => (READ, ""),
            _ => (ACT, "; it may still be at it"),
        };
        let exchange = self.send(method, path, body);
        let in_time = tokio::time::timeout(bound, exchange).await;
        in_time.unwrap_or_else(|_| {
            let (authority, seconds) = (&self.authority, bound.as_secs());
            Err(Unanswered::Refused(format!(
                "the gateway at http://{authority} has not answered within {seconds} s{then}"
            )))
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Bytes), Unanswered> {
        let response = self.begin(method, path, body).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER);
        let text = body.collect().await.map_err(|err| {
            let authority = &self.authority;
            Unanswered::Refused(format!("the answer of http://{authority} broke off: {err}"))
        })?;
        Ok((status, text.to_bytes()))
    }

    /// Sends a request; gives the beginning of the answer.
    async fn begin(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>, Unanswered> {
        let why_not = |why: String| {
            format!(
                "no gateway answers at http://{}: {why}; `toolgate serve` starts one",
                self.authority
            )
        };
        let failed = |why: String| Unanswered::Refused(why_not(why));
        let connected = tokio::time::timeout(CONNECT, TcpStream::connect(&self.authority)).await;
        let stream = connected
            .map_err(|_| failed("it took too long".to_owned()))?
            .map_err(|err| match err.kind() {
                ErrorKind::ConnectionRefused => Unanswered::Nobody(why_not(err.to_string())),
                _ => failed(err.to_string()),
            })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|err| failed(err.to_string()))?;
        self.supervisor.spawn("connection", |_| async move {
            // How it ended shows in the answer.
            connection.await.ok();
        });
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let bytes = body.map(|body| Bytes::from(body.to_string()));
        if bytes.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(bytes.unwrap_or_default()))
            .map_err(|err| Unanswered::Refused(format!("the token cannot be sent: {err}")))?;
        let sent = sender.send_request(request).await;
        sent.map_err(|err| failed(err.to_string()))
    }
}

/// Asks the gateway that runs for something at any path that answers JSON as it is.
pub(super) fn ask_json(
    context: &Context<'_>,
    at: &At,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Unanswered> {
    let gateway = Gateway::find(context, at).map_err(Unanswered::Refused)?;
    let runtime = tokio_runtime(Some(1))
        .map_err(|_| Unanswered::Refused("the program cannot start".to_owned()))?;
    runtime.block_on(gateway.whole(method, path, body))
}

/// Host and port of a URL.
fn authority(url: &str) -> Result<String, String> {
    let wrong = |why: &str| format!("`--gateway {url}` {why}; write it as `http://127.0.0.1:8080`");
    let url: Uri = url.parse().map_err(|_| wrong("is no URL"))?;
    match url.scheme_str() {
        Some("http") | None => {}
        Some(_) => return Err(wrong("must begin with `http://`")),
    }
    let host = url.host().ok_or_else(|| wrong("names no host"))?;
    Ok(format!("{host}:{}", url.port_u16().unwrap_or(80)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let check = |url: &str, expect: &str| assert_eq!(authority(url).as_deref(), Ok(expect));
        check("http://127.0.0.1:8080", "127.0.0.1:8080");
        check("http://[::1]:9000/", "[::1]:9000");
        check("localhost:80", "localhost:80");
        check("http://gate", "gate:80");
        assert!(authority("https://x").is_err_and(|err| err.contains("http://")));
        assert!(authority("/x").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_says_nothing_is_not_waited_for_for_ever() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let gateway = |authority| Gateway {
            authority,
            token: None,
            supervisor: Supervisor::new(),
        };
        let silent = gateway(address.to_string());
        let told = silent.get("list").await.expect_err("it is silent");
        assert!(
            matches!(&told, Unanswered::Refused(told) if told.contains("within 30 s")),
            "{told:?}"
        );
        let told = silent.post("start", &Value::Null).await;
        let told = told.expect_err("it is silent").message();
        assert!(told.contains("may still be at it"), "{told}");
        drop(listener);
        let told = silent.get("list").await.expect_err("nobody listens");
        assert!(matches!(told, Unanswered::Nobody(_)), "{told:?}");
    }
}
