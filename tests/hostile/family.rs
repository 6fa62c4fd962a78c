//! The server's own children, and how it becomes hard to end.

use std::process::{Command, ExitCode, Stdio};

use crate::options::Options;

/// The first argument of a grandchild, which does nothing and never ends.
pub(crate) const ARGUMENT: &str = "--grandchild";

/// Set in a process for which SIGTERM is ignored already.
const DEAF: &str = "HOSTILE_IS_DEAF";

pub(crate) fn is_deaf() -> bool {
    std::env::var_os(DEAF).is_some()
}

/// Starts itself again with SIGTERM ignored, which outlives `exec`. Comes back when that fails.
#[cfg(unix)]
pub(crate) fn become_deaf(arguments: &[String]) -> ExitCode {
    use std::os::unix::process::CommandExt;

    let own = std::env::current_exe().expect("a program knows its path");
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", r#"trap '' TERM; exec "$0" "$@""#])
        .arg(own)
        .args(arguments)
        .env(DEAF, "1");
    panic!("{}", command.exec())
}

#[cfg(not(unix))]
pub(crate) fn become_deaf(_: &[String]) -> ExitCode {
    ExitCode::FAILURE
}

/// Starts a grandchild that holds the pipes of its parent, one in a group of its own, and one in a session of its own;
/// says their pids.
#[cfg(unix)]
pub(crate) fn beget(options: &Options) -> Vec<u32> {
    use std::os::unix::process::CommandExt;

    let own = std::env::current_exe().expect("a program knows its path");
    let mut plain = Command::new(&own);
    plain.stdin(Stdio::null());
    let mut grouped = Command::new(&own);
    grouped
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .process_group(0);
    let mut session = Command::new("setsid");
    session
        .arg(&own)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = |command: &mut Command| {
        command
            .arg(ARGUMENT)
            .spawn()
            .expect("a grandchild starts")
            .id()
    };
    let pids: Vec<u32> = [&mut plain, &mut grouped, &mut session]
        .into_iter()
        .map(start)
        .collect();
    pids.iter()
        .for_each(|pid| options.note(&format!("child {pid}")));
    pids
}

#[cfg(not(unix))]
pub(crate) fn beget(_: &Options) -> Vec<u32> {
    Vec::new()
}
