//! Landlock: which files may be read, changed and started; that nobody outside is sent a signal.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus,
    PathBeneath, RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope,
};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;

use crate::plugin::Confinement;

/// What is asked for. A kernel that knows less is told of (6 came with Linux 6.12).
const WANTED: ABI = ABI::V6;

/// Where the loaders of programs are: the kernel starts them in a program's stead.
const LOADERS: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

/// Devices that hold nothing, which programs expect to find.
const DEVICES: [&str; 4] = ["/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// The places that a process may reach, opened: what they are is known by then.
pub(super) struct Places {
    read: Vec<OwnedFd>,
    write: Vec<OwnedFd>,
    start: Vec<OwnedFd>,
}

impl Places {
    /// Opens those that are there. An error where one is not what it was.
    pub(super) fn open(terms: &Confinement, program: &Path) -> Result<Self, String> {
        let program = terms.program.as_deref().unwrap_or(program);
        let all = |paths: &[PathBuf]| -> Result<Vec<OwnedFd>, String> {
            let opened = paths.iter().map(|path| open(terms, path));
            opened.filter_map(Result::transpose).collect()
        };
        let mut start = all(&terms.start)?;
        start.extend(open(terms, program)?);
        Ok(Self {
            read: all(&terms.read)?,
            write: all(&terms.write)?,
            start,
        })
    }

    /// Confines this process. What the kernel does not know is left out, and told.
    pub(super) fn confine(self, terms: &Confinement) -> Result<(), String> {
        let status = self
            .restrict(terms)
            .map_err(|err| format!("Landlock refused it: {err}"))?;
        match (status.ruleset, status.landlock) {
            (RulesetStatus::FullyEnforced, _) => Ok(()),
            (_, LandlockStatus::NotEnabled) => Err(
                "this kernel has Landlock, but it is switched off (add `landlock` to the boot parameter `lsm=`)"
                    .to_owned(),
            ),
            (_, LandlockStatus::NotImplemented) => Err(
                "this kernel has no Landlock (Linux 6.12 or later has all that is needed)".to_owned(),
            ),
            (_, LandlockStatus::Available { effective_abi, .. }) => Err(format!(
                "this kernel's Landlock is too old ({effective_abi:?}, {WANTED:?} is needed: Linux 6.12 or later)"
            )),
        }
    }

    fn restrict(self, terms: &Confinement) -> Result<RestrictionStatus, RulesetError> {
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(WANTED))?;
        if !terms.sockets.network {
            ruleset = ruleset.handle_access(AccessNet::from_all(WANTED))?;
        }
        let mut scope = Scope::from_all(WANTED);
        if terms.sockets.unix {
            scope.remove(Scope::AbstractUnixSocket);
        }
        let mut created = ruleset.scope(scope)?.create()?;
        let look = AccessFs::ReadFile | AccessFs::ReadDir;
        let write = AccessFs::from_all(WANTED) & !AccessFs::Execute;
        let start = AccessFs::Execute | AccessFs::ReadFile;
        let devices = DEVICES.iter().filter_map(|path| open_any(Path::new(path)));
        let null = open_any(Path::new("/dev/null"));
        let loaders = loaders();
        let loaders = loaders.iter().filter_map(|path| open_any(path));
        created = allow(created, self.read.into_iter().chain(devices), look)?;
        created = allow(created, self.write, write)?;
        created = allow(created, null, look | AccessFs::WriteFile)?;
        allow(created, self.start.into_iter().chain(loaders), start)?.restrict_self()
    }
}

/// Opens what a path leads to, to name it only. `None` where it is not there.
fn open_any(path: &Path) -> Option<OwnedFd> {
    rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// The same for a place of these terms, which may have to be what it was.
fn open(terms: &Confinement, path: &Path) -> Result<Option<OwnedFd>, String> {
    let Some(same) = terms.same.iter().find(|same| same.path == path) else {
        return Ok(open_any(path));
    };
    let opened = open_without_links(path).ok().filter(|opened| {
        fstat(opened).is_ok_and(|found| (found.st_dev, found.st_ino) == (same.device, same.inode))
    });
    opened.map(Some).ok_or_else(|| {
        format!(
            "`{}` is not the one it was at the start: something else was put in its place; find out who did that, and start the plugin anew if it is meant",
            path.display()
        )
    })
}

/// Opens a path that must hold no links. Without `openat2` its end must be none, and what it leads to tells the rest.
fn open_without_links(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Err(Errno::NOSYS | Errno::PERM) => rustix::fs::open(path, flags, Mode::empty()),
        opened => opened,
    }
}

/// Allows this for files, and below directories.
fn allow(
    mut created: RulesetCreated,
    places: impl IntoIterator<Item = OwnedFd>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    for place in places {
        let is_directory = fstat(&place)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory);
        let access = match is_directory {
            true => access,
            false => access & AccessFs::from_file(WANTED),
        };
        created = created.add_rule(PathBeneath::new(place, access))?;
    }
    Ok(created)
}

/// The programs that load others, by the names that they have everywhere.
fn loaders() -> Vec<PathBuf> {
    let entries = LOADERS
        .iter()
        .filter_map(|path| std::fs::read_dir(path).ok());
    let entries = entries.flatten().flatten();
    let is_loader = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("ld-") || name.starts_with("ld64.so"))
    };
    entries
        .map(|entry| entry.path())
        .filter(is_loader)
        .collect()
}
