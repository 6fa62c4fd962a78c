//! What is wrong with credentials, although each value for itself is fine.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use crate::front::auth::{check_keys, is_safe};
use crate::front::config::{AuthConfig, JwtConfig, ServerConfig};
use crate::manifest::check::in_range;
use crate::manifest::decode::{Report, in_list, path};

/// The shortest secret, in bytes (RFC 7518 section 3.2).
const MIN_SECRET: usize = 32;

/// Tokens nobody may use: they can be guessed, or stand in examples.
const KNOWN_TOKENS: [&str; 18] = [
    "",
    "0123456789abcdef0123456789abcdef",
    "admin",
    "change-me",
    "change-me-change-me-change-me-change-me",
    "changeme",
    "default",
    "example",
    "my-secret-token",
    "password",
    "secret",
    "secret-api-key",
    "your-256-bit-secret",
    "your-256-bit-secret-your-256-bit-secret",
    "test",
    "token",
    "toolgate",
    "your-token-here",
];

/// Notes what is wrong with `[auth]`.
pub(super) fn check(auth: &AuthConfig, server: &ServerConfig, report: &mut Report<'_>) {
    check_tokens(auth, report);
    for (at, scope) in auth.scopes_supported.iter().flatten().enumerate() {
        check_scope(
            scope,
            &in_list(&["auth", "scopes_supported"], at, &[]),
            report,
        );
    }
    for (at, server) in auth.authorization_servers.iter().enumerate() {
        if !is_safe(server) {
            let at = in_list(&["auth", "authorization_servers"], at, &[]);
            report.add(
                &at,
                "expected an `https://` URL; `http://` only for this machine",
            );
        }
    }
    if let Some(jwt) = &auth.jwt {
        check_jwt(jwt, report);
        check_audience(jwt, server, report);
    }
}

fn check_jwt(jwt: &JwtConfig, report: &mut Report<'_>) {
    let at = |key: &str| path(["auth", "jwt", key]);
    if !is_safe(&jwt.issuer) {
        let message = "expected an `https://` URL; `http://` only for this machine";
        let mend = "write the issuer to the letter as it stands in the claim `iss` of its tokens";
        report.add_with_mend(&at("issuer"), message, mend);
    }
    if let Some(place) = jwt.jwks.as_ref().filter(|place| place.contains("://"))
        && !is_safe(place)
    {
        let message = "keys are fetched over `https://`; `http://` only from this machine";
        report.add(&at("jwks"), message);
    }
    for (key, claim) in [
        ("scope_claim", &jwt.scope_claim),
        ("principal_claim", &jwt.principal_claim),
    ] {
        if claim.is_empty() {
            report.add(&at(key), "the name of a claim is empty");
        }
    }
    for (at, audience) in jwt.audience.iter().enumerate() {
        if audience.is_empty() {
            let at = in_list(&["auth", "jwt", "audience"], at, &[]);
            report.add(&at, "an empty audience is nobody");
        }
    }
    in_range(report, &at("leeway_s"), jwt.leeway_s, 0, 300);
    in_range(report, &at("refresh_s"), jwt.refresh_s, 30, 86_400);
    check_algorithms(jwt, report);
    check_secret(jwt, report);
    if let Err(why) = check_keys(jwt) {
        let key = if jwt.keys.is_empty() { "jwks" } else { "keys" };
        let mend = "write a JWK set with a public key of type RSA (2048 bits or more), P-256, P-384 or Ed25519";
        report.add_with_mend(&at(key), why, mend);
    }
}

/// Whoever knows the public key must not be able to sign with it, so a shared secret and public keys are not mixed up.
fn check_algorithms(jwt: &JwtConfig, report: &mut Report<'_>) {
    let Some(algorithms) = &jwt.algorithms else {
        return;
    };
    let at = path(["auth", "jwt", "algorithms"]);
    let is_symmetric = algorithms.iter().any(|one| one.is_symmetric());
    if algorithms.is_empty() {
        report.add(&at, "with no algorithm no token is accepted");
    } else if is_symmetric && jwt.secret.is_none() {
        let mend = "give it the `secret`, or take the `HS` algorithms out";
        report.add_with_mend(&at, "an `HS` algorithm needs a `secret`", mend);
    } else if !is_symmetric && jwt.secret.is_some() {
        let mend = "add `HS256`, or take the `secret` out";
        report.add_with_mend(
            &at,
            "a `secret` is for `HS` algorithms, and none is accepted",
            mend,
        );
    }
}

fn check_secret(jwt: &JwtConfig, report: &mut Report<'_>) {
    let Some(secret) = &jwt.secret else {
        return;
    };
    let secret = secret.expose();
    let message = if secret.len() < MIN_SECRET {
        "the secret has less than 32 bytes, so it can be guessed"
    } else if KNOWN_TOKENS.contains(&secret) || is_monotonous(secret) {
        "this secret is one everybody knows"
    } else {
        return;
    };
    let mend = "make one, for example with `openssl rand -hex 32`, and hand it in by a variable: `\"${JWT_SECRET}\"`";
    report.add_with_mend(&path(["auth", "jwt", "secret"]), message, mend);
}

/// Whether it is one character over and over.
fn is_monotonous(secret: &str) -> bool {
    let mut bytes = secret.bytes();
    bytes
        .next()
        .is_some_and(|first| bytes.all(|byte| byte == first))
}

/// Without a name of its own a gateway on all addresses cannot say whom tokens must be for.
fn check_audience(jwt: &JwtConfig, server: &ServerConfig, report: &mut Report<'_>) {
    let is_anywhere = server.listen.ip().to_canonical().is_unspecified();
    if is_anywhere && server.public_url.is_none() && jwt.audience.is_empty() {
        let message = "it is not clear for which address tokens must be issued";
        let mend = "set `server.public_url` to the address that clients use";
        report.add_with_mend(&path(["auth", "jwt"]), message, mend);
    }
}

fn check_scope(scope: &str, at: &[String], report: &mut Report<'_>) {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\');
    if scope.is_empty() || !scope.chars().all(is_plain) {
        report.add(
            at,
            "a scope is a word without spaces, quotes or backslashes",
        );
    }
}

fn check_tokens(auth: &AuthConfig, report: &mut Report<'_>) {
    let (mut names, mut digests) = (HashSet::new(), HashSet::new());
    let known: Vec<[u8; 32]> = KNOWN_TOKENS
        .iter()
        .map(|token| Sha256::digest(token).into())
        .collect();
    for (index, token) in auth.tokens.iter().enumerate() {
        let at = |key: &str| in_list(&["auth", "tokens"], index, &[key]);
        if token.name.trim().is_empty() {
            report.add(&at("name"), "the name is empty");
        } else if !names.insert(&token.name) {
            report.add(
                &at("name"),
                format!("another token is called `{}`", token.name),
            );
        }
        if known.contains(token.sha256.bytes()) {
            let mend = "make one with `toolgate token new`";
            report.add_with_mend(
                &at("sha256"),
                "this token is empty, or one everybody knows",
                mend,
            );
        } else if !digests.insert(token.sha256) {
            report.add(&at("sha256"), "another token is the same");
        }
        for (scope, text) in token.scopes.iter().enumerate() {
            let at = in_list(&["auth", "tokens"], index, &["scopes", &scope.to_string()]);
            check_scope(text, &at, report);
        }
    }
}
