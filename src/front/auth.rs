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
