//! What runs between fork and the plugin's command: the gateway's own program under another first argument.

use std::ffi::OsString;

/// The first argument that makes the gateway's program the helper.
pub const HELPER_ARGUMENT: &str = "__become";

/// The pid of a gateway that a process is to outlive.
pub(super) const NOBODY: u32 = 0;

/// Becomes the command in `arguments`: the gateway's pid first, then the terms it is bound to. Comes back only when that
/// fails, with the reason.
#[cfg(unix)]
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> String {
    use std::os::unix::process::CommandExt;

    let parent = arguments
        .next()
        .and_then(|pid| pid.to_str()?.parse::<u32>().ok());
    let terms = crate::runtime::process::bounds::Terms::read(&mut arguments);
    let (Some(terms), Some(program)) = (terms, arguments.next()) else {
        return "no command".into();
    };
    if parent != Some(NOBODY) {
        die_with(parent);
    }
    // Before the bounds: those on files would be in the way.
    close_fds::set_fds_cloexec(3, &[]);
    for directory in &terms.join {
        crate::runtime::process::cgroup::join(directory);
    }
    crate::runtime::process::limits::accept(&terms);
    if let Some(terms) = &terms.confine
        && let Err(why) = crate::runtime::process::confined::confine(terms, program.as_ref())
    {
        return format!("{} {why}", crate::runtime::process::confined::NOT_CONFINED);
    }
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
fn die_with(parent: Option<u32>) {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    if set_parent_process_death_signal(Some(Signal::KILL)).is_err() {
        return;
    }
    // The gateway may have died before we asked.
    let now = getppid().and_then(|pid| u32::try_from(pid.as_raw_pid()).ok());
    if parent.is_some() && now != parent {
        rustix::process::kill_process(rustix::process::getpid(), Signal::KILL).ok();
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn die_with(_: Option<u32>) {}
