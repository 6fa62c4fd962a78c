//! What plugins ask for and the operator has not granted.

use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::{Finding, about};
use crate::config::resolve::ResolvedPlugin;
use crate::manifest::Grant;

pub(super) fn look(ground: &Ground<'_>) -> Vec<Finding> {
    ground.enabled().filter_map(check).collect()
}

fn check(plugin: &ResolvedPlugin) -> Option<Finding> {
    let (requests, grants) = (&plugin.manifest.requests, &plugin.grants);
    let id = &plugin.manifest.id;
    if requests.is_empty() {
        let found = Finding::problem(
            about(plugin),
            "asks for nothing that it could be granted, so nothing of it is there",
        );
        return Some(found.mend("add `TOOLS` to `requests` of its manifest"));
    }
    let word = |grant: &Grant| serde_json::to_string(grant).unwrap_or_default();
    let refused: Vec<String> = requests.difference(grants).map(word).collect();
    if refused.is_empty() {
        return None;
    }
    let wanted: Vec<String> = requests.iter().map(word).collect();
    let message = format!("asks for {} and is not granted that", refused.join(", "));
    let found = match !grants.is_empty() && !refused.contains(&word(&Grant::Tools)) {
        true => Finding::warn(about(plugin), message),
        false => Finding::problem(
            about(plugin),
            format!("{message}, so nothing of it is listed"),
        ),
    };
    Some(found.mend(format!(
        "where that is meant: `plugins.{id}.grants = [{}]`",
        wanted.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Mark;
    use crate::config::resolve::Source;
    use crate::manifest::parse_toml;

    #[test]
    fn what_is_not_granted_is_named() {
        let check = |requests: &str, grants: &[Grant]| {
            let text = format!(
                "id = 'p'\nversion = '1.0.0'\nruntime = 'in_process'\n{requests}\n[in_process]\nentry = 'builtin:p'\n"
            );
            let plugin = ResolvedPlugin {
                manifest: parse_toml(&text).expect("a sound manifest"),
                folder: None,
                source: Source::Builtin,
                enabled: true,
                grants: grants.iter().copied().collect(),
                layers: Default::default(),
                grants_chosen: false,
            };
            super::check(&plugin).map(|found| (found.mark, found.message))
        };
        assert_eq!(check("", &[Grant::Tools]), None);
        let (mark, message) = check("", &[]).expect("a finding");
        assert_eq!(mark, Mark::Problem);
        assert!(message.contains("\"TOOLS\""), "{message}");
        let (mark, message) =
            check("requests = ['TOOLS', 'ROUTES']", &[Grant::Tools]).expect("a finding");
        assert_eq!(mark, Mark::Warn);
        assert!(message.contains("\"ROUTES\"") && !message.contains("TOOLS"));
        assert_eq!(check("requests = ['ROUTES']", &[Grant::Routes]), None);
        let (mark, _) = check("requests = []", &[]).expect("a finding");
        assert_eq!(mark, Mark::Problem);
    }
}
