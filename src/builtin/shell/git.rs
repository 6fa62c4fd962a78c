//! `git`, where somebody lists it: a repository can name programs that it starts, in its settings and attributes, and who can
//! write to the repository can write these.

/// Settings that stand before those of the repository: what starts programs starts none.
const SETTINGS: [(&str, &str); 15] = [
    ("core.askPass", "false"),
    ("core.editor", "false"),
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.pager", "cat"),
    ("core.sshCommand", "false"),
    ("credential.helper", ""),
    ("diff.external", ""),
    ("diff.submodule", "short"),
    ("gpg.program", "false"),
    ("gpg.ssh.program", "false"),
    ("gpg.x509.program", "false"),
    ("log.showSignature", "false"),
    ("protocol.ext.allow", "never"),
    ("status.submoduleSummary", "false"),
];

/// Variables besides; nothing but the repository's own settings are read.
const VARIABLES: [(&str, &str); 7] = [
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_TERMINAL_PROMPT", "0"),
];

/// The subcommands that show differences, which programs of the repository's could make, and what keeps them from that.
const DIFFERENCES: [&str; 9] = [
    "diff",
    "diff-files",
    "diff-index",
    "diff-tree",
    "format-patch",
    "log",
    "reflog",
    "show",
    "whatchanged",
];
const OWN_DIFFERENCES: [&str; 2] = ["--no-ext-diff", "--no-textconv"];

/// Those that show files, which the repository's programs could make text of.
const FILES: [&str; 2] = ["annotate", "blame"];

/// Its variables.
pub(super) fn variables() -> impl Iterator<Item = (String, String)> {
    let settings = SETTINGS.iter().enumerate().flat_map(|(at, (key, value))| {
        [
            (format!("GIT_CONFIG_KEY_{at}"), (*key).to_owned()),
            (format!("GIT_CONFIG_VALUE_{at}"), (*value).to_owned()),
        ]
    });
    let count = ("GIT_CONFIG_COUNT".to_owned(), SETTINGS.len().to_string());
    let others = VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned()));
    settings.chain([count]).chain(others)
}

/// Its arguments, with those that keep it from starting programs of the repository's. Options before the subcommand are refused:
/// they would hide which it is.
pub(super) fn guarded(mut arguments: Vec<String>) -> Result<Vec<String>, String> {
    let first = arguments.first().map(String::as_str).unwrap_or_default();
    if first.starts_with('-') && first != "--version" {
        return Err(format!(
            "`{first}` stands before the subcommand of `git`: begin with the subcommand, and say `directory` instead of `-C`"
        ));
    }
    let guards = match first {
        first if DIFFERENCES.contains(&first) => &OWN_DIFFERENCES[..],
        first if FILES.contains(&first) => &OWN_DIFFERENCES[1..],
        _ => &[],
    };
    // `reflog` shows unless it is told otherwise.
    let shows = first != "reflog" || arguments.get(1).is_none_or(|word| word.starts_with('-'));
    if shows && !guards.is_empty() {
        arguments.splice(1..1, guards.iter().map(|guard| (*guard).to_owned()));
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subcommands_that_could_start_programs_are_kept_from_it() {
        let of = |line: &str| {
            let words = line.split(' ').map(str::to_owned).collect();
            guarded(words).map(|words| words.join(" "))
        };
        for (line, expect) in [
            ("log -3", "log --no-ext-diff --no-textconv -3"),
            ("show", "show --no-ext-diff --no-textconv"),
            ("blame a", "blame --no-textconv a"),
            ("reflog", "reflog --no-ext-diff --no-textconv"),
            ("reflog expire", "reflog expire"),
            ("status", "status"),
            ("--version", "--version"),
        ] {
            assert_eq!(of(line).as_deref(), Ok(expect), "{line}");
        }
        for line in ["-C x log", "--no-pager diff"] {
            assert!(
                of(line)
                    .expect_err(line)
                    .contains("begin with the subcommand")
            );
        }
    }
}
