//! Ids and versions of other systems in the words of ours.

use std::str::FromStr;

use pep440_rs::PrereleaseKind;

use crate::model::plugin_id::{BadPluginId, PluginId};

/// The id with its capitals made small and its spaces dashes; anything else that an id cannot hold is an error.
pub(crate) fn native_id(text: &str) -> Result<PluginId, BadPluginId> {
    let small = text.trim().to_ascii_lowercase().replace(' ', "-");
    small.parse()
}

/// The version in SemVer: as it is, else filled up to three numbers, else what PEP 440 means by it. `None` when it is
/// none of these.
pub(crate) fn native_version(text: &str) -> Option<String> {
    if semver::Version::parse(text).is_ok() {
        return Some(text.to_owned());
    }
    let version = pep440_rs::Version::from_str(text).ok()?;
    if version.epoch() != 0 {
        return None;
    }
    let release = version.release();
    let number = |index: usize| release.get(index).copied().unwrap_or(0);
    let mut semver = format!("{}.{}.{}", number(0), number(1), number(2));
    let mut before = Vec::new();
    if let Some(pre) = version.pre() {
        let kind = match pre.kind {
            PrereleaseKind::Alpha => "alpha",
            PrereleaseKind::Beta => "beta",
            PrereleaseKind::Rc => "rc",
        };
        before.push(format!("{kind}.{}", pre.number));
    }
    before.extend(version.dev().map(|number| format!("dev.{number}")));
    if !before.is_empty() {
        semver.push_str(&format!("-{}", before.join(".")));
    }
    let more = release.iter().skip(3).map(u64::to_string);
    let post = version.post().map(|number| format!("post.{number}"));
    let local = version.local().iter().map(ToString::to_string);
    let build: Vec<String> = more.chain(post).chain(local).collect();
    if !build.is_empty() {
        semver.push_str(&format!("+{}", build.join(".")));
    }
    semver::Version::parse(&semver).is_ok().then_some(semver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lose_their_capitals_and_nothing_else() {
        for (text, expect) in [
            (
                "dev.jank.plugins.hello-world",
                "dev.jank.plugins.hello-world",
            ),
            ("extensia_mea", "extensia_mea"),
            ("My Plugin", "my-plugin"),
            ("Com.Example.X", "com.example.x"),
        ] {
            assert_eq!(native_id(text).expect(text).as_str(), expect);
        }
        for bad in ["", "_x", "@scope/x", "é", &"x".repeat(65)] {
            assert!(native_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn versions_become_semver() {
        for (text, expect) in [
            ("1.2.0", Some("1.2.0")),
            ("1.2.0-rc.1+x", Some("1.2.0-rc.1+x")),
            ("1", Some("1.0.0")),
            ("1.0", Some("1.0.0")),
            ("v2.1", Some("2.1.0")),
            ("0.1.0rc2", Some("0.1.0-rc.2")),
            ("1.0.dev3", Some("1.0.0-dev.3")),
            ("1.2.3.4", Some("1.2.3+4")),
            ("1.0.post1", Some("1.0.0+post.1")),
            ("1!2.0", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(native_version(text).as_deref(), expect, "{text}");
        }
    }
}
