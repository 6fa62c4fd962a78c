//! Directories that nobody else can look into or put things into, at places that others can guess.

use std::io;
use std::path::{Path, PathBuf};

/// The directory `name` below `parent`, both of them this user's alone. Made when they are not there; refused when they
/// are someone else's, or links: whoever made them first could read and change what plugins keep there.
pub(crate) fn private_directory(parent: &Path, name: &str) -> io::Result<PathBuf> {
    let directory = parent.join(name);
    for path in [parent, &directory] {
        make(path)?;
        check(path)?;
    }
    Ok(directory)
}

/// Where what belongs to this user alone lies below `temp`. Named by the number of the user: names come from variables, which
/// may be missing, and then all users would share one.
#[cfg(unix)]
pub(crate) fn homes_of_user(temp: &Path) -> PathBuf {
    temp.join(format!("toolgate-{}", rustix::process::geteuid().as_raw()))
}

/// Where what belongs to this user alone lies below `temp`, which is the user's own.
#[cfg(not(unix))]
pub(crate) fn homes_of_user(temp: &Path) -> PathBuf {
    temp.join("toolgate")
}

#[cfg(unix)]
fn make(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(err) if err.kind() != io::ErrorKind::AlreadyExists => Err(err),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn check(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    let found = std::fs::symlink_metadata(path)?;
    if !found.is_dir()
        || found.uid() != rustix::process::geteuid().as_raw()
        || found.mode() & 0o077 != 0
    {
        let message = format!(
            "`{}` is not a directory of this user alone; remove it",
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(())
}

#[cfg(not(unix))]
fn make(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

#[cfg(not(unix))]
fn check(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_and_found_again() {
        let base = tempfile::tempdir().expect("a directory");
        let parent = base.path().join("homes");
        let made = private_directory(&parent, "p").expect("made");
        assert!(made.is_dir());
        assert_eq!(private_directory(&parent, "p").expect("found"), made);
    }

    #[test]
    fn directories_of_users_have_their_numbers() {
        let number = rustix::process::geteuid().as_raw();
        let expect = PathBuf::from(format!("/tmp/toolgate-{number}"));
        assert_eq!(homes_of_user(Path::new("/tmp")), expect);
    }

    #[test]
    fn a_link_to_elsewhere_is_refused() {
        let base = tempfile::tempdir().expect("a directory");
        let parent = base.path().join("homes");
        std::os::unix::fs::symlink(base.path(), &parent).expect("a link");
        let err = private_directory(&parent, "p").expect_err("refused");
        assert!(err.to_string().contains("homes"), "{err}");
    }

    #[test]
    fn a_directory_that_others_may_look_into_is_refused() {
        use std::os::unix::fs::PermissionsExt;

        let base = tempfile::tempdir().expect("a directory");
        let parent = base.path().join("homes");
        std::fs::create_dir(&parent).expect("made");
        std::fs::set_permissions(&parent, std::fs::Permissions::from_mode(0o755)).expect("set");
        assert!(private_directory(&parent, "p").is_err());
    }
}
