//! Which credentials are taken, and for whom.

use super::*;
use crate::front::config::TokenDigest;
use crate::manifest::secret::Secret;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};

const ISSUER: &str = "https://as.example";
const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c";

fn token(name: &str, secret: &[u8]) -> TokenConfig {
    TokenConfig {
        name: name.into(),
        sha256: TokenDigest::new(Sha256::digest(secret).into()),
        plugins: None,
        scopes: Vec::new(),
        read_only: false,
    }
}

#[test]
fn only_a_known_token_names_a_caller() {
    let callers = Callers::new(&AuthConfig {
        tokens: vec![token("ann", b"secret")],
        ..AuthConfig::default()
    });
    let name =
        |found: Result<Arc<Caller>, Unknown>| found.map(|caller| caller.principal.to_string());
    assert_eq!(name(callers.find(Some("Bearer secret"))), Ok("ann".into()));
    for (wrong, why) in [
        (None, Unknown::Missing),
        (Some("Bearer other"), Unknown::Invalid("it is not known")),
        (Some("Bearer a.b.c"), Unknown::Invalid("it is not known")),
        (Some("Basic secret"), Unknown::Missing),
        (Some("secret"), Unknown::Missing),
        (Some(""), Unknown::Missing),
    ] {
        assert_eq!(callers.find(wrong).err(), Some(why), "{wrong:?}");
    }
    let open = Callers::new(&AuthConfig::default());
    assert_eq!(name(open.find(None)), Ok("anonymous".into()));
}

#[test]
fn scopes_of_plugins_bind_a_token_to_them_also_for_tools() {
    let bound = |scopes: &[&str], require| {
        let mut token = token("ann", b"secret");
        token.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        caller_of(&token, require).tools_by_scope
    };
    assert!(!bound(&[], false) && !bound(&["admin", "read"], false));
    assert!(bound(&["ext:x:routes"], false) && bound(&[], true));
}

fn jwt(more: impl FnOnce(&mut JwtConfig)) -> Callers {
    let mut config: JwtConfig =
        serde_json::from_value(json!({ "issuer": ISSUER })).expect("it fits");
    config.secret = Some(Secret::new(SECRET));
    more(&mut config);
    let callers = Callers::new(&AuthConfig {
        tokens: vec![token("ann", b"secret")],
        jwt: Some(config),
        ..AuthConfig::default()
    });
    callers.serve_at(
        &ServerConfig::default(),
        "127.0.0.1:9".parse().expect("an address"),
    );
    callers
}

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": "http://127.0.0.1:9/mcp",
        "sub": "ann",
        "exp": get_current_timestamp() + 600,
    })
}

fn signed(header: &Header, claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    format!(
        "Bearer {}",
        encode(header, claims, &key).expect("it can be signed")
    )
}

async fn verify(callers: &Callers, shown: &str) -> Result<Arc<Caller>, Unknown> {
    assert_eq!(callers.find(Some(shown)).err(), Some(Unknown::Unverified));
    callers.verify(Some(shown)).await
}

#[tokio::test]
async fn a_verified_token_is_a_caller_from_then_on() {
    let callers = jwt(|_| {});
    let mut said = claims();
    said["scope"] = json!("read ext:b:tools  ext:a:tools \"x\" ");
    let shown = signed(&Header::default(), &said);
    let caller = verify(&callers, &shown).await.expect("it is good");
    assert_eq!(&*caller.principal, "https://as.example|ann");
    let expect = ["ext:a:tools", "ext:b:tools", "read"].map(str::to_owned);
    assert_eq!(caller.scopes, Scopes::Only(expect.into()));
    assert!(caller.tools_by_scope && !caller.read_only && caller.plugins.is_none());
    let again = callers.find(Some(&shown)).expect("it is known");
    assert!(Arc::ptr_eq(&again, &caller));
}

