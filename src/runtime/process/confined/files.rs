//! Landlock: which files may be read, changed and started; that nobody outside is sent a signal.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus,
    PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};

use crate::plugin::Confinement;

/// What is asked for. A kernel that knows less is told of (6 came with Linux 6.12).
const WANTED: ABI = ABI::V6;

/// Where the loaders of programs are: the kernel starts them in a program's stead.
const LOADERS: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

/// Devices that hold nothing, which programs expect to find.
const DEVICES: [&str; 4] = ["/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Confines this process. What the kernel does not know is left out, and told.
pub(super) fn confine(terms: &Confinement, program: &Path) -> Result<(), String> {
    let status = restrict(terms, program).map_err(|err| format!("Landlock refused it: {err}"))?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::FullyEnforced, _) => Ok(()),
        (_, LandlockStatus::NotEnabled) => Err(
            "this kernel has Landlock, but it is switched off (add `landlock` to the boot parameter `lsm=`)"
                .to_owned(),
        ),
        (_, LandlockStatus::NotImplemented) => {
            Err("this kernel has no Landlock (Linux 6.12 or later has all that is needed)".to_owned())
        }
        (_, LandlockStatus::Available { effective_abi, .. }) => Err(format!(
            "this kernel's Landlock is too old ({effective_abi:?}, {WANTED:?} is needed: Linux 6.12 or later)"
        )),
    }
}

fn restrict(
    terms: &Confinement,
    program: &Path,
) -> Result<landlock::RestrictionStatus, RulesetError> {
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
    created = allow(created, terms.read.iter().map(PathBuf::as_path), look)?;
    created = allow(created, DEVICES.iter().map(Path::new), look)?;
    created = allow(created, terms.write.iter().map(PathBuf::as_path), write)?;
    created = allow(
        created,
        [Path::new("/dev/null")],
        look | AccessFs::WriteFile,
    )?;
    let start = AccessFs::Execute | AccessFs::ReadFile;
    created = allow(created, terms.start.iter().map(PathBuf::as_path), start)?;
    created = allow(created, loaders().iter().map(PathBuf::as_path), start)?;
    allow(created, [program], start)?.restrict_self()
}

/// Allows this for the files that are there, and below the directories.
fn allow<'a>(
    mut created: RulesetCreated,
    paths: impl IntoIterator<Item = &'a Path>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    for path in paths {
        let Ok(place) = PathFd::new(path) else {
            continue;
        };
        let access = match path.is_dir() {
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
