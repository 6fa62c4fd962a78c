//! The cgroups of Linux, where the gateway may make some below its own: a process cannot leave them, whatever it does.
//!
//! Which there are is found out once. Of version 2 whatever controllers are there are used, and `cgroup.kill` without any;
//! of version 1 the hierarchy that counts processes. Where there is nothing, the table of processes has to do.

use std::fs;
use std::path::{Path, PathBuf};

use crate::runtime::process::bounds::Bounds;

/// The kernel counts threads where the bound is on processes, so its bound is so many times that. It stops what grows
/// faster than anyone looks.
const THREADS_PER_PROCESS: u64 = 16;

/// The controllers of version 2 that are of use.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];

/// Where the gateway itself moves to, when it must make room for controllers: a cgroup with processes of its own cannot
/// give any to those below it (cgroups(7), "no internal processes").
const LEAF: &str = "gateway";

/// The directories of one gateway, one in each hierarchy.
#[derive(Debug, Default)]
pub(super) struct Cgroups(Vec<PathBuf>);

/// The directories of one child, below those.
#[derive(Debug, Default)]
pub(super) struct Cgroup(Vec<PathBuf>);

impl Cgroups {
    /// Makes directories `name` below the gateway's own cgroups, as far as it may.
    pub(super) fn make(name: &str) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let places = places(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        let made = places.into_iter().filter_map(|place| {
            let directory = place.join(name);
            fs::create_dir(&directory).ok()?;
            if is_unified(&place) {
                give_controllers(&place);
                enable(&directory);
            }
            Some(directory)
        });
        Self(made.collect())
    }

    /// Those that were made before, by the gateway that this process is the guard of.
    pub(super) fn known(directories: Vec<PathBuf>) -> Self {
        Self(directories)
    }

    pub(super) fn directories(&self) -> &[PathBuf] {
        &self.0
    }

    /// Makes those of a child that is about to be started.
    pub(super) fn of_child(&self, name: &str, bounds: &Bounds) -> Cgroup {
        let made = self.0.iter().filter_map(|parent| {
            let directory = parent.join(name);
            fs::create_dir(&directory).ok()?;
            bind(&directory, bounds);
            Some(directory)
        });
        Cgroup(made.collect())
    }

    /// Ends whatever is in them, and takes them away. `true` when they are gone.
    pub(super) fn end(&self) -> bool {
        self.0.iter().for_each(|directory| kill(directory));
        remove_all(&self.0)
    }
}

impl Cgroup {
    pub(super) fn directories(&self) -> &[PathBuf] {
        &self.0
    }

    /// The processes in it; `None` where there is no cgroup.
    pub(super) fn pids(&self) -> Option<Vec<u32>> {
        self.0.first().map(|directory| pids(directory))
    }

    /// Ends whatever is in it.
    pub(super) fn kill(&self) {
        self.0.iter().for_each(|directory| kill(directory));
    }

    /// Takes it away. `true` when it is gone, which what was ended just now may prevent for a moment.
    pub(super) fn remove(&self) -> bool {
        remove_all(&self.0)
    }

    /// Whether the kernel ended something in it because of its bound on memory.
    pub(super) fn was_out_of_memory(&self) -> bool {
        self.0.iter().any(|directory| {
            let events = fs::read_to_string(directory.join("memory.events")).unwrap_or_default();
            let mut lines = events.lines();
            lines.any(|line| {
                line.strip_prefix("oom_kill ")
                    .is_some_and(|count| count != "0")
            })
        })
    }
}

/// Puts this process into a cgroup.
pub(super) fn join(directory: &Path) {
    fs::write(directory.join("cgroup.procs"), "0").ok();
}

/// The gateway's own cgroups in the hierarchies that are of use (cgroups(7), proc(5)); the first is the best to ask who
/// is in it.
fn places(cgroup: &str, mountinfo: &str) -> Vec<PathBuf> {
    let own = |names: &str| {
        cgroup.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (known, path) = (parts.next()?, parts.next()?);
            (known == names || known.split(',').any(|known| known == names)).then_some(path)
        })
    };
    let place = |line: &str| {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        let mut system = system.split(' ');
        let (kind, options) = (system.next()?, system.nth(1).unwrap_or_default());
        let path = match kind {
            "cgroup2" => own("")?,
            "cgroup" if options.split(',').any(|option| option == "pids") => own("pids")?,
            _ => return None,
        };
        let below = path.strip_prefix(root.trim_end_matches('/'))?;
        let place = Path::new(point).join(below.trim_start_matches('/'));
        Some((kind != "cgroup2", place))
    };
    let mut places: Vec<(bool, PathBuf)> = mountinfo.lines().filter_map(place).collect();
    places.sort();
    places.dedup();
    places.into_iter().map(|(_, place)| place).collect()
}

fn is_unified(directory: &Path) -> bool {
    directory.join("cgroup.controllers").exists()
}

