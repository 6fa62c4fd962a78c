//! Looking at a child and its descendants from outside, and letting it crash: for trying out plugins.

/// Ends one process at once, and nothing else. `false` where that cannot be done.
#[cfg(unix)]
pub(crate) fn crash(pid: u32) -> bool {
    use rustix::process::{Pid, Signal, kill_process};

    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
}

/// Ends one process at once, and nothing else. `false` where that cannot be done.
#[cfg(not(unix))]
pub(crate) fn crash(_: u32) -> bool {
    false
}

/// The process `root` and those it and its children started, as far as the system tells: Linux does.
pub(crate) fn family(root: u32) -> Vec<u32> {
    let parents = parents();
    let mut family = vec![root];
    let mut at = 0;
    while at < family.len() {
        let parent = family[at];
        let children = parents.iter().filter(|(_, of)| *of == parent);
        let children: Vec<u32> = children.map(|(pid, _)| *pid).collect();
        family.extend(children.into_iter().filter(|pid| *pid != root));
        at += 1;
    }
    family
}

/// Those of these processes that run.
pub(crate) fn running(pids: &[u32]) -> Vec<u32> {
    let parents = parents();
    let runs = |pid: &&u32| parents.iter().any(|(known, _)| known == *pid);
    pids.iter().filter(runs).copied().collect()
}

/// Every process that has not ended, and its parent.
fn parents() -> Vec<(u32, u32)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parent = |pid: u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = text.rsplit_once(") ")?.1.split(' ');
        let has_ended = matches!(fields.next()?, "Z" | "X");
        (!has_ended).then_some((pid, fields.next()?.parse().ok()?))
    };
    pids.filter_map(parent).collect()
}
