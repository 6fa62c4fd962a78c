//! Where programs may read, write and work.

use std::path::{Path, PathBuf};

use crate::builtin::shell::settings::Settings;
use crate::plugin::Same;

/// What programs and their libraries are made of, and what tells of the machine. Nothing of it is secret to its users. Of `/sys` it
/// is what tells of processors, memory and block devices only: reading others there may do something.
const SYSTEM: &[&str] = &[
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/sbin",
    "/usr",
    "/proc",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/fs/cgroup",
    "/etc/alternatives",
    "/etc/debian_version",
    "/etc/fstab",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/localtime",
    "/etc/lsb-release",
    "/etc/machine-id",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/mtab",
    "/etc/networks",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/terminfo",
    "/etc/timezone",
    "/run/systemd/resolve",
    "/run/utmp",
    "/var/run/utmp",
];

/// Links to the directories of block devices.
const BLOCK_DEVICES: &str = "/sys/block";

/// What no directory of the operator's may hold, or lie in: the kernel cannot take it out of a directory again.
const SECRET: &[&str] = &[
    "/boot",
    "/dev",
    "/etc/gshadow",
    "/etc/shadow",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/proc",
    "/root",
    "/run/secrets",
    "/sys",
    "/var/lib/toolgate",
];

/// Directories that hold homes.
const HOMES: &[&str] = &["/home", "/Users"];

/// What in a home is nobody's business.
const SECRET_IN_HOMES: &[&str] = &[".aws", ".gnupg", ".kube", ".ssh"];

/// The places of the settings, as the paths they lead to.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) read: Vec<PathBuf>,
    pub(super) write: Vec<PathBuf>,
    /// What both were when they were looked at. With that, who may change what lies above them does not matter: what is put in
    /// their place is not given away.
    pub(super) same: Vec<Same>,
}

impl Places {
    /// Looks at the directories of the settings. The error names the key.
    pub(super) fn of(settings: &Settings) -> Result<Self, String> {
        let all = |key: &str, directories: &[PathBuf]| -> Result<Vec<PathBuf>, String> {
            let each = directories.iter().enumerate();
            each.map(|(at, path)| checked(path).map_err(|why| format!("`{key}[{at}]`: {why}")))
                .collect()
        };
        let read = all("directories", &settings.directories)?;
        let write = all("write_directories", &settings.write_directories)?;
        for (at, path) in read.iter().enumerate() {
            let above = write.iter().find(|above| path.starts_with(above));
            if let (Some(above), false) = (above, write.contains(path)) {
                return Err(format!(
                    "`directories[{at}]`: `{}` lies in `{}` of `write_directories`, so that a program that writes there could put another in its place: name it in `write_directories` as well if it may be changed, or keep them apart",
                    path.display(),
                    above.display()
                ));
            }
        }
        let each = read.iter().chain(&write).cloned();
        let same = each.map(Same::of).collect::<Result<_, _>>();
        let same = same.map_err(|err| format!("`directories`: {err}"))?;
        Ok(Self { read, write, same })
    }

    /// What of the system's may be read.
    pub(super) fn system() -> impl Iterator<Item = PathBuf> {
        let devices = std::fs::read_dir(BLOCK_DEVICES).into_iter().flatten();
        let devices = devices.filter_map(|entry| entry.ok()?.path().canonicalize().ok());
        let system = SYSTEM.iter().chain([&BLOCK_DEVICES]);
        system.map(PathBuf::from).chain(devices)
    }

