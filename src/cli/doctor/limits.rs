//! What the system lets the gateway have: open files, watched directories.

use std::path::Path;

use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::Finding;
use crate::registry::discover::walked;
use crate::runtime::process::file_limit;

/// Files that the gateway has open besides connections and plugins.
const OWN_FILES: u64 = 64;

/// Files that one instance of a plugin takes: its three pipes, and the like of it for its end.
const FILES_PER_INSTANCE: u64 = 4;

/// Where Linux says how much may be watched.
const INOTIFY: &str = "/proc/sys/fs/inotify";

pub(super) fn look(ground: &Ground<'_>) -> Vec<Finding> {
    let config = &ground.loaded.config;
    let instances = ground
        .enabled()
        .map(|plugin| match plugin.manifest.mcp_stdio {
            Some(_) => u64::from(plugin.manifest.limits.max_instances),
            None => 0,
        });
    let wanted = OWN_FILES
        + config.server.max_connections as u64
        + FILES_PER_INSTANCE * instances.sum::<u64>();
    let mut findings = vec![files(wanted, file_limit())];
    if config.server.watch {
        let watched = walked(&config.plugin_dirs, &config.plugin_ignore).len() as u64 + 1;
        let limit = |name: &str| {
            let text = std::fs::read_to_string(Path::new(INOTIFY).join(name)).ok()?;
            text.trim().parse::<u64>().ok()
        };
        findings.extend(watches(
            watched,
            limit("max_user_watches"),
            limit("max_user_instances"),
        ));
    }
    findings
}

fn files(wanted: u64, limit: Option<u64>) -> Finding {
    const SUBJECT: &str = "open files";
    match limit.filter(|limit| *limit < wanted) {
        None => Finding::ok(SUBJECT, "as many as are ever needed"),
        Some(limit) => Finding::warn(
            SUBJECT,
            format!("at most {limit}, and all connections and instances together may need {wanted}"),
        )
        .mend("raise `ulimit -Hn` (`LimitNOFILE` of systemd), or lower `server.max_connections` and `limits.max_instances`"),
    }
}

/// Other programs of the user watch as well, so little room is no room.
fn watches(watched: u64, watches: Option<u64>, instances: Option<u64>) -> Option<Finding> {
    const SUBJECT: &str = "watching";
    let (watches, instances) = (watches?, instances?);
    if instances == 0 || watches < watched.saturating_mul(2) {
        let message = format!(
            "{watched} directories are to be watched, and the system allows {watches} in {instances} watchers for all programs of the user"
        );
        let mend = "raise `fs.inotify.max_user_watches` and `max_user_instances` (sysctl), or set `server.watch = false`";
        return Some(Finding::warn(SUBJECT, message).mend(mend));
    }
    Some(Finding::ok(SUBJECT, format!("{watched} directories")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Mark;

    #[test]
    fn what_is_allowed_is_compared_to_what_is_needed() {
        assert_eq!(files(100, None).mark, Mark::Ok);
        assert_eq!(files(100, Some(100)).mark, Mark::Ok);
        assert_eq!(files(100, Some(99)).mark, Mark::Warn);
        let mark = |watched, of, instances| watches(watched, of, instances).map(|one| one.mark);
        assert_eq!(mark(5, None, Some(1)), None);
        assert_eq!(mark(5, Some(8_192), Some(128)), Some(Mark::Ok));
        assert_eq!(mark(5_000, Some(8_192), Some(128)), Some(Mark::Warn));
        assert_eq!(mark(5, Some(8_192), Some(0)), Some(Mark::Warn));
    }
}