/// S15, and RFC 8725: what is not issued for this gateway, by its issuer, for now, is refused, whatever its signature.
#[tokio::test]
async fn a_token_for_others_or_of_others_is_refused() {
    let callers = jwt(|_| {});
    let now = get_current_timestamp();
    for (claim, value, why) in [
        (
            "iss",
            json!("https://as.example/"),
            "it is from another issuer",
        ),
        ("iss", json!([ISSUER]), "it is from another issuer"),
        ("iss", Value::Null, "it must name `iss`, `aud` and `exp`"),
        (
            "aud",
            json!("http://127.0.0.1:9"),
            "it is meant for somebody else",
        ),
        (
            "aud",
            json!(["http://127.0.0.1:9/mcp/", "x"]),
            "it is meant for somebody else",
        ),
        ("aud", Value::Null, "it must name `iss`, `aud` and `exp`"),
        ("exp", json!(now - 31), "it has expired"),
        ("exp", json!("never"), "it must name `iss`, `aud` and `exp`"),
        ("exp", json!(-1), "it must name `iss`, `aud` and `exp`"),
        ("exp", Value::Null, "it must name `iss`, `aud` and `exp`"),
        ("nbf", json!(now + 60), "it is not valid yet"),
        ("nbf", json!("soon"), "it is malformed"),
        ("sub", Value::Null, "it does not say whose it is"),
        ("sub", json!(""), "it does not say whose it is"),
        ("sub", json!("ann\u{1b}[2J"), "it does not say whose it is"),
        ("sub", json!("a".repeat(257)), "it does not say whose it is"),
    ] {
        let mut said = claims();
        said[claim] = value.clone();
        let refused = verify(&callers, &signed(&Header::default(), &said)).await;
        assert_eq!(
            refused.err(),
            Some(Unknown::Invalid(why)),
            "{claim} {value}"
        );
    }
    for good in [
        json!(["x", "http://127.0.0.1:9/mcp"]),
        json!("http://127.0.0.1:9/ext/mcp_http/mcp"),
    ] {
        let mut said = claims();
        said["aud"] = good;
        assert!(
            verify(&callers, &signed(&Header::default(), &said))
                .await
                .is_ok()
        );
    }
}

#[tokio::test]
async fn how_a_token_is_signed_is_not_for_the_token_to_say() {
    let callers = jwt(|_| {});
    let part = |value: &Value| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
    };
    let body = part(&claims());
    let unsigned = |header: &Value| format!("Bearer {}.{body}.", part(header));
    for (shown, why) in [
        (unsigned(&json!({ "alg": "none" })), "it is malformed"),
        (
            unsigned(&json!({ "alg": "NONE", "typ": "JWT" })),
            "it is malformed",
        ),
        (
            unsigned(&json!({ "alg": "HS256" })),
            "its signature is wrong",
        ),
        (
            unsigned(&json!({ "alg": "HS512" })),
            "its algorithm is not accepted",
        ),
        (
            unsigned(&json!({ "alg": "RS256" })),
            "no key of its issuer fits it",
        ),
        ("Bearer ..".to_owned(), "it is malformed"),
        ("Bearer a.b.c".to_owned(), "it is malformed"),
    ] {
        let refused = verify(&callers, &shown).await;
        assert_eq!(refused.err(), Some(Unknown::Invalid(why)), "{shown}");
    }
    let header = Header {
        crit: Some(vec!["b64".to_owned()]),
        ..Header::default()
    };
    let refused = verify(&callers, &signed(&header, &claims())).await;
    let why = "it needs an extension that is not known";
    assert_eq!(refused.err(), Some(Unknown::Invalid(why)));
    let header = Header::new(Algorithm::HS384);
    let refused = verify(&callers, &signed(&header, &claims())).await;
    assert_eq!(
        refused.err(),
        Some(Unknown::Invalid("its algorithm is not accepted"))
    );
    let long = format!("Bearer {}.b.c", "a".repeat(20_000));
    assert_eq!(
        callers.find(Some(&long)).err(),
        Some(Unknown::Invalid("it is not known"))
    );
}

#[tokio::test]
async fn claims_may_have_other_names_and_say_less() {
    let callers = jwt(|config| {
        config.scope_claim = "scp".into();
        config.principal_claim = "email".into();
        config.plugins_claim = Some("plugins".into());
        config.audience = vec!["gate".into()];
        config.read_only = true;
    });
    let mut said = claims();
    said["aud"] = "gate".into();
    said["email"] = "ann@x".into();
    said["scp"] = json!(["admin", 5]);
    let caller = verify(&callers, &signed(&Header::default(), &said)).await;
    let caller = caller.expect("it is good");
    assert_eq!(&*caller.principal, "https://as.example|ann@x");
    assert_eq!(caller.plugins.as_deref(), Some(&[][..]), "it names none");
    assert!(caller.may("admin") && caller.read_only && !caller.tools_by_scope);
    said["plugins"] = json!(["echo", "not an id"]);
    let caller = verify(&callers, &signed(&Header::default(), &said)).await;
    let caller = caller.expect("it is good");
    assert_eq!(
        caller.plugins.as_deref(),
        Some(&["echo".parse().expect("an id")][..])
    );
}
