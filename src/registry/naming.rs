//! The names under which tools are listed.

use sha2::{Digest, Sha256};

use crate::manifest::Manifest;
use crate::wire::hex::hex;

/// The longest name that is listed, in characters.
pub const MAX_NAME: usize = 64;

/// Names that begin so belong to the gateway.
pub const RESERVED: &str = "toolgate__";

/// How many hexadecimal digits tell shortened names apart.
const HASH_DIGITS: usize = 8;

/// Which characters a listed name may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Alphabet {
    /// `[A-Za-z0-9_.-]`.
    #[default]
    Full,
    /// Without the dot, which some model APIs refuse.
    Strict,
}

/// The name under which `tool` of the plugin is listed, or why it is not.
pub fn listed_name(manifest: &Manifest, tool: &str, alphabet: Alphabet) -> Result<String, String> {
    let expose = &manifest.expose;
    let Some(name) = expose.listed_name(tool) else {
        let rule = if expose.deny_hits(tool) {
            "a pattern in `expose.deny` hides it"
        } else {
            "no pattern in `expose.allow` fits it"
        };
        return Err(rule.to_owned());
    };
    let name = fit(&format!("{}{name}", manifest.effective_prefix()), alphabet);
    if name.starts_with(RESERVED) {
        return Err(format!(
            "names that begin with `{RESERVED}` belong to the gateway"
        ));
    }
    Ok(name)
}

/// The name that `tool` of the plugin would have if no rule kept it from being listed.
pub fn unruled_name(manifest: &Manifest, tool: &str, alphabet: Alphabet) -> String {
    fit(&format!("{}{tool}", manifest.effective_prefix()), alphabet)
}

/// Brings a name into the form `[A-Za-z0-9_.-]{1,64}`. Where that loses something a hash keeps names apart.
fn fit(name: &str, alphabet: Alphabet) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let fitted: String = name
        .chars()
        .map(|c| if keep(c) { c } else { '_' })
        .collect();
    let fitted = match alphabet {
        Alphabet::Full => fitted,
        Alphabet::Strict => fitted.replace('.', "_"),
    };
    let lossless = name.chars().all(keep) && name.len() <= MAX_NAME;
    if lossless {
        return fitted;
    }
    let hash = Sha256::digest(name.as_bytes());
    let digits = hex(&hash);
    let head: String = fitted.chars().take(MAX_NAME - HASH_DIGITS - 1).collect();
    format!("{head}_{}", &digits[..HASH_DIGITS])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(manifest: &str, tool: &str, expect: Result<&str, &str>) {
        let text = format!(
            "id = \"p\"\nversion = \"1.0.0\"\nruntime = \"in_process\"\n{manifest}\n[in_process]\nentry = \"builtin:p\"\n"
        );
        let manifest = crate::manifest::parse_toml(&text).expect("a manifest");
        match (listed_name(&manifest, tool, Alphabet::Full), expect) {
            (Ok(name), Ok(want)) => assert_eq!(name, want),
            (Err(why), Err(says)) => assert!(why.contains(says), "{why}"),
            (got, want) => panic!("{tool}: {got:?}, want {want:?}"),
        }
    }

    #[test]
    fn names_are_prefixed_filtered_and_renamed() {
        check("", "echo", Ok("p__echo"));
        check("prefix = \"\"", "prom.query", Ok("prom.query"));
        check("expose.rename = { echo = \"say\" }", "echo", Ok("p__say"));
        check("expose.deny = [\"e*\"]", "echo", Err("expose.deny"));
        check("expose.allow = [\"x*\"]", "echo", Err("expose.allow"));
        check(
            "prefix = \"toolgate__\"",
            "open_session",
            Err("belong to the gateway"),
        );
    }

    #[test]
    fn what_does_not_fit_is_shortened_and_kept_apart() {
        let long = "a".repeat(70);
        let name = fit(&long, Alphabet::Full);
        assert_eq!(name.len(), MAX_NAME);
        assert_ne!(name, fit(&"a".repeat(71), Alphabet::Full));
        assert_ne!(fit("a b", Alphabet::Full), fit("a_b", Alphabet::Full));
        assert_eq!(fit("prom.query", Alphabet::Strict), "prom_query");
        assert_eq!(fit("prom.query", Alphabet::Full), "prom.query");
    }
}
