//! Tokens of an authorization server: verified, and turned into callers (RFC 7519, RFC 8725, RFC 9068).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::front::auth::kept::{Kept, TokenDigest};
use crate::front::auth::keys::{Keys, accepted};
use crate::front::auth::source::Source;
use crate::front::config::JwtConfig;
use crate::model::caller::{Caller, Scopes};
use crate::model::plugin_id::PluginId;

/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 16 << 10;

/// The longest name of a caller, in bytes.
const MAX_PRINCIPAL: usize = 256;

/// The most scopes of a token that count.
const MAX_SCOPES: usize = 256;

/// Verifies tokens of one issuer.
pub(super) struct Jwt {
    config: JwtConfig,
    accepted: Vec<Algorithm>,
    require_scopes: bool,
    source: Arc<Source>,
    kept: Kept,
}

type Claims = Map<String, Value>;

/// Why a token is refused; said to whoever showed it.
type Why = &'static str;

impl Jwt {
    pub(super) fn new(config: &JwtConfig, require_scopes: bool) -> Self {
        Self {
            config: config.clone(),
            accepted: accepted(config),
            require_scopes,
            source: Source::new(config),
            kept: Kept::default(),
        }
    }

    pub(super) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Whether it has the shape of such a token.
    pub(super) fn may_be(token: &str) -> bool {
        token.len() <= MAX_TOKEN && token.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// The caller of a token that was verified before.
    pub(super) fn known(&self, digest: &TokenDigest) -> Option<Arc<Caller>> {
        let generation = self.source.generation();
        self.kept.get(digest, generation, SystemTime::now())
    }

    /// The caller of a token that is meant for one of `resources`.
    pub(super) async fn verify(
        &self,
        token: &str,
        resources: &[String],
    ) -> Result<Arc<Caller>, Why> {
        let header = decode_header(token).map_err(|_| "it is malformed")?;
        let (id, algorithm) = (header.kid.as_deref(), header.alg);
        if header.crit.is_some() {
            return Err("it needs an extension that is not known");
        }
        if !self.accepted.contains(&algorithm) {
            return Err("its algorithm is not accepted");
        }
        let has_one = |keys: &Keys| keys.fitting(id, algorithm).next().is_some();
        let keys = self.source.keys_with(has_one).await;
        let (keys, generation) = keys.ok_or("the keys of its issuer are not there")?;
        let claims = self.claims(token, (id, algorithm), &keys, resources)?;
        let caller = Arc::new(self.caller(&claims)?);
        let expires = claims
            .get("exp")
            .and_then(seconds)
            .ok_or("it is malformed")?;
        let expires = expires.saturating_add(self.config.leeway_s);
        if let Some(expires) = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(expires)) {
            let digest = Sha256::digest(token.as_bytes()).into();
            self.kept
                .put(digest, generation, Arc::clone(&caller), expires);
        }
        Ok(caller)
    }

    /// What a token says, if it is signed by one of the keys and meant for us, now.
    fn claims(
        &self,
        token: &str,
        (id, algorithm): (Option<&str>, Algorithm),
        keys: &Keys,
        resources: &[String],
    ) -> Result<Claims, Why> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = self.config.leeway_s;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.config.issuer]);
        match self.config.audience.is_empty() {
            true => validation.set_audience(resources),
            false => validation.set_audience(&self.config.audience),
        }
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        let mut refused = "no key of its issuer fits it";
        for key in keys.fitting(id, algorithm) {
            match decode::<Claims>(token, key, &validation) {
                Ok(data) => return self.of_issuer(data.claims),
                Err(err) => refused = words(err.kind()),
            }
        }
        Err(refused)
    }

    /// The issuer is one text, and this one.
    fn of_issuer(&self, claims: Claims) -> Result<Claims, Why> {
        match claims.get("iss").and_then(Value::as_str) {
            Some(issuer) if issuer == self.config.issuer => Ok(claims),
            _ => Err("it is from another issuer"),
        }
    }

    /// Who shows a token with these claims. The issuer stands in its name, so that nobody is taken for the holder of a
    /// token in the configuration.
    fn caller(&self, claims: &Claims) -> Result<Caller, Why> {
        let name = claims.get(&self.config.principal_claim);
        let name = name.and_then(Value::as_str).unwrap_or_default();
        if name.is_empty() || name.len() > MAX_PRINCIPAL || name.contains(char::is_control) {
            return Err("it does not say whose it is");
        }
        let scopes = words_in(claims.get(&self.config.scope_claim));
        let scopes = scopes.into_iter().filter(|word| is_scope(word));
        let scopes = Scopes::only(scopes.take(MAX_SCOPES).map(str::to_owned));
        let plugins = self.config.plugins_claim.as_ref().map(|claim| {
            let ids = words_in(claims.get(claim)).into_iter();
            ids.filter_map(|id| id.parse::<PluginId>().ok()).collect()
        });
        Ok(Caller {
            principal: format!("{}|{name}", self.config.issuer).into(),
            plugins,
            tools_by_scope: self.require_scopes || scopes.speak_of_plugins(),
            scopes,
            read_only: self.config.read_only,
        })
    }
}

/// The words of a claim: a text with spaces between them, or a list.
fn words_in(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::String(text)) => text.split(' ').filter(|word| !word.is_empty()).collect(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether it can be a scope (RFC 6749 section 3.3).
fn is_scope(word: &str) -> bool {
    let fits = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !word.is_empty() && word.bytes().all(fits)
}

fn seconds(claim: &Value) -> Option<u64> {
    let whole = claim.as_u64();
    // What was accepted is neither negative nor infinite.
    whole.or_else(|| claim.as_f64().map(|seconds| seconds as u64))
}

fn words(kind: &ErrorKind) -> Why {
    match kind {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidIssuer => "it is from another issuer",
        ErrorKind::InvalidAudience => "it is meant for somebody else",
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::MissingRequiredClaim(_) => "it must name `iss`, `aud` and `exp`",
        _ => "it is malformed",
    }
}
