//! Who may call: `[auth]`.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::manifest::secret::Secret;
use crate::model::plugin_id::PluginId;
use crate::wire::hex::hex;

/// Who may call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// Bearer tokens; with none and no `jwt`, everyone who can reach the listen address may call.
    pub tokens: Vec<TokenConfig>,
    /// Tokens of an authorization server.
    pub jwt: Option<JwtConfig>,
    /// Whether every token needs the scope `ext:{id}:tools` for tools of a plugin. Without this a token that has no scope
    /// of any plugin may use the tools of all it sees. The variable `TOOLGATE_REQUIRE_SCOPES` says the same.
    pub require_scopes: bool,
    /// The issuers that clients are told to get tokens from (RFC 9728). The issuer of `jwt` when left out.
    pub authorization_servers: Vec<String>,
    /// The scopes that clients are told to ask for. `ext:*:tools` with `require_scopes`, else none.
    pub scopes_supported: Option<Vec<String>>,
}

/// Tokens of an authorization server: JWTs (RFC 7519) that are issued for this gateway. Each must name issuer, audience
/// and expiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    /// Who issues them, to the letter as it stands in the claim `iss`.
    pub issuer: String,
    /// Whom they are issued for: one of these must be in the claim `aud`. When left out, the address of the MCP endpoint:
    /// `server.public_url`, or the address it listens on, with `/mcp` behind it.
    #[serde(default)]
    pub audience: Vec<String>,
    /// Where the issuer's public keys are: an `https://` URL, or a file relative to this one. When left out, and `keys` and
    /// `secret` too, the issuer's metadata says it (RFC 8414, OpenID Connect Discovery).
    #[serde(default)]
    pub jwks: Option<String>,
    /// The issuer's public keys themselves, as JWKs (RFC 7517).
    #[serde(default)]
    pub keys: Vec<Map<String, Value>>,
    /// A secret shared with the issuer, for the algorithms `HS256`, `HS384` and `HS512`; at least 32 bytes.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// The algorithms that are accepted. `RS256`, `ES256` and `EdDSA` when left out, and `HS256` where there is a `secret`.
    #[serde(default)]
    pub algorithms: Option<Vec<Algorithm>>,
    /// The claim with the scopes: words with spaces between, or a list.
    #[serde(default = "scope_claim")]
    pub scope_claim: String,
    /// The claim with the name of the caller. Sessions and records name it with the issuer before it.
    #[serde(default = "principal_claim")]
    pub principal_claim: String,
    /// The claim with the list of plugins that the caller can see; without the claim it sees none. All when left out.
    #[serde(default)]
    pub plugins_claim: Option<String>,
    /// Seconds by which clocks may differ.
    #[serde(default = "leeway_s")]
    #[schemars(range(max = 300))]
    pub leeway_s: u64,
    /// Seconds after which the keys are fetched again.
    #[serde(default = "refresh_s")]
    #[schemars(range(min = 30, max = 86_400))]
    pub refresh_s: u64,
    /// Whether holders may only call tools that are known to change nothing.
    #[serde(default)]
    pub read_only: bool,
}

fn scope_claim() -> String {
    "scope".to_owned()
}

fn principal_claim() -> String {
    "sub".to_owned()
}

fn leeway_s() -> u64 {
    30
}

fn refresh_s() -> u64 {
    300
}

/// How a token may be signed (RFC 7518, RFC 8037). There is no `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
    HS256,
    HS384,
    HS512,
}

impl Algorithm {
    /// Whether it needs a secret that both sides know.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }
}

impl AuthConfig {
    /// Whether callers need a credential.
    pub fn names_callers(&self) -> bool {
        !self.tokens.is_empty() || self.jwt.is_some()
    }

    /// Takes the files it names for files in `folder`, where they have no whole path.
    pub fn lie_in(&mut self, folder: &Path) {
        let jwks = self.jwt.as_mut().and_then(|jwt| jwt.jwks.as_mut());
        if let Some(file) = jwks.filter(|place| !place.contains("://")) {
            *file = folder.join(&*file).to_string_lossy().into_owned();
        }
    }

    /// Whether all callers see the same things.
    pub fn is_same_for_all(&self) -> bool {
        let is_bound = |token: &TokenConfig| {
            let by_scope = token.scopes.iter().any(|scope| scope.starts_with("ext:"));
            token.plugins.is_some() || token.read_only || by_scope
        };
        let scopes_decide = self.require_scopes && self.names_callers();
        self.jwt.is_none() && !scopes_decide && !self.tokens.iter().any(is_bound)
    }
}

/// A bearer token. `toolgate token new` makes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Who holds it; the principal in sessions and audit records. Unique.
    pub name: String,
    /// SHA-256 of the token, 64 hexadecimal digits. The token itself is never stored.
    pub sha256: TokenDigest,
    /// The plugins its holder can see; all when left out.
    #[serde(default)]
    pub plugins: Option<Vec<PluginId>>,
    /// The scopes its holder has: `admin`, `read`, `ext:{id}:tools`, `ext:{id}:routes`; `*` stands for every id. With one
    /// that begins with `ext:` its holder may use the tools of the plugins it names, and no others.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether its holder may only call tools that are known to change nothing.
    #[serde(default)]
    pub read_only: bool,
}

/// The SHA-256 digest of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct TokenDigest([u8; 32]);

/// A text that is not a digest. Does not quote it: it may be the token itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits, the SHA-256 of the token; `toolgate token new` prints it")]
pub struct BadDigest;

impl TokenDigest {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Compare in constant time.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<String> for TokenDigest {
    type Error = BadDigest;

    fn try_from(text: String) -> Result<Self, BadDigest> {
        let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
        let digits = digits
            .filter(|digits| digits.len() == 64)
            .ok_or(BadDigest)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::try_from(pair[0] << 4 | pair[1]).map_err(|_| BadDigest)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// The first digits only: enough to tell two apart.
impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", hex(&self.0[..2]))
    }
}

impl Serialize for TokenDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for TokenDigest {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TokenDigest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^([0-9a-fA-F]{64}|.*\$\{.*)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_64_hexadecimal_digits() {
        let digest = TokenDigest::try_from("0aFF".repeat(16)).expect("valid");
        assert_eq!(digest.bytes()[..2], [0x0a, 0xff]);
        assert_eq!(digest.to_string(), "0aff".repeat(16));
        for bad in [
            "",
            "0a",
            &"0g".repeat(32),
            &"é".repeat(32),
            &"0a".repeat(33),
        ] {
            assert!(TokenDigest::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).expect("a text"), "\"***\"");
    }
}
