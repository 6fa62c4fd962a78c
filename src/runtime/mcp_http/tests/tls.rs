//! Certificates: every bad one is told apart, and none is let through. `tls/make` made them.

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerConfig;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const AUTHORITY: &[u8] = include_bytes!("tls/authority.pem");
const KEY: &[u8] = include_bytes!("tls/leaf.key.pem");
const GOOD: &[u8] = include_bytes!("tls/good.pem");

fn certificate(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).expect("a certificate")
}

fn authority() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(AUTHORITY)).expect("an authority");
    roots
}

/// The fault of a start with a server that shows `leaf` and then says nothing; and how many connections it took.
async fn fault_of(leaf: &[u8], roots: RootCertStore) -> (Fault, usize) {
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate(leaf)], key)
        .expect("a key for the certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let runtime = McpHttp {
        tls: Tls::trusting(roots),
        ..runtime()
    };
    let mut n_taken = 0;
    let serving = async {
        loop {
            let (socket, _) = listener.accept().await.expect("it listens");
            n_taken += 1;
            // One that fails is what most of these tests want.
            drop(acceptor.accept(socket).await);
        }
    };
    let manifest = manifest(&format!("https://{address}/mcp"), "", "era = \"legacy\"");
    let fault = tokio::select! {
        started = start_with(&runtime, manifest) => started.err().expect("a fault"),
        () = serving => unreachable!("it serves for ever"),
    };
    (fault, n_taken)
}

/// S22.
#[tokio::test]
async fn bad_certificates_are_told_apart() {
    let table: [(&[u8], RootCertStore, &str); 4] = [
        (
            include_bytes!("tls/expired.pem"),
            authority(),
            "tls_expired",
        ),
        (
            include_bytes!("tls/early.pem"),
            authority(),
            "tls_not_valid_yet",
        ),
        (
            include_bytes!("tls/other.pem"),
            authority(),
            "tls_wrong_name",
        ),
        (GOOD, RootCertStore::empty(), "tls_unknown_issuer"),
    ];
    for (leaf, roots, reason) in table {
        let (fault, n_taken) = fault_of(leaf, roots).await;
        assert_eq!((fault.kind, fault.reason), (FaultKind::Unavailable, reason));
        assert!(fault.message.contains("certificate"), "{fault}");
        assert_eq!(n_taken, 1, "one attempt: {fault}");
    }
}

#[tokio::test]
async fn a_good_certificate_is_taken() {
    // The connection is made; what fails is the conversation on it.
    let (fault, _) = fault_of(GOOD, authority()).await;
    assert_eq!(fault.reason, "upstream_reset", "{fault}");
}
