//! Tokens. Weak ones, equal ones, and those of plugins that nobody has are problems of the configuration.

use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::Finding;
use crate::cli::gateway::TOKEN;
use crate::front::auth::Callers;
use crate::front::config::{AuthConfig, ServerConfig};

const SUBJECT: &str = "tokens";

/// The scope of those who may change which plugins run.
const ADMIN: &str = "admin";

pub(super) fn look(ground: &Ground<'_>) -> Vec<Finding> {
    let config = &ground.loaded.config;
    check(&config.server, &config.auth, ground.context.env.get(TOKEN))
}

fn check(server: &ServerConfig, auth: &AuthConfig, own: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let open = !server.listen.ip().to_canonical().is_loopback();
    if !auth.names_callers() {
        // That a network could call without one is a problem of the configuration.
        return match open {
            true => findings,
            false => vec![Finding::ok(
                SUBJECT,
                "none: who can reach this machine's own address may call",
            )],
        };
    }
    if open {
        findings.push(
            Finding::warn(SUBJECT, format!("travel unencrypted to {}", server.listen))
                .mend("listen on 127.0.0.1, behind a proxy that speaks TLS"),
        );
    }
    if auth.jwt.is_some() {
        // What tokens of an authorization server may do is for that to say.
        let own = own.filter(|own| !own.is_empty());
        if own.is_none() {
            findings.push(unset());
        }
        if findings.is_empty() {
            findings.push(Finding::ok(
                SUBJECT,
                "those of the authorization server, too",
            ));
        }
        return findings;
    }
    let is_admin = |scopes: &[String]| scopes.iter().any(|scope| scope == ADMIN);
    if !auth.tokens.iter().any(|token| is_admin(&token.scopes)) {
        findings.push(
            Finding::warn(SUBJECT, "nobody may change plugins while the gateway runs")
                .mend("give one token `scopes = [\"admin\"]`"),
        );
    }
    match own.map(|own| {
        Callers::new(auth)
            .find(Some(&format!("Bearer {own}")))
            .is_ok()
    }) {
        None => findings.push(unset()),
        Some(false) => findings.push(
            Finding::problem(
                SUBJECT,
                format!("`{TOKEN}` holds none of the tokens of this configuration"),
            )
            .mend(format!(
                "set `{TOKEN}` to one of them; `toolgate token new` makes one"
            )),
        ),
        Some(true) => {}
    }
    if findings.is_empty() {
        let count = auth.tokens.len();
        findings.push(Finding::ok(SUBJECT, format!("{count}")));
    }
    findings
}

fn unset() -> Finding {
    let message = format!("`{TOKEN}` is not set, so the command line cannot ask the gateway");
    Finding::warn(SUBJECT, message).mend(format!("set `{TOKEN}` to one of the tokens"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Mark;
    use crate::front::config::{TokenConfig, TokenDigest};
    use sha2::{Digest, Sha256};

    #[test]
    fn tokens_are_looked_at() {
        let server = |listen: &str| ServerConfig {
            listen: listen.parse().expect("an address"),
            ..ServerConfig::default()
        };
        let auth = |scopes: &[&str]| AuthConfig {
            tokens: vec![TokenConfig {
                name: "me".into(),
                sha256: TokenDigest::new(Sha256::digest(b"mine").into()),
                plugins: None,
                scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
                read_only: false,
            }],
            ..AuthConfig::default()
        };
        let marks = |server: &ServerConfig, auth: &AuthConfig, own| {
            let found = check(server, auth, own);
            found.iter().map(|one| one.mark).collect::<Vec<_>>()
        };
        let home = server("127.0.0.1:1");
        assert_eq!(marks(&home, &AuthConfig::default(), None), [Mark::Ok]);
        assert_eq!(marks(&home, &auth(&["admin"]), Some("mine")), [Mark::Ok]);
        assert_eq!(
            marks(&home, &auth(&["admin"]), Some("other")),
            [Mark::Problem]
        );
        assert_eq!(marks(&home, &auth(&[]), None), [Mark::Warn, Mark::Warn]);
        assert_eq!(
            marks(&server("0.0.0.0:1"), &auth(&["admin"]), Some("mine")),
            [Mark::Warn]
        );
    }
}
