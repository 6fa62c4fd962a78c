//! The API server: asked within bounds of time and bytes, its refusals put into sentences.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ConfigExt};
use kube::core::Status;
use kube::core::request::Error as NotBuilt;
use kube::{Client, Config};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tower::{BoxError, ServiceBuilder};

use crate::builtin::kubernetes::places::Namespaces;
use crate::builtin::kubernetes::refusal::{Deed, Refusal};
use crate::builtin::kubernetes::secrets::Secrets;
use crate::builtin::kubernetes::settings::{Reached, Settings};
use crate::builtin::kubernetes::words::line;
use crate::plugin::Clock;

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 16 << 20;

/// The largest refusal that is read, in bytes.
const MAX_REFUSAL: usize = 64 << 10;

/// The most letters of a refusal that is no status.
const MAX_LINE: usize = 160;

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(60);

/// A request as the crate `kube` builds it.
pub(super) type Built = Result<http::Request<Vec<u8>>, NotBuilt>;

/// What says which object one is.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    kind: Option<String>,
    metadata: Identity,
}

#[derive(Deserialize)]
struct Identity {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
}

/// A cluster, with what the operator says of it.
pub(super) struct Cluster {
    client: Client,
    /// What is to be told to nobody.
    secrets: Secrets,
    /// Where the API server is, for people: its host and port.
    pub(super) server: String,
    /// The context of the kubeconfig, where there is one.
    context: Option<String>,
    pub(super) namespaces: Namespaces,
    pub(super) clock: Clock,
    /// How long one answer may take.
    pub(super) request_timeout: Duration,
    pub(super) max_log_bytes: usize,
    /// Whether there are tools for nodes.
    pub(super) nodes: bool,
}

impl Cluster {
    /// The cluster that the settings lead to. Nothing is asked of it yet. The mistake names its setting.
    pub(super) async fn of(settings: Settings, clock: Clock) -> Result<Self, String> {
        let Reached { config, context } = settings.cluster().await?;
        let namespaces = Namespaces::new(
            settings.namespaces.clone(),
            settings.default_namespace.as_ref(),
            &config.default_namespace,
        )?;
        let url = &config.cluster_url;
        let host = url.host().unwrap_or_default();
        let server = match url.port_u16() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Self {
            secrets: Secrets::of(&config),
            client: client(&config).map_err(|error| format!("`kubeconfig`: {error}"))?,
            server,
            context,
            namespaces,
            clock,
            request_timeout: settings.request_timeout(),
            max_log_bytes: settings.max_log_bytes,
            nodes: settings.nodes,
        })
    }

    /// Which cluster it is, for who is asked whether something may be done there.
    pub(super) fn words(&self) -> String {
        let server = &self.server;
        match &self.context {
            Some(context) => format!("the cluster at `{server}` (context `{context}`)"),
            None => format!("the cluster at `{server}`, in which this gateway runs"),
        }
    }

    /// Gets the object of this kind that `deed` names. Anything else that is answered is refused: what can be read as an object
    /// with nothing in it would be told as one.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        kind: &str,
        deed: &Deed,
        request: Built,
    ) -> Result<T, Refusal> {
        let body = self.answer(deed, request).await?;
        let head: Head = read(deed, &body)?;
        let metadata = &head.metadata;
        let is_it = metadata.name == deed.name
            && head.kind.as_deref().is_none_or(|given| given == kind)
            && (metadata.namespace.is_none() || metadata.namespace == deed.namespace);
        if !is_it {
            return Err(not_understood(
                deed,
                &format!("it is no {kind} of that name"),
            ));
        }
        read(deed, &body)
    }

    /// Sends a request and reads its answer, an object.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        deed: &Deed,
        request: Built,
    ) -> Result<T, Refusal> {
        read(deed, &self.answer(deed, request).await?)
    }

    async fn answer(&self, deed: &Deed, request: Built) -> Result<Vec<u8>, Refusal> {
        let asking = async {
            let answer = self.open(deed, request).await?;
            self.read(deed, answer, MAX_ANSWER).await
        };
        let within = self.request_timeout;
        let answer = tokio::time::timeout(within, asking).await;
        answer.map_err(|_| Refusal::late(deed, within))?
    }

    /// Sends a request; the answer's body is read by the caller.
    pub(super) async fn begin(&self, deed: &Deed, request: Built) -> Result<Body, Refusal> {
        let within = self.request_timeout;
        let answer = tokio::time::timeout(within, self.open(deed, request)).await;
        answer.map_err(|_| Refusal::late(deed, within))?
    }

    /// The next piece of a body that is read bit by bit; `None` at its end.
    pub(super) async fn piece(
        &self,
        deed: &Deed,
        body: &mut Body,
    ) -> Result<Option<Bytes>, Refusal> {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Refusal::unreachable(deed, &self.server, &error))?;
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    async fn open(&self, deed: &Deed, request: Built) -> Result<Body, Refusal> {
        let request =
            request.map_err(|error| Refusal::new(format!("could not {deed}: {error}")))?;
        let answer = self.client.send(request.map(Body::from)).await;
        let answer = answer.map_err(|error| Refusal::unreachable(deed, &self.server, &error))?;
        let (status, body) = (answer.status(), answer.into_body());
        if status.is_success() {
            return Ok(body);
        }
        let said = self.read(deed, body, MAX_REFUSAL).await?;
        Err(self.told(deed, status.as_u16(), status_in(&said, &self.secrets)))
    }

    /// What the API server said, without what it was shown to let the gateway in.
    pub(super) fn told(&self, deed: &Deed, code: u16, mut status: Status) -> Refusal {
        let hide = |text: &mut String| *text = self.secrets.hide(text);
        hide(&mut status.message);
        hide(&mut status.reason);
        let details = status.details.as_mut();
        for cause in details.map_or(&mut [][..], |details| &mut details.causes) {
            hide(&mut cause.field);
            hide(&mut cause.message);
        }
        Refusal::told(deed, code, &status)
    }

    async fn read(&self, deed: &Deed, mut body: Body, most: usize) -> Result<Vec<u8>, Refusal> {
        let mut read = Vec::new();
        while let Some(piece) = self.piece(deed, &mut body).await? {
            if read.len() + piece.len() > most {
                return Err(Refusal::new(format!(
                    "could not {deed}: the answer is larger than {most} bytes; ask for less"
                )));
            }
            read.extend_from_slice(&piece);
        }
        Ok(read)
    }
}

/// The status in the body of a refusal. Of one that is none, which a proxy may have written, the first line is told.
fn status_in(body: &[u8], secrets: &Secrets) -> Status {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    if value["kind"] == "Status"
        && let Ok(status) = serde_json::from_value(value)
    {
        return status;
    }
    let text = String::from_utf8_lossy(body);
    // Before it is cut: a part of a secret would not be found.
    let text = secrets.hide(text.trim_start());
    Status::failure(&line(text.lines().next().unwrap_or_default(), MAX_LINE), "")
}

fn read<T: DeserializeOwned>(deed: &Deed, body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        // Where it went wrong, and nothing of what is there.
        let (line, column) = (error.line(), error.column());
        not_understood(deed, &format!("line {line}, column {column}"))
    })
}

fn not_understood(deed: &Deed, why: &str) -> Refusal {
    Refusal::new(format!(
        "could not {deed}: the API server's answer is not understood ({why}); does the kubeconfig lead to an API server?"
    ))
}

/// A client without what `kube`'s usual one has beside: it neither sends anything twice nor writes to the log.
fn client(config: &Config) -> kube::Result<Client> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(config.connect_timeout);
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let http = HttpClient::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace.clone()))
}
