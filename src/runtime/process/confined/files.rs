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

/// What is said of a place that is not what it was.
const SWAPPED: &str = "is not the one it was at the start: something else was put in its place; find out who did that, and start the plugin anew if it is meant";

/// Why a process is not confined.
pub(super) enum Failed {
    /// A place is not what it was. Nothing was done then.
    Swapped(String),
    /// The kernel cannot do all of it.
    Lacking(String),
}

impl From<RulesetError> for Failed {
    fn from(err: RulesetError) -> Self {
        Self::Lacking(format!("Landlock refused it: {err}"))
    }
}

/// Confines this process. What the kernel does not know is left out, and told.
pub(super) fn confine(terms: &Confinement, program: &Path) -> Result<(), Failed> {
    let status = restrict(terms, program)?;
    let why = match (status.ruleset, status.landlock) {
        (RulesetStatus::FullyEnforced, _) => return Ok(()),
        (_, LandlockStatus::NotEnabled) => {
            "this kernel has Landlock, but it is switched off (add `landlock` to the boot parameter `lsm=`)"
                .to_owned()
        }
        (_, LandlockStatus::NotImplemented) => {
            "this kernel has no Landlock (Linux 6.12 or later has all that is needed)".to_owned()
        }
        (_, LandlockStatus::Available { effective_abi, .. }) => format!(
            "this kernel's Landlock is too old ({effective_abi:?}, {WANTED:?} is needed: Linux 6.12 or later)"
        ),
    };
    Err(Failed::Lacking(why))
}

fn restrict(terms: &Confinement, program: &Path) -> Result<RestrictionStatus, Failed> {
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
    let created = ruleset.scope(scope)?.create()?;
    let look = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = AccessFs::from_all(WANTED) & !AccessFs::Execute;
    let start = AccessFs::Execute | AccessFs::ReadFile;
    let program = terms.program.as_deref().unwrap_or(program);
    let mut rules = Rules { terms, created };
    rules = rules.allow(terms.read.iter().map(PathBuf::as_path), look)?;
    rules = rules.allow(DEVICES.iter().map(Path::new), look)?;
    rules = rules.allow(terms.write.iter().map(PathBuf::as_path), write)?;
    rules = rules.allow([Path::new("/dev/null")], look | AccessFs::WriteFile)?;
    rules = rules.allow(terms.start.iter().map(PathBuf::as_path), start)?;
    rules = rules.allow(loaders().iter().map(PathBuf::as_path), start)?;
    rules = rules.allow([program], start)?;
    Ok(rules.created.restrict_self()?)
}

/// Rules that are being made.
struct Rules<'a> {
    terms: &'a Confinement,
    created: RulesetCreated,
}

impl Rules<'_> {
    /// Allows this for the files that are there, and below the directories. One is open at a time: there may be few.
    fn allow<'a>(
        mut self,
        paths: impl IntoIterator<Item = &'a Path>,
        access: BitFlags<AccessFs>,
    ) -> Result<Self, Failed> {
        for path in paths {
            let Some(place) = open(self.terms, path)? else {
                continue;
            };
            let is_directory = fstat(&place)
                .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory);
            let access = match is_directory {
                true => access,
                false => access & AccessFs::from_file(WANTED),
            };
            self.created = self.created.add_rule(PathBeneath::new(place, access))?;
        }
        Ok(self)
    }
}

/// Opens a place of these terms, to name it only; `None` where there is none. It may have to be what it was.
fn open(terms: &Confinement, path: &Path) -> Result<Option<OwnedFd>, Failed> {
    let Some(same) = terms.same.iter().find(|same| same.path == path) else {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        return Ok(rustix::fs::open(path, flags, Mode::empty()).ok());
    };
    let shown = path.display();
    let swapped = |why: &str| Failed::Swapped(format!("`{shown}` {why}"));
    let opened = match open_without_links(path) {
        Ok(opened) => opened,
        Err(Errno::MFILE | Errno::NFILE) => {
            return Err(swapped(
                "could not be opened: there are too many files open",
            ));
        }
        Err(_) => return Err(swapped(SWAPPED)),
    };
    let is_same = fstat(&opened).is_ok_and(|found| {
        // The number of what was removed may be that of a link by now.
        (found.st_dev, found.st_ino) == (same.device, same.inode)
            && FileType::from_raw_mode(found.st_mode) != FileType::Symlink
    });
    match is_same {
        true => Ok(Some(opened)),
        false => Err(swapped(SWAPPED)),
    }
}

/// Opens a path that must hold no links. Without `openat2` its end must be none, and what it leads to tells the rest.
fn open_without_links(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Err(Errno::NOSYS | Errno::PERM) => {
            rustix::fs::open(path, flags | OFlags::NOFOLLOW, Mode::empty())
        }
        opened => opened,
    }
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
