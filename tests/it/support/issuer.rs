//! A stand-in for an authorization server: metadata, a key set, and tokens signed with its keys.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// Only for tests. It takes long to make one.
const RSA_KEY: &str = include_str!("issuer/rsa.pem");

/// What tokens are signed with.
pub(crate) enum Key {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// It runs until it is dropped.
pub(crate) struct Issuer {
    /// What tokens name as their issuer.
    pub(crate) url: String,
    keys: Vec<(&'static str, Key)>,
    site: Arc<Site>,
    _serving: AbortOnDropHandle<()>,
}

/// What it serves.
struct Site {
    url: String,
    keys: Mutex<Option<Value>>,
    fetches: AtomicUsize,
}

impl Key {
    pub(crate) fn ed25519() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("randomness");
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key"))
    }

    pub(crate) fn p256() -> Self {
        let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("randomness");
        Self::P256(EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).expect("a key"))
    }

    pub(crate) fn rsa() -> Self {
        let lines = RSA_KEY.lines().filter(|line| !line.starts_with("-----"));
        let document = STANDARD.decode(lines.collect::<String>()).expect("PEM");
        Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(&document).expect("a key")))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "EdDSA",
            Self::P256(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    /// Its public half as a JWK.
    pub(crate) fn public(&self, id: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ed25519(key) => {
                let x = text(key.public_key().as_ref());
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": x, "use": "sig" })
            }
            Self::P256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": text(x), "y": text(y) })
            }
            Self::Rsa(key) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
                let (n, e) = (text(&public.n), text(&public.e));
                json!({ "kty": "RSA", "kid": id, "n": n, "e": e, "alg": "RS256" })
            }
        }
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ed25519(key) => key.sign(text).as_ref().to_vec(),
            Self::P256(key) => key.sign(&random, text).expect("it signs").as_ref().to_vec(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature)
                    .expect("it signs");
                signature
            }
        }
    }

    /// A token with these claims, signed.
    pub(crate) fn token(&self, id: &str, claims: &Value) -> String {
        let header = json!({ "alg": self.algorithm(), "kid": id, "typ": "at+jwt" });
        let text = unsigned(&header, claims);
        let signature = self.sign(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// What is signed of a token.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// Seconds since 1970.
pub(crate) fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is later than 1970").as_secs()
}

impl Issuer {
    /// One with a key of each type, called like its algorithm.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let url = format!("http://{address}");
        let keys = [Key::ed25519(), Key::p256(), Key::rsa()];
        let keys: Vec<_> = keys.into_iter().map(|key| (key.algorithm(), key)).collect();
        let public: Vec<Value> = keys.iter().map(|(id, key)| key.public(id)).collect();
        let site = Arc::new(Site {
            url: url.clone(),
            keys: Mutex::new(Some(json!({ "keys": public }))),
            fetches: AtomicUsize::new(0),
        });
        let routes = Router::new()
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/keys", get(key_set))
            .with_state(Arc::clone(&site));
        let serving = tokio::spawn(async move {
            axum::serve(listener, routes).await.ok();
        });
        Self {
            url,
            keys,
            site,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    /// The section of a configuration that trusts it, with these lines in it.
    pub(crate) fn section(&self, lines: &str) -> String {
        format!("[auth.jwt]\nissuer = \"{}\"\n{lines}\n", self.url)
    }

    /// From now on it has no keys to show.
    pub(crate) fn hide_keys(&self) {
        *self.site.keys.lock().expect("nobody panicked") = None;
    }

    /// How often its keys were fetched.
    pub(crate) fn fetches(&self) -> usize {
        self.site.fetches.load(Ordering::SeqCst)
    }

    /// What a token of `subject` says that is meant for `audience`.
    pub(crate) fn claims(&self, subject: &str, audience: &str, scope: &str) -> Value {
        json!({
            "iss": self.url,
            "sub": subject,
            "aud": audience,
            "exp": seconds() + 600,
            "scope": scope,
        })
    }

    /// A token with these claims, signed with the key of this algorithm.
    pub(crate) fn signed(&self, algorithm: &str, claims: &Value) -> String {
        let mut keys = self.keys.iter();
        let (id, key) = keys.find(|(id, _)| *id == algorithm).expect("it has one");
        key.token(id, claims)
    }

    /// A token of `subject` for `audience`.
    pub(crate) fn token(&self, subject: &str, audience: &str, scope: &str) -> String {
        self.signed("EdDSA", &self.claims(subject, audience, scope))
    }
}

async fn metadata(State(site): State<Arc<Site>>) -> String {
    let keys = format!("{}/keys", site.url);
    json!({ "issuer": site.url, "jwks_uri": keys }).to_string()
}

async fn key_set(State(site): State<Arc<Site>>) -> Result<String, StatusCode> {
    site.fetches.fetch_add(1, Ordering::SeqCst);
    let keys = site.keys.lock().expect("nobody panicked");
    keys.as_ref()
        .map(Value::to_string)
        .ok_or(StatusCode::INTERNAL_SERVER_ERROR)
}
