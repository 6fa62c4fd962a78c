//! How connections to remote servers are made: names resolved, addresses checked, TLS verified, all within one budget.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::Uri;
use http::uri::Scheme;
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{CertificateError, ClientConfig};
use tokio::net::TcpStream;
use tower::Service;

/// A client with a pool of kept connections.
pub(super) type Http = Client<Connector, Full<Bytes>>;

/// How long an unused connection is kept. The usual servers close theirs after five seconds; a request that meets the
/// closing half-way is lost and may not be sent again, so ours go first.
const IDLE: Duration = Duration::from_secs(4);

/// How many unused connections to one server are kept.
const MAX_IDLE: usize = 256;

/// A client whose connections are made within `budget`.
pub(super) fn client(tls: &Tls, budget: Duration) -> Http {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MAX_IDLE)
        .build(Connector::new(tls, budget))
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector<Resolver>,
    tls: Tls,
    budget: Duration,
}

/// Whom we trust: the certificates of the operating system, read when they are first needed.
#[derive(Clone, Default)]
pub(super) struct Tls(Arc<OnceLock<Result<Arc<ClientConfig>, ConnectError>>>);

/// Why there is no connection.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(super) struct ConnectError {
    /// A stable word for programs.
    pub(super) reason: &'static str,
    /// What happened and what to do, for a person.
    pub(super) message: String,
}

impl ConnectError {
    fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

impl Connector {
    /// Makes connections within `budget`.
    pub(super) fn new(tls: &Tls, budget: Duration) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(budget));
        Self {
            tcp,
            tls: tls.clone(),
            budget,
        }
    }
}

impl Tls {
    fn config(&self) -> Result<Arc<ClientConfig>, ConnectError> {
        self.0.get_or_init(Self::load).clone()
    }

    fn load() -> Result<Arc<ClientConfig>, ConnectError> {
        let failed = |err: &dyn Error| {
            ConnectError::new(
                "tls_no_roots",
                format!("the trusted certificates of this machine cannot be read: {err}"),
            )
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|err| failed(&err))?
            .with_native_roots()
            .map_err(|err| failed(&err))?
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    /// Trusts `roots` and nobody else.
    #[cfg(test)]
    pub(super) fn trusting(roots: rustls::RootCertStore) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(Arc::new(OnceLock::from(Ok(Arc::new(config)))))
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Self::Response, ConnectError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let encrypted = to.scheme() == Some(&Scheme::HTTPS);
        let (mut tcp, tls, budget) = (self.tcp.clone(), self.tls.clone(), self.budget);
        let connecting = async move {
            if encrypted {
                let connected = HttpsConnector::from((tcp, tls.config()?)).call(to).await;
                return connected.map_err(|err| classify(&*err, budget));
            }
            let connected = tcp.call(to).await;
            connected
                .map(MaybeHttpsStream::Http)
                .map_err(|err| classify(&err, budget))
        };
        Box::pin(async move {
            let in_time = tokio::time::timeout(budget, connecting).await;
            in_time.unwrap_or_else(|_| Err(too_late(budget)))
        })
    }
}

fn too_late(budget: Duration) -> ConnectError {
    ConnectError::new(
        "connect_timeout",
        format!(
            "no connection within {} ms (`mcp_http.connect_timeout_ms`)",
            budget.as_millis()
        ),
    )
}

/// Resolves names, and refuses addresses that a name has no business to lead to. An address that stands in the
/// configured URL itself does not come here.
#[derive(Clone)]
struct Resolver;

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Self::Response, ConnectError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let unknown = || ConnectError::new("dns_failure", "its name cannot be resolved");
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            permitted(found.map_err(|_| unknown())?.collect(), unknown)
        })
    }
}

fn permitted(
    found: Vec<SocketAddr>,
    unknown: impl Fn() -> ConnectError,
) -> Result<std::vec::IntoIter<SocketAddr>, ConnectError> {
    if found.is_empty() {
        return Err(unknown());
    }
    match found.iter().find(|address| is_forbidden(address.ip())) {
        None => Ok(found.into_iter()),
        Some(address) => Err(ConnectError::new(
            "address_refused",
            format!(
                "its name leads to {}, where no MCP server can be; write the address into the URL if it is meant",
                address.ip()
            ),
        )),
    }
}

/// Link-local addresses, among them the metadata services of clouds, and what is no address of one machine.
pub(super) fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_forbidden_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(inner) => is_forbidden_v4(inner),
            None => {
                address.is_unspecified()
                    || address.is_multicast()
                    || address.is_unicast_link_local()
                    || address == METADATA_V6
            }
        },
    }
}

/// The metadata service of Amazon over IPv6.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// Metadata services that are not link-local: Alibaba, Azure's wire server, Oracle's first.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

fn is_forbidden_v4(address: Ipv4Addr) -> bool {
    address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.octets()[0] == 0
        || METADATA_V4.contains(&address)
}

/// The IPv4 address inside a mapped one (`::ffff:0:0/96`) or one for translation (`64:ff9b::/96`).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., high, low] = address.segments();
    let translated = address.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    address
        .to_ipv4_mapped()
        .or_else(|| translated.then_some(Ipv4Addr::new(a, b, c, d)))
}

