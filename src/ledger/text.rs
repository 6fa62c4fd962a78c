//! Texts of callers, as they go into a database.

use sha2::{Digest, Sha256};

use crate::wire::hex::hex;

/// How many bytes of a name or URI are kept.
const MAX_NAME: usize = 1024;

/// A text that every database takes: without NUL, which PostgreSQL refuses, and not longer than it is worth.
pub(super) fn name(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_NAME);
    text[..end].replace('\0', "\u{fffd}")
}

/// The same for a text that may not be there.
pub(super) fn maybe(text: Option<&str>) -> Option<String> {
    text.map(name)
}

/// A digest in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(name("a\0b"), "a\u{fffd}b");
        let long = "é".repeat(MAX_NAME);
        assert_eq!(name(&long).len(), MAX_NAME);
        assert_eq!(name(&format!("a{long}")).len(), MAX_NAME - 1);
    }

    #[test]
    fn a_digest_is_the_known_one() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), empty);
    }
}
