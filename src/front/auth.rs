//! Credentials: which caller a request comes from.

mod challenge;

mod keys;

mod kept;

mod jwt;

mod resource;

mod source;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::background::Supervisor;
use crate::front::auth::jwt::Jwt;
use crate::front::config::{AuthConfig, JwtConfig, ServerConfig, TokenConfig};
use crate::model::caller::{Caller, Scopes};

pub(in crate::front) use crate::front::auth::challenge::insufficient;
pub(in crate::front) use crate::front::auth::resource::{PATHS as METADATA_PATHS, metadata};
pub use crate::front::auth::source::is_safe;

/// The callers that are known.
#[derive(Clone)]
pub struct Callers(Arc<Known>);

struct Known {
    tokens: Vec<([u8; 32], Arc<Caller>)>,
    jwt: Option<Jwt>,
    anonymous: Arc<Caller>,
    /// Who comes over HTTP where nobody needs a credential.
    passer_by: Arc<Caller>,
    /// What clients are told about where tokens come from.
    authorization_servers: Vec<String>,
    scopes_supported: Vec<String>,
    /// What the gateway is reached under, without a slash at its end. Set when it listens.
    base: OnceLock<String>,
}

/// Why a request comes from nobody who is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// It shows no bearer token.
    Missing,
    /// It shows one that is not known, for this reason.
    Invalid(&'static str),
    /// It shows one of an authorization server that is not known yet: it must be verified.
    Unverified,
}

/// How the keys of the authorization server stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether there are keys, so that tokens can be verified.
    pub has_keys: bool,
    /// What went wrong when they were last fetched.
    pub trouble: Option<String>,
}

impl Callers {
    /// The callers in the configuration; without any credential, everyone is the anonymous one.
    pub fn new(config: &AuthConfig) -> Self {
        let tokens = config.tokens.iter().map(|token| {
            let caller = caller_of(token, config.require_scopes);
            (*token.sha256.bytes(), Arc::new(caller))
        });
        let jwt = config.jwt.as_ref();
        let issuer = jwt.map(|jwt| jwt.issuer.clone());
        let scopes_supported = config.scopes_supported.clone().unwrap_or_else(|| {
            let all_tools = "ext:*:tools".to_owned();
            config
                .require_scopes
                .then_some(all_tools)
                .into_iter()
                .collect()
        });
        Self(Arc::new(Known {
            tokens: tokens.collect(),
            jwt: jwt.map(|jwt| Jwt::new(jwt, config.require_scopes)),
            anonymous: Arc::new(Caller::anonymous()),
            passer_by: Arc::new(passer_by(config)),
            authorization_servers: match config.authorization_servers.is_empty() {
                true => issuer.into_iter().collect(),
                false => config.authorization_servers.clone(),
            },
            scopes_supported,
            base: OnceLock::new(),
        }))
    }

    /// Whether callers need a credential.
    pub fn are_named(&self) -> bool {
        !self.0.tokens.is_empty() || self.0.jwt.is_some()
    }

    /// The caller without a credential, where none is needed.
    pub fn anonymous(&self) -> &Arc<Caller> {
        &self.0.anonymous
    }

    /// Says where the gateway is reached. The first time counts.
    pub(in crate::front) fn serve_at(&self, config: &ServerConfig, address: SocketAddr) {
        let base = match &config.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{address}"),
        };
        self.0.base.get_or_init(|| base);
    }

    /// Keeps the keys of the authorization server fresh, in a task of its own.
    pub fn keep_keys(&self, supervisor: &Supervisor) {
        if let Some(jwt) = &self.0.jwt {
            jwt.source().keep(supervisor);
        }
    }

    /// Fetches the keys of the authorization server once, where there is one, and says how they stand then.
    pub async fn fetch_keys(&self) -> Option<Standing> {
        self.0.jwt.as_ref()?.source().fetch().await;
        self.standing()
    }

    /// How the keys of the authorization server stand, where there is one.
    pub fn standing(&self) -> Option<Standing> {
        Some(self.0.jwt.as_ref()?.source().standing())
    }

    /// The caller of an `Authorization` header (RFC 6750 section 2.1), as far as that can be said at once. Tokens are
    /// compared by digest, in constant time; of an authorization server's, those that were verified before are known.
    pub fn find(&self, authorization: Option<&str>) -> Result<Arc<Caller>, Unknown> {
        if !self.are_named() {
            return Ok(Arc::clone(&self.0.passer_by));
        }
        let token = token_in(authorization)?;
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let mut found = None;
        for (known, caller) in &self.0.tokens {
            if bool::from(known[..].ct_eq(&digest)) {
                found = Some(caller);
            }
        }
        if let Some(found) = found {
            return Ok(Arc::clone(found));
        }
        match &self.0.jwt {
            Some(jwt) if Jwt::may_be(token) => jwt.known(&digest).ok_or(Unknown::Unverified),
            Some(_) | None => Err(Unknown::Invalid("it is not known")),
        }
    }

    /// The caller of an `Authorization` header whose token must be verified. Waits for keys of the authorization server,
    /// 3 s at the most, and only where new ones may be on their way.
    pub async fn verify(&self, authorization: Option<&str>) -> Result<Arc<Caller>, Unknown> {
        let token = token_in(authorization)?;
        let Some(jwt) = &self.0.jwt else {
            return Err(Unknown::Invalid("it is not known"));
        };
        let verified = jwt.verify(token, &self.resources()).await;
        verified.map_err(|why| {
            tracing::debug!("Refused a token: {why}");
            Unknown::Invalid(why)
        })
    }
}

/// Reads the keys that stand in the configuration or in a file, for who checks it. What is fetched is not looked at.
pub fn check_keys(config: &JwtConfig) -> Result<(), String> {
    source::check(config)
}

/// The caller without a credential. Where scopes are required it has those that it names (`X-Scopes`).
fn passer_by(config: &AuthConfig) -> Caller {
    match config.require_scopes {
        false => Caller::anonymous(),
        true => Caller {
            scopes: Scopes::only([]),
            tools_by_scope: true,
            ..Caller::anonymous()
        },
    }
}

/// The caller that shows a token of the configuration.
fn caller_of(token: &TokenConfig, require_scopes: bool) -> Caller {
    let scopes = Scopes::only(token.scopes.iter().cloned());
    let plugins = token.plugins.as_ref();
    Caller {
        principal: token.name.as_str().into(),
        plugins: plugins.map(|plugins| plugins.as_slice().into()),
        tools_by_scope: require_scopes || scopes.speak_of_plugins(),
        scopes,
        read_only: token.read_only,
    }
}

/// The bearer token in an `Authorization` header.
fn token_in(authorization: Option<&str>) -> Result<&str, Unknown> {
    let (scheme, token) = authorization
        .and_then(|value| value.split_once(' '))
        .ok_or(Unknown::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Unknown::Missing);
    }
    Ok(token.trim())
}

#[cfg(test)]
mod tests;
