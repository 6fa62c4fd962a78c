//! When keys are fetched, and what is taken for a key.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;

use futures::future::BoxFuture;
use http::{Request, Response};
use serde_json::json;

use super::*;
use crate::model::fault::{Fault, FaultKind};
use crate::plugin::Fetch;

const ISSUER: &str = "https://as.example/realm";

/// Answers from a table, and counts.
#[derive(Default)]
struct Web {
    pages: Mutex<HashMap<String, (u16, Vec<u8>)>>,
    asked: Mutex<Vec<String>>,
    fetches: AtomicUsize,
}

impl Web {
    fn put(&self, url: &str, status: u16, body: impl Into<Vec<u8>>) {
        let mut pages = self.pages.lock().expect("nobody panicked");
        pages.insert(url.to_owned(), (status, body.into()));
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("nobody panicked"))
    }
}

struct Client(Arc<Web>);

impl Fetch for Client {
    fn fetch(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, Fault>> {
        let url = request.uri().to_string();
        self.0.fetches.fetch_add(1, Ordering::SeqCst);
        self.0
            .asked
            .lock()
            .expect("nobody panicked")
            .push(url.clone());
        let page = self
            .0
            .pages
            .lock()
            .expect("nobody panicked")
            .get(&url)
            .cloned();
        Box::pin(async move {
            let (status, body) =
                page.ok_or_else(|| Fault::new(FaultKind::Unavailable, "nobody is there"))?;
            let mut answer = Response::new(Bytes::from(body));
            *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
            Ok(answer)
        })
    }
}

fn source(web: &Arc<Web>, jwks: Option<&str>) -> Arc<Source> {
    let config = json!({ "issuer": ISSUER, "jwks": jwks });
    let config: JwtConfig = serde_json::from_value(config).expect("it fits");
    let http = HttpClient::new(Arc::new(Client(Arc::clone(web))));
    Source::with(&config, Place::of(&config), Some(http))
}

fn key(id: &str) -> Value {
    // The example of RFC 8037, appendix A.
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": x })
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn has(id: &'static str) -> impl Fn(&Keys) -> bool {
    move |keys| keys.fitting(Some(id), Algorithm::EdDSA).next().is_some()
}

/// S15: a flood of keys that nobody knows does not become a flood of fetches.
#[tokio::test(start_paused = true)]
async fn an_unknown_key_has_the_set_fetched_again_but_not_often() {
    let url = "https://as.example/keys";
    let web = Arc::new(Web::default());
    web.put(url, 200, set(&[key("a")]));
    let source = source(&web, Some(url));
    let supervisor = Supervisor::new();
    source.keep(&supervisor);
    let fetches = || web.fetches.load(Ordering::SeqCst);
    let found = async |id| {
        let keys = source.keys_with(has(id)).await;
        keys.is_some_and(|(keys, _)| has(id)(&keys))
    };
    // The first request waits for the first set.
    assert!(found("a").await);
    assert_eq!(fetches(), 1);
    web.put(url, 200, set(&[key("b")]));
    for _ in 0..100 {
        assert!(!found("b").await, "it was fetched a moment ago");
    }
    assert_eq!(fetches(), 1);
    tokio::time::advance(AGAIN).await;
    let before = source.generation();
    assert!(found("b").await, "it is fetched for the one that asks");
    assert_eq!((fetches(), source.generation()), (2, before + 1));
    assert!(!found("a").await, "a key that was taken out is gone");
    tokio::time::advance(Duration::from_secs(301)).await;
    tokio::task::yield_now().await;
    assert!(found("b").await);
    assert_eq!(
        (fetches(), source.generation()),
        (3, before + 1),
        "nothing new"
    );
    assert!(supervisor.stop(Duration::from_secs(1)).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn keys_that_cannot_be_had_are_tried_again_and_nobody_waits_for_them() {
    let url = "https://as.example/keys";
    let web = Arc::new(Web::default());
    let source = source(&web, Some(url));
    let supervisor = Supervisor::new();
    source.keep(&supervisor);
    assert!(source.keys_with(has("a")).await.is_none());
    let standing = source.standing();
    assert!(!standing.has_keys && standing.trouble.is_some_and(|why| why.contains("nobody")));
    let begun = Instant::now();
    assert!(source.keys_with(has("a")).await.is_none());
    assert!(
        begun.elapsed() < Duration::from_millis(1),
        "after the first try nobody waits"
    );
    web.put(url, 200, set(&[key("a")]));
    tokio::time::sleep(RETRY[0] * 2).await;
    assert!(source.keys_with(has("a")).await.is_some());
    // What comes then and cannot be read leaves the keys as they are.
    for (status, body) in [
        (500, set(&[key("c")])),
        (302, String::new()),
        (200, "{".to_owned()),
        (200, set(&[])),
        (200, set(&[json!({ "kty": "oct", "k": "c2VjcmV0" })])),
        (
            200,
            format!("{}{}", set(&[key("c")]), " ".repeat(MAX_BYTES)),
        ),
    ] {
        web.put(url, status, body);
        assert!(!source.fetch().await);
        assert!(source.standing().has_keys && source.standing().trouble.is_some());
        assert!(source.keys_with(has("a")).await.is_some());
    }
    assert!(supervisor.stop(Duration::from_secs(1)).await.is_empty());
}

#[tokio::test]
async fn the_metadata_of_an_issuer_says_where_its_keys_are_if_it_is_that_issuers() {
    let oauth = "https://as.example/.well-known/oauth-authorization-server/realm";
    let openid = "https://as.example/realm/.well-known/openid-configuration";
    let inserted = "https://as.example/.well-known/openid-configuration/realm";
    let keys = "https://keys.example/k";
    let metadata =
        |issuer: &str, keys: &str| json!({ "issuer": issuer, "jwks_uri": keys }).to_string();
    let web = Arc::new(Web::default());
    web.put(keys, 200, set(&[key("a")]));
    let fetched = async || {
        let source = source(&web, None);
        let is_well = source.fetch().await;
        (
            is_well,
            source.standing().trouble.unwrap_or_default(),
            web.asked(),
        )
    };
    let (is_well, _, asked) = fetched().await;
    assert!(!is_well);
    assert_eq!(asked, [oauth, inserted, openid]);
    web.put(openid, 200, metadata(ISSUER, keys));
    let (is_well, _, asked) = fetched().await;
    assert!(is_well);
    assert_eq!(asked, [oauth, inserted, openid, keys]);
    for (issuer, keys, expect) in [
        ("https://as.example", keys, "another issuer"),
        ("https://as.example/realm/", keys, "another issuer"),
        (ISSUER, "http://keys.example/k", "not an `https://`"),
        (ISSUER, "file:///etc/passwd", "not an `https://`"),
    ] {
        web.put(oauth, 200, metadata(issuer, keys));
        let (is_well, why, _) = fetched().await;
        assert!(!is_well && why.contains(expect), "{why}");
    }
    web.put(oauth, 200, metadata(ISSUER, keys));
    assert_eq!(fetched().await.2, [oauth, keys]);
}

#[test]
fn keys_are_for_what_their_type_is_for() {
    let all = [
        Algorithm::RS256,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::EdDSA,
        Algorithm::HS256,
    ];
    let fits = |key: Value, algorithm| {
        let keys = Keys::of([key], &all);
        keys.is_ok_and(|keys| keys.fitting(None, algorithm).next().is_some())
    };
    let with = |name: &str, value: Value| {
        let mut key = key("a");
        key[name] = value;
        key
    };
    assert!(fits(key("a"), Algorithm::EdDSA));
    for algorithm in [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256] {
        assert!(!fits(key("a"), algorithm), "{algorithm:?}");
    }
    assert!(fits(with("alg", json!("EdDSA")), Algorithm::EdDSA));
    assert!(!fits(with("alg", json!("ES256")), Algorithm::EdDSA));
    assert!(fits(with("use", json!("sig")), Algorithm::EdDSA));
    assert!(!fits(with("use", json!("enc")), Algorithm::EdDSA));
    assert!(!fits(with("key_ops", json!(["sign"])), Algorithm::EdDSA));
    let weak = json!({ "kty": "RSA", "e": "AQAB", "n": "A".repeat(171) });
    assert!(!fits(weak, Algorithm::RS256), "1024 bits can be broken");
    let oct = json!({ "kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0" });
    assert!(
        !fits(oct, Algorithm::HS256),
        "a public set holds no secrets"
    );
}
