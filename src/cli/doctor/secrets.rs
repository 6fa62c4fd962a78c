//! Who else may read the secrets in the configuration and the manifests, or change what is started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::Finding;
use crate::config::resolve::ResolvedPlugin;
use crate::manifest::FILE_NAMES;

const SUBJECT: &str = "file permissions";

/// What the names of variables and headers with secrets hold.
const SECRET_WORDS: [&str; 8] = [
    "AUTH",
    "COOKIE",
    "CREDENTIAL",
    "KEY",
    "PASSWD",
    "PASSWORD",
    "SECRET",
    "TOKEN",
];

/// What is shorter is no secret, and found in any text.
const SHORTEST: usize = 6;

/// What is larger is not looked through.
const MAX_BYTES: u64 = 16 << 20;

pub(super) fn look(ground: &Ground<'_>) -> Vec<Finding> {
    let mut files: BTreeMap<PathBuf, Vec<&str>> = BTreeMap::new();
    for plugin in ground.enabled() {
        let secrets = secrets(plugin);
        let manifest = plugin.folder.as_ref().and_then(|folder| {
            let mut names = FILE_NAMES.iter().map(|name| folder.join(name));
            names.find(|file| file.is_file())
        });
        for file in manifest.into_iter().chain(ground.loaded.file.clone()) {
            files.entry(file).or_default().extend(&secrets);
        }
    }
    if let Some(file) = &ground.loaded.file {
        files.entry(file.clone()).or_default();
    }
    let found = files
        .iter()
        .filter_map(|(file, secrets)| check(file, secrets));
    let found: Vec<Finding> = found.collect();
    match found.is_empty() && !files.is_empty() && cfg!(unix) {
        true => vec![Finding::ok(
            SUBJECT,
            "nobody else reads secrets or changes what is started",
        )],
        false => found,
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// What stands for a secret in a plugin's settings, variables filled in.
fn secrets(plugin: &ResolvedPlugin) -> Vec<&str> {
    let manifest = &plugin.manifest;
    let env = manifest.mcp_stdio.iter().flat_map(|section| &section.env);
    let headers = manifest
        .mcp_http
        .iter()
        .flat_map(|section| &section.headers);
    let named = env.chain(headers).filter(|(name, _)| is_secret(name));
    let bearer = manifest
        .mcp_http
        .iter()
        .filter_map(|section| section.bearer_token.as_ref());
    let values = named.map(|(_, value)| value).chain(bearer);
    values
        .map(|value| value.expose())
        .filter(|value| value.len() >= SHORTEST)
        .collect()
}

#[cfg(unix)]
fn check(file: &Path, secrets: &[&str]) -> Option<Finding> {
    use std::os::unix::fs::MetadataExt;

    let found = std::fs::metadata(file).ok()?;
    let (mode, shown) = (found.mode(), file.display());
    if mode & 0o002 != 0 {
        let message =
            format!("{shown} can be changed by everyone, and says which programs are started");
        return Some(Finding::problem(SUBJECT, message).mend(format!("`chmod go-w {shown}`")));
    }
    if mode & 0o004 == 0 || found.len() > MAX_BYTES {
        return None;
    }
    let text = std::fs::read_to_string(file).ok()?;
    let is_written = secrets.iter().any(|secret| text.contains(secret));
    is_written.then(|| {
        let message = format!("{shown} holds secrets and can be read by everyone");
        Finding::problem(SUBJECT, message).mend(format!(
            "`chmod 600 {shown}`, or write `${{NAME}}` and set the variable"
        ))
    })
}

#[cfg(not(unix))]
fn check(_: &Path, _: &[&str]) -> Option<Finding> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn who_may_read_and_write_is_looked_at() {
        let root = tempfile::tempdir().expect("a directory");
        let file = root.path().join("toolgate.toml");
        std::fs::write(&file, "TOKEN = 'abc-secret-abc'").expect("written");
        let check = |mode: u32, secrets: &[&str]| {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("set");
            super::check(&file, secrets).map(|found| found.message)
        };
        let secret = ["abc-secret-abc"];
        assert_eq!(check(0o600, &secret), None);
        assert_eq!(check(0o640, &secret), None);
        assert_eq!(check(0o644, &["it came from a variable"]), None);
        let message = check(0o644, &secret).expect("a finding");
        assert!(message.contains("read by everyone") && !message.contains("abc-secret"));
        assert!(check(0o646, &[]).is_some_and(|found| found.contains("changed by everyone")));
        assert!(is_secret("GITHUB_TOKEN") && is_secret("x-api-key") && !is_secret("MODE"));
    }
}
