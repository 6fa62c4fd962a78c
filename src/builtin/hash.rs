//! `hash`: digests of text.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::plugin::{Plugin, Structured, ToolContext, Tools};

/// How many bytes are digested before others get a turn.
const PIECE: usize = 64 << 10;

/// The plugin.
pub(super) struct Hash;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {
    /// The text; its UTF-8 bytes are digested.
    data: String,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The digest, 64 lower-case hexadecimal digits.
    sha256: String,
}

impl Plugin for Hash {
    fn tools(&self, tools: &mut Tools) {
        tools
            .add(
                "hash.sha256",
                "Computes the SHA-256 digest of a text",
                sha256,
            )
            .title("SHA-256")
            .read_only();
    }

    fn cooperative(&self) -> bool {
        true
    }
}

async fn sha256(input: Input, _: ToolContext) -> Structured<Output> {
    let mut digest = Sha256::new();
    let mut pieces = input.data.as_bytes().chunks(PIECE).peekable();
    while let Some(piece) = pieces.next() {
        digest.update(piece);
        if pieces.peek().is_some() {
            tokio::task::yield_now().await;
        }
    }
    let digits = digest
        .finalize()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0'))
        .collect();
    Structured(Output { sha256: digits })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(data: String, expect: &str) {
        let Structured(output) = sha256(Input { data }, ToolContext::detached()).await;
        assert_eq!(output.sha256, expect);
    }

    // The examples of FIPS 180-4's test vectors.
    #[tokio::test]
    async fn known_texts_have_known_digests() {
        check(
            "abc".to_owned(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        )
        .await;
        check(
            String::new(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        )
        .await;
        check(
            "a".repeat(1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
        )
        .await;
    }
}
