//! What a process does to itself so that it, and all it will start, can reach no more of the machine than it is told.
//!
//! Landlock holds the files, signals and abstract sockets, seccomp the calls that Landlock does not know; rights of the
//! superuser are given up. None of it can be taken back.

#[cfg(all(feature = "shell", target_os = "linux"))]
mod calls;

#[cfg(all(feature = "shell", target_os = "linux"))]
mod files;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::plugin::{Confinement, Same};

/// How the helper begins what it says when a process cannot be confined.
pub(super) const NOT_CONFINED: &str = "not confined:";

/// What is told of sockets, by its word.
type Flag = fn(&mut Confinement) -> &mut bool;

const FLAGS: [(&str, Flag); 4] = [
    ("unix", |terms| &mut terms.sockets.unix),
    ("netlink", |terms| &mut terms.sockets.netlink),
    ("network", |terms| &mut terms.sockets.network),
    ("required", |terms| &mut terms.required),
];

/// A confinement as arguments of the helper.
pub(super) fn arguments(terms: &Confinement) -> Vec<OsString> {
    let paths = [
        ("read=", &terms.read),
        ("write=", &terms.write),
        ("start=", &terms.start),
    ];
    let mut told: Vec<OsString> = Vec::new();
    for (key, paths) in paths {
        let of = |path: &PathBuf| [OsStr::new(key), path.as_os_str()].into_iter().collect();
        told.extend(paths.iter().map(of));
    }
    for same in &terms.same {
        let known = format!("same={}:{}:", same.device, same.inode);
        told.push(
            [OsStr::new(&known), same.path.as_os_str()]
                .into_iter()
                .collect(),
        );
    }
    let program = terms.program.iter();
    told.extend(program.map(|path| {
        [OsStr::new("program="), path.as_os_str()]
            .into_iter()
            .collect()
    }));
    let mut terms = terms.clone();
    let flags = FLAGS.iter().filter(|(_, flag)| *flag(&mut terms));
    let mut flags: Vec<OsString> = flags
        .map(|(word, _)| format!("may={word}").into())
        .collect();
    told.append(&mut flags);
    // Even nothing at all is a confinement.
    told.push("may=".into());
    told
}

/// Reads one of these arguments. `None` where it is none.
pub(super) fn read(terms: &mut Confinement, key: &str, value: &str) -> Option<()> {
    match key {
        "read" => terms.read.push(value.into()),
        "write" => terms.write.push(value.into()),
        "start" => terms.start.push(value.into()),
        "program" => terms.program = Some(value.into()),
        "same" => {
            let (device, rest) = value.split_once(':')?;
            let (inode, path) = rest.split_once(':')?;
            terms.same.push(Same {
                path: path.into(),
                device: device.parse().ok()?,
                inode: inode.parse().ok()?,
            });
        }
        "may" if value.is_empty() => {}
        "may" => {
            let (_, flag) = FLAGS.iter().find(|(word, _)| *word == value)?;
            *flag(terms) = true;
        }
        _ => return None,
    }
    Some(())
}

/// Confines this process, which is about to become `program`. Where something cannot be done the rest is done all the same,
/// and told, if it is required; but nothing is done where a place is not what it was, which is always told.
#[cfg(all(feature = "shell", target_os = "linux"))]
pub(super) fn confine(terms: &Confinement, program: &Path) -> Result<(), String> {
    let files = match files::confine(terms, program) {
        Ok(()) => Ok(()),
        Err(files::Failed::Lacking(why)) => Err(why),
        Err(files::Failed::Swapped(why)) => return Err(why),
    };
    let rights = give_up_rights(!terms.write.is_empty());
    let calls = calls::confine(terms);
    match files.and(rights).and(calls) {
        Err(why) if terms.required => Err(why),
        _ => Ok(()),
    }
}

/// There is nothing to confine a process with.
#[cfg(not(all(feature = "shell", target_os = "linux")))]
pub(super) fn confine(terms: &Confinement, _: &Path) -> Result<(), String> {
    match terms.required {
        true => Err("this gateway was built without it, or for a system that has none".to_owned()),
        false => Ok(()),
    }
}

/// Gives up what the superuser may do beyond others, except to look, and to change files if `write`. What a process has
/// given up it does not get back from programs either, once it has sworn off new privileges.
#[cfg(all(feature = "shell", target_os = "linux"))]
fn give_up_rights(write: bool) -> Result<(), String> {
    use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

    let failed = |err| format!("its rights could not be given up: {err}");
    let now = capabilities(None).map_err(failed)?;
    let mut kept = CapabilitySet::DAC_READ_SEARCH;
    kept.set(CapabilitySet::DAC_OVERRIDE, write);
    rustix::thread::set_no_new_privs(true).map_err(failed)?;
    let sets = CapabilitySets {
        effective: now.effective & kept,
        permitted: now.permitted & kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(failed)
}
