//! Credentials: which caller a request comes from.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::front::config::AuthConfig;
use crate::model::caller::{Caller, Scopes};

/// The callers that are known.
#[derive(Debug, Clone)]
pub struct Callers {
    tokens: Arc<[([u8; 32], Arc<Caller>)]>,
    anonymous: Arc<Caller>,
}

/// The request has no credential that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown;

impl Callers {
    /// The callers in the configuration; without any token, everyone is the anonymous one.
    pub fn new(config: &AuthConfig) -> Self {
        let tokens = config.tokens.iter().map(|token| {
            let caller = Caller {
                principal: token.name.as_str().into(),
                plugins: token
                    .plugins
                    .as_ref()
                    .map(|plugins| plugins.as_slice().into()),
                scopes: Scopes::Only(token.scopes.as_slice().into()),
            };
            (*token.sha256.bytes(), Arc::new(caller))
        });
        Self {
            tokens: tokens.collect(),
            anonymous: Arc::new(Caller::anonymous()),
        }
    }

    /// Whether callers need a credential.
    pub fn are_named(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// The caller without a credential, where none is needed.
    pub fn anonymous(&self) -> &Arc<Caller> {
        &self.anonymous
    }

    /// The caller of an `Authorization` header (RFC 6750 section 2.1). Tokens are compared by digest, in constant time.
    pub fn find(&self, authorization: Option<&str>) -> Result<&Arc<Caller>, Unknown> {
        if self.tokens.is_empty() {
            return Ok(&self.anonymous);
        }
        let (scheme, token) = authorization
            .and_then(|value| value.split_once(' '))
            .ok_or(Unknown)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Unknown);
        }
        let digest = Sha256::digest(token.trim().as_bytes());
        let mut found = Err(Unknown);
        for (known, caller) in self.tokens.iter() {
            if bool::from(known[..].ct_eq(&digest)) {
                found = Ok(caller);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::config::{TokenConfig, TokenDigest};

    #[test]
    fn only_a_known_token_names_a_caller() {
        let sha256 = TokenDigest::new(Sha256::digest(b"secret").into());
        let token = TokenConfig {
            name: "ann".into(),
            sha256,
            plugins: None,
            scopes: Vec::new(),
        };
        let callers = Callers::new(&AuthConfig {
            tokens: vec![token],
        });
        assert_eq!(
            callers
                .find(Some("Bearer secret"))
                .map(|caller| &*caller.principal),
            Ok("ann")
        );
        for wrong in [
            None,
            Some("Bearer other"),
            Some("Basic secret"),
            Some("secret"),
            Some(""),
        ] {
            assert_eq!(callers.find(wrong).err(), Some(Unknown), "{wrong:?}");
        }
        let open = Callers::new(&AuthConfig::default());
        assert_eq!(
            open.find(None).map(|caller| &*caller.principal),
            Ok("anonymous")
        );
    }
}
