//! What runs between fork and the plugin's command: the gateway's own program under another first argument.

use std::ffi::OsString;

/// The first argument that makes the gateway's program the helper.
pub const HELPER_ARGUMENT: &str = "__become";

/// Becomes the command in `arguments` (the gateway's pid first). Comes back only when that fails, with the reason.
#[cfg(unix)]
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> String {
    use std::os::unix::process::CommandExt;

    let parent = arguments
        .next()
        .and_then(|pid| pid.to_str()?.parse::<i32>().ok());
    let Some(program) = arguments.next() else {
        return "no command".into();
    };
    die_with(parent);
    close_fds::set_fds_cloexec(3, &[]);
    let err = std::process::Command::new(&program).args(arguments).exec();
    let hint = if err.kind() == std::io::ErrorKind::NotFound {
        "; is it installed?"
    } else {
        ""
    };
    format!("{}: {err}{hint}", program.to_string_lossy())
}

/// There is no helper where processes cannot become others.
#[cfg(not(unix))]
pub fn run(_: impl Iterator<Item = OsString>) -> String {
    "not on this system".into()
}

/// Asks the kernel to end this process when the gateway ends, however that happens.
#[cfg(target_os = "linux")]
fn die_with(parent: Option<i32>) {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    if set_parent_process_death_signal(Some(Signal::KILL)).is_err() {
        return;
    }
    // The gateway may have died before we asked.
    let now = getppid().map(rustix::process::Pid::as_raw_pid);
    if parent.is_some() && now != parent {
        rustix::process::kill_process(rustix::process::getpid(), Signal::KILL).ok();
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn die_with(_: Option<i32>) {}