    /// The directory to work in: the one that is asked for, which must lie in those of the settings, or the first; `home` where
    /// there is none.
    pub(super) fn working(
        &self,
        wanted: Option<&str>,
        home: &Path,
        write: bool,
    ) -> Result<PathBuf, String> {
        let (own, other) = match write {
            true => (&self.write, &self.read),
            false => (&self.read, &self.write),
        };
        let known: Vec<&PathBuf> = match write {
            true => own.iter().chain(other).collect(),
            false => own.iter().collect(),
        };
        let Some(wanted) = wanted else {
            return Ok(known
                .first()
                .map_or_else(|| home.to_owned(), |first| (*first).clone()));
        };
        let asked = match known.first() {
            Some(first) => first.join(wanted),
            None => home.join(wanted),
        };
        let outside = || {
            let names: Vec<String> = known
                .iter()
                .map(|path| format!("`{}`", path.display()))
                .collect();
            let names = match names.is_empty() {
                true => "the operator's settings name none (`directories`)".to_owned(),
                false => format!("it must lie in {}", names.join(", ")),
            };
            format!("`directory` cannot be `{wanted}`: {names}")
        };
        // What lies outside is not looked at, also not for whether it is there.
        let real = asked.canonicalize().map_err(|err| {
            match known.iter().any(|known| asked.starts_with(known)) {
                true => format!("`directory`: `{wanted}`: {err}"),
                false => outside(),
            }
        })?;
        match known.iter().any(|known| real.starts_with(known)) {
            true if real.is_dir() => Ok(real),
            true => Err(format!("`directory`: `{wanted}` is no directory")),
            false => Err(outside()),
        }
    }
}

/// A directory of the settings, if it is one that may be given away.
fn checked(path: &Path) -> Result<PathBuf, String> {
    let shown = path.display();
    if !path.is_absolute() {
        return Err(format!("`{shown}` must be absolute"));
    }
    let real = path
        .canonicalize()
        .map_err(|err| format!("`{shown}`: {err}"))?;
    if !real.is_dir() {
        return Err(format!("`{shown}` is no directory"));
    }
    let overlaps =
        |secret: &&&str| real.starts_with(secret) || Path::new(secret).starts_with(&real);
    let homes = HOMES.iter().find(|homes| real == Path::new(homes)).copied();
    let secret = SECRET.iter().find(overlaps).copied().or(homes);
    if let Some(secret) = secret {
        return Err(format!(
            "`{shown}` cannot be given to programs because of `{secret}`: name the directories that are needed, which do not hold it"
        ));
    }
    let in_home = SECRET_IN_HOMES.iter().find(|name| real.join(name).exists());
    match in_home {
        Some(name) => Err(format!(
            "`{shown}` cannot be given to programs because it holds `{name}`: name the directories in it that are needed"
        )),
        None => Ok(real),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_secrets_is_not_given_away() {
        for (path, part) in [
            ("/", "because of `/boot`"),
            ("/etc", "because of `/etc/gshadow`"),
            ("/proc/self", "because of `/proc`"),
            ("/dev", "because of `/dev`"),
            ("etc", "must be absolute"),
            ("/nowhere/at/all", "No such file"),
            ("/etc/passwd", "is no directory"),
        ] {
            let told = checked(Path::new(path)).expect_err(path);
            assert!(told.contains(part), "{path}: {told}");
        }
        let folder = tempfile::tempdir().expect("a directory");
        assert!(checked(folder.path()).is_ok());
        std::fs::create_dir(folder.path().join(".ssh")).expect("made");
        assert!(
            checked(folder.path())
                .expect_err("a home")
                .contains("`.ssh`")
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_out() {
        let folder = tempfile::tempdir().expect("a directory");
        let root = folder.path().canonicalize().expect("it is there");
        let inside = root.join("inside");
        std::fs::create_dir_all(inside.join("sub")).expect("made");
        std::fs::write(inside.join("file"), "").expect("written");
        std::os::unix::fs::symlink(&root, inside.join("out")).expect("made");
        let places = Places {
            read: vec![inside.clone()],
            ..Places::default()
        };
        let ask = |wanted: Option<&str>| places.working(wanted, Path::new("/"), false);
        assert_eq!(ask(None), Ok(inside.clone()));
        assert_eq!(ask(Some("sub")), Ok(inside.join("sub")));
        assert_eq!(
            ask(Some(&inside.join("sub").display().to_string())),
            Ok(inside.join("sub"))
        );
        for (wanted, part) in [
            ("out", "it must lie in"),
            ("..", "it must lie in"),
            ("/etc", "it must lie in"),
            ("/nowhere", "it must lie in"),
            ("missing", "No such file"),
            ("file", "is no directory"),
        ] {
            let told = ask(Some(wanted)).expect_err(wanted);
            assert!(told.contains(part), "{wanted}: {told}");
        }
        let told = Places::default().working(Some("/etc"), Path::new("/"), false);
        assert!(told.expect_err("there are none").contains("name none"));
    }
}
