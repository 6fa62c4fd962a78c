//! The keys that tokens are verified with, each with the algorithms that fit it: which one is used is for the key to say,
//! not for the token (RFC 8725 section 3.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::front::config::{self, JwtConfig};

/// The most keys of one set that are looked at.
const MAX_KEYS: usize = 64;

/// How many keys are tried for a token that does not say which one it was signed with.
const MAX_TRIED: usize = 4;

/// The bytes that the modulus of an RSA key may have: 2048 to 8192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// A set of keys.
pub(super) struct Keys {
    all: Vec<Key>,
}

struct Key {
    id: Option<String>,
    /// Those that fit its own type, and are accepted.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// A JWK set (RFC 7517 section 5).
#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Keys {
    /// Reads the text of a JWK set. Keys that are for something else, or that nobody knows, are passed over.
    pub(super) fn read(text: &[u8], accepted: &[Algorithm]) -> Result<Self, String> {
        let set: Set = serde_json::from_slice(text)
            // What it quotes is theirs, and may be anything.
            .map_err(|err| format!("it is no JWK set (column {})", err.column()))?;
        Self::of(set.keys, accepted)
    }

    /// Takes in JWKs.
    pub(super) fn of(
        keys: impl IntoIterator<Item = Value>,
        accepted: &[Algorithm],
    ) -> Result<Self, String> {
        let keys = keys.into_iter().take(MAX_KEYS);
        let all: Vec<Key> = keys.filter_map(|key| Key::of(key, accepted)).collect();
        match all.is_empty() {
            true => Err("it holds no public key that fits `algorithms`".to_owned()),
            false => Ok(Self { all }),
        }
    }

    /// A secret that is shared with the issuer.
    pub(super) fn shared(secret: &[u8], accepted: &[Algorithm]) -> Self {
        let symmetric = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
        let key = Key {
            id: None,
            algorithms: fitting(&symmetric, accepted),
            key: DecodingKey::from_secret(secret),
        };
        Self { all: vec![key] }
    }

    /// The same, and those of `more`.
    pub(super) fn and(mut self, more: Self) -> Self {
        self.all.extend(more.all);
        self
    }

    /// The keys that a token may have been signed with that names this key and algorithm.
    pub(super) fn fitting(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &DecodingKey> {
        let fits = move |key: &&Key| {
            let is_named = match (id, &key.id) {
                (Some(id), Some(known)) => id == known,
                (None, _) | (_, None) => true,
            };
            is_named && key.algorithms.contains(&algorithm)
        };
        let fitting = self.all.iter().filter(fits).take(MAX_TRIED);
        fitting.map(|key| &key.key)
    }
}

impl Key {
    fn of(key: Value, accepted: &[Algorithm]) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(key).ok()?;
        let is_for_signatures = match &jwk.common.public_key_use {
            None | Some(PublicKeyUse::Signature) => true,
            Some(_) => false,
        };
        let operations = jwk.common.key_operations.as_ref();
        let verifies = operations.is_none_or(|known| known.contains(&KeyOperations::Verify));
        if !is_for_signatures || !verifies {
            return None;
        }
        let mut algorithms = fitting(of_type(&jwk)?, accepted);
        if let Some(only) = jwk.common.key_algorithm {
            let only = Algorithm::try_from(only).ok()?;
            algorithms.retain(|known| *known == only);
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        (!algorithms.is_empty()).then_some(Self {
            id: jwk.common.key_id,
            algorithms,
            key,
        })
    }
}

/// The algorithms that a public key of this type is for.
fn of_type(jwk: &Jwk) -> Option<&'static [Algorithm]> {
    match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = URL_SAFE_NO_PAD.decode(&rsa.n).ok()?;
            let leading = modulus.iter().take_while(|byte| **byte == 0).count();
            let is_sound = RSA_BYTES.contains(&(modulus.len() - leading));
            is_sound.then_some(&[
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ])
        }
        AlgorithmParameters::EllipticCurve(ec) => match ec.curve {
            EllipticCurve::P256 => Some(&[Algorithm::ES256]),
            EllipticCurve::P384 => Some(&[Algorithm::ES384]),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(pair) => match pair.curve {
            EllipticCurve::Ed25519 => Some(&[Algorithm::EdDSA]),
            _ => None,
        },
        // A secret does not belong where everyone can read it.
        _ => None,
    }
}

fn fitting(of_type: &[Algorithm], accepted: &[Algorithm]) -> Vec<Algorithm> {
    let fits = |algorithm: &&Algorithm| accepted.contains(algorithm);
    of_type.iter().filter(fits).copied().collect()
}

/// The algorithms that are accepted.
pub(super) fn accepted(config: &JwtConfig) -> Vec<Algorithm> {
    match &config.algorithms {
        Some(algorithms) => algorithms.iter().copied().map(known).collect(),
        None => {
            let mut accepted = vec![Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
            accepted.extend(config.secret.as_ref().map(|_| Algorithm::HS256));
            accepted
        }
    }
}

fn known(algorithm: config::Algorithm) -> Algorithm {
    match algorithm {
        config::Algorithm::RS256 => Algorithm::RS256,
        config::Algorithm::RS384 => Algorithm::RS384,
        config::Algorithm::RS512 => Algorithm::RS512,
        config::Algorithm::PS256 => Algorithm::PS256,
        config::Algorithm::PS384 => Algorithm::PS384,
        config::Algorithm::PS512 => Algorithm::PS512,
        config::Algorithm::ES256 => Algorithm::ES256,
        config::Algorithm::ES384 => Algorithm::ES384,
        config::Algorithm::EdDSA => Algorithm::EdDSA,
        config::Algorithm::HS256 => Algorithm::HS256,
        config::Algorithm::HS384 => Algorithm::HS384,
        config::Algorithm::HS512 => Algorithm::HS512,
    }
}