/// Finds out what kept a connection from being made.
fn classify(err: &(dyn Error + 'static), budget: Duration) -> ConnectError {
    if let Some(known) = find::<ConnectError>(err) {
        return known.clone();
    }
    if let Some(tls) = find::<rustls::Error>(err) {
        return classify_tls(tls);
    }
    let kind = find::<io::Error>(err).map_or(io::ErrorKind::Other, io::Error::kind);
    match kind {
        io::ErrorKind::ConnectionRefused => ConnectError::new(
            "connect_refused",
            "nobody listens there; is the server running?",
        ),
        io::ErrorKind::TimedOut => too_late(budget),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            ConnectError::new("connect_unreachable", "there is no way to that machine")
        }
        _ => ConnectError::new("connect_failed", format!("no connection: {err}")),
    }
}

fn classify_tls(err: &rustls::Error) -> ConnectError {
    use CertificateError as Bad;
    let rustls::Error::InvalidCertificate(bad) = err else {
        return match err {
            rustls::Error::AlertReceived(alert) => ConnectError::new(
                "tls_refused",
                format!("it refuses the TLS handshake ({alert:?})"),
            ),
            rustls::Error::InvalidMessage(_) => {
                ConnectError::new("tls_not_spoken", "it does not speak TLS; is it `http://`?")
            }
            other => ConnectError::new("tls_failed", format!("the TLS handshake failed: {other}")),
        };
    };
    let (reason, message) = match bad {
        Bad::Expired | Bad::ExpiredContext { .. } => ("tls_expired", "its certificate has expired"),
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            ("tls_not_valid_yet", "its certificate is not valid yet")
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
            ("tls_wrong_name", "its certificate is for another name")
        }
        Bad::UnknownIssuer => (
            "tls_unknown_issuer",
            "its certificate comes from nobody that this machine trusts",
        ),
        Bad::Revoked => ("tls_revoked", "its certificate has been revoked"),
        other => {
            return ConnectError::new(
                "tls_bad_certificate",
                format!("its certificate is not acceptable: {other}"),
            );
        }
    };
    ConnectError::new(reason, message)
}

/// The first error of type `T` in the chain of causes, those inside I/O errors included.
pub(super) fn find<'a, T: Error + 'static>(err: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(err);
    while let Some(err) = next {
        if let Some(found) = err.downcast_ref() {
            return Some(found);
        }
        let inner = err.downcast_ref().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => err.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_must_not_lead_to_a_metadata_service() {
        let table = [
            ("127.0.0.1", false),
            ("::1", false),
            ("10.1.2.3", false),
            ("192.168.1.1", false),
            ("93.184.216.34", false),
            ("169.254.169.254", true),
            ("169.254.0.1", true),
            ("100.100.100.200", true),
            ("0.0.0.0", true),
            ("224.0.0.1", true),
            ("255.255.255.255", true),
            ("fe80::1", true),
            ("fd00:ec2::254", true),
            ("fd00::1", false),
            ("ff02::1", true),
            ("::", true),
            ("::ffff:169.254.169.254", true),
            ("::ffff:127.0.0.1", false),
            ("64:ff9b::a9fe:a9fe", true),
            ("2606:4700::1111", false),
        ];
        for (address, forbidden) in table {
            let parsed = address.parse().expect("an address");
            assert_eq!(is_forbidden(parsed), forbidden, "{address}");
        }
    }

    #[test]
    fn one_forbidden_address_among_several_refuses_the_name() {
        let none = || ConnectError::new("dns_failure", "");
        let address = |text: &str| SocketAddr::new(text.parse().expect("an address"), 0);
        let good = vec![address("127.0.0.1"), address("::1")];
        assert_eq!(
            permitted(good.clone(), none).map(Iterator::count).ok(),
            Some(2)
        );
        let mixed = [good, vec![address("169.254.169.254")]].concat();
        assert_eq!(
            permitted(mixed, none).expect_err("refused").reason,
            "address_refused"
        );
        assert_eq!(
            permitted(Vec::new(), none).expect_err("refused").reason,
            "dns_failure"
        );
    }

    #[test]
    fn every_way_to_fail_has_its_reason() {
        let certificate = |bad| rustls::Error::InvalidCertificate(bad);
        let nested =
            |err: rustls::Error| io::Error::other(io::Error::new(io::ErrorKind::InvalidData, err));
        let table = [
            (
                nested(certificate(CertificateError::Expired)),
                "tls_expired",
            ),
            (
                nested(certificate(CertificateError::NotValidForName)),
                "tls_wrong_name",
            ),
            (
                nested(certificate(CertificateError::UnknownIssuer)),
                "tls_unknown_issuer",
            ),
            (
                nested(certificate(CertificateError::BadEncoding)),
                "tls_bad_certificate",
            ),
            (
                nested(rustls::Error::InvalidMessage(
                    rustls::InvalidMessage::InvalidContentType,
                )),
                "tls_not_spoken",
            ),
            (io::ErrorKind::ConnectionRefused.into(), "connect_refused"),
            (io::ErrorKind::TimedOut.into(), "connect_timeout"),
            (io::ErrorKind::HostUnreachable.into(), "connect_unreachable"),
            (io::ErrorKind::PermissionDenied.into(), "connect_failed"),
        ];
        for (err, reason) in table {
            assert_eq!(classify(&err, IDLE).reason, reason, "{err:?}");
        }
    }
}