/// Lets the cgroups below the gateway's own have controllers. Where the gateway is alone in its own, as a service is, it
/// moves out of the way.
fn give_controllers(own: &Path) {
    let read = |file: &str| fs::read_to_string(own.join(file)).unwrap_or_default();
    let (there, given) = (read("cgroup.controllers"), read("cgroup.subtree_control"));
    let has = |list: &str, name: &str| list.split_whitespace().any(|known| known == name);
    let missing = |name: &&str| has(&there, name) && !has(&given, name);
    if !CONTROLLERS.iter().any(missing) {
        return;
    }
    let pid = std::process::id().to_string();
    if read("cgroup.procs").trim() == pid {
        let leaf = own.join(LEAF);
        fs::create_dir(&leaf).ok();
        fs::write(leaf.join("cgroup.procs"), pid).ok();
    }
    enable(own);
}

/// Gives each controller that is there to the cgroups below this one.
fn enable(directory: &Path) {
    for controller in CONTROLLERS {
        fs::write(
            directory.join("cgroup.subtree_control"),
            format!("+{controller}"),
        )
        .ok();
    }
}

/// Writes the bounds into the files that are there: which ones these are tells which controllers there are.
fn bind(directory: &Path, bounds: &Bounds) {
    let set = |file: &str, value: String| {
        let path = directory.join(file);
        if path.exists() {
            fs::write(path, value).ok();
        }
    };
    if let Some(bytes) = bounds.memory_bytes {
        set("memory.max", bytes.to_string());
        set("memory.oom.group", "1".to_owned());
    }
    if let Some(processes) = bounds.processes {
        set("pids.max", (processes * THREADS_PER_PROCESS).to_string());
    }
    set("cpu.weight.nice", bounds.nice.to_string());
}

fn pids(directory: &Path) -> Vec<u32> {
    let mut found = Vec::new();
    each_below(directory, &mut |directory| {
        let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
        found.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
    });
    // 0 is whoever cannot be seen from here.
    found.retain(|pid| *pid != 0);
    found
}

fn kill(directory: &Path) {
    let switch = directory.join("cgroup.kill");
    if switch.exists() && fs::write(switch, "1").is_ok() {
        return;
    }
    for pid in pids(directory) {
        crate::runtime::process::descendants::kill(pid);
    }
}

/// Takes these directories away, and what was made below them; whether all are gone.
fn remove_all(directories: &[PathBuf]) -> bool {
    for directory in directories {
        each_below(directory, &mut |directory| drop(fs::remove_dir(directory)));
    }
    !directories.iter().any(|directory| directory.exists())
}

/// Those below first.
fn each_below(directory: &Path, work: &mut impl FnMut(&Path)) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            each_below(&entry.path(), work);
        }
    }
    work(directory);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cgroup: &str, mountinfo: &str, expect: &[&str]) {
        let expect: Vec<PathBuf> = expect.iter().map(PathBuf::from).collect();
        assert_eq!(places(cgroup, mountinfo), expect, "{cgroup}\n{mountinfo}");
    }

    #[test]
    fn the_own_cgroup_is_found_where_its_hierarchy_is_mounted() {
        let unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
        check(
            "0::/system.slice/toolgate.service\n",
            unified,
            &["/sys/fs/cgroup/system.slice/toolgate.service"],
        );
        check("0::/\n", unified, &["/sys/fs/cgroup"]);
        let hybrid = "33 23 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
            34 23 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            35 23 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        check(
            "8:pids:/a\n4:memory:/b\n0::/c\n",
            hybrid,
            &["/sys/fs/cgroup/unified/c", "/sys/fs/cgroup/pids/a"],
        );
    }

    #[test]
    fn a_container_sees_a_part_of_the_hierarchy_only() {
        let mounted = "33 23 0:29 /docker/7 /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids";
        check("8:pids:/docker/7\n", mounted, &["/sys/fs/cgroup/pids"]);
        check("8:pids:/elsewhere\n", mounted, &[]);
        check("", mounted, &[]);
        check("8:pids:/docker/7\n", "", &[]);
    }

    #[test]
    fn bounds_go_to_the_controllers_that_are_there() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = |name: &str| folder.path().join(name);
        fs::write(file("pids.max"), "max").expect("written");
        let bounds = Bounds {
            memory_bytes: Some(1 << 20),
            processes: Some(10),
            ..Bounds::default()
        };
        bind(folder.path(), &bounds);
        let written = fs::read_to_string(file("pids.max")).expect("read");
        assert_eq!(written, "160");
        assert!(!file("memory.max").exists());
    }

    #[test]
    fn an_end_by_the_kernel_is_seen() {
        let folder = tempfile::tempdir().expect("a directory");
        let cgroup = Cgroup(vec![folder.path().to_owned()]);
        assert!(!cgroup.was_out_of_memory());
        for (count, expect) in [(0, false), (2, true)] {
            let events = format!("low 0\noom 1\noom_kill {count}\n");
            fs::write(folder.path().join("memory.events"), events).expect("written");
            assert_eq!(cgroup.was_out_of_memory(), expect);
        }
    }
}
