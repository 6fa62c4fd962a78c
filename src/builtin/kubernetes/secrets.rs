//! What the gateway shows the API server to be let in. Servers and proxies repeat what they are sent when they complain, so
//! it is taken out of everything that is told of their answers.

use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kube::Config;
use serde_json::Value;

/// What stands in place of a secret.
const HIDDEN: &str = "***";

/// Shorter ones are none, and would be found in every word.
const SHORTEST: usize = 4;

/// How the tokens of service accounts begin: a JSON object in base64.
const JWT: &str = "eyJ";

/// The secrets of one user of a kubeconfig. No `Debug`.
pub(super) struct Secrets {
    known: Vec<String>,
    /// Read anew each time: others write it.
    file: Option<PathBuf>,
}

impl Secrets {
    pub(super) fn of(config: &Config) -> Self {
        let user = &config.auth_info;
        let written = Written::of(config);
        let name = user.username.as_deref().unwrap_or_default();
        let basic = written
            .password
            .as_ref()
            .map(|password| BASE64_STANDARD.encode(format!("{name}:{password}")));
        let mut secrets = Self {
            known: [written.token, written.password, basic]
                .into_iter()
                .flatten()
                .collect(),
            file: user.token_file.as_ref().map(PathBuf::from),
        };
        let now = secrets.in_file();
        secrets.known.extend(now);
        secrets
    }

    /// The text without them.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        let mut all: Vec<String> = self.known.iter().cloned().chain(self.in_file()).collect();
        // One may be a part of another.
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in all.iter().filter(|secret| secret.len() >= SHORTEST) {
            shown = shown.replace(secret.as_str(), HIDDEN);
        }
        without_tokens(&shown)
    }

    fn in_file(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.file.as_ref()?).ok()?;
        Some(text.trim().to_owned())
    }
}

/// Secrets as they stand in the kubeconfig.
pub(super) struct Written {
    pub(super) token: Option<String>,
    pub(super) password: Option<String>,
}

impl Written {
    pub(super) fn of(config: &Config) -> Self {
        // Their type shows them only where they are written down again.
        let written = serde_json::to_value(&config.auth_info).unwrap_or_default();
        let text = |key: &str| written.get(key).and_then(Value::as_str).map(str::to_owned);
        Self {
            token: text("token"),
            password: text("password"),
        }
    }
}

/// The text without words that look like tokens of service accounts: one that was in the file a minute ago is still sent.
fn without_tokens(text: &str) -> String {
    let is_inside = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(JWT) {
        let word = &rest[at..];
        let end = word.find(|letter| !is_inside(letter)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        shown.push_str(&rest[..at]);
        shown.push_str(match word.contains('.') {
            true => HIDDEN,
            false => word,
        });
        rest = after;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("token");
        std::fs::write(&file, "first\n").expect("it can be written");
        let secrets = Secrets {
            known: ["hunter", "hunter2", "t"].map(str::to_owned).to_vec(),
            file: Some(file.clone()),
        };
        std::fs::write(&file, "second\n").expect("it can be written");
        for (text, expect) in [
            ("Bearer hunter2 is not it", "Bearer *** is not it"),
            ("hunter,second;first", "***,***;first"),
            ("a eyJhbGc.eyJz.c2ln-_ b", "a *** b"),
            ("the eyJ of it, é", "the eyJ of it, é"),
        ] {
            assert_eq!(secrets.hide(text), expect);
        }
    }
}
