//! The resource `temp_dir`: a directory for one instance of a plugin, this user's alone, removed at its end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::runtime::process::private_directory;
use crate::session::table::new_id;

/// The variable that tells a child process where its directory is.
pub(crate) const VARIABLE: &str = "TOOLGATE_TEMP_DIR";

/// Such a directory. One that was not removed in time is removed when this goes out of scope.
#[derive(Debug)]
pub(crate) struct TempDir {
    path: PathBuf,
    removed: AtomicBool,
}

impl TempDir {
    /// Makes one below `parent`.
    pub(crate) fn make(parent: &Path, plugin: &PluginId) -> Result<Self, Fault> {
        let name = format!("{plugin}-{}", new_id());
        let made = private_directory(parent, &name);
        let path = made.map_err(|err| {
            let parent = parent.display();
            let message = format!(
                "plugin `{plugin}` cannot be given the resource `temp_dir` below `{parent}`: {err}; set `TMPDIR` to a directory that is the gateway's alone"
            );
            Fault::new(FaultKind::Unavailable, message)
                .because("missing_resource")
                .caused_by(err)
        })?;
        Ok(Self {
            path,
            removed: AtomicBool::new(false),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it with all that is in it. Idempotent; a failure is logged.
    pub(crate) async fn remove(&self) {
        if self.removed.swap(true, Ordering::Relaxed) {
            return;
        }
        let path = self.path.clone();
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(path)).await;
        note(&self.path, removed.unwrap_or(Ok(())));
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // After a start that failed there is little in it.
        if !*self.removed.get_mut() {
            note(&self.path, std::fs::remove_dir_all(&self.path));
        }
    }
}

fn note(path: &Path, removed: io::Result<()>) {
    match removed {
        Err(err) if err.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("Could not remove `{}`: {err}", path.display());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn one_that_cannot_be_made_is_told_with_its_place_and_the_mend() {
        let base = tempfile::tempdir().expect("a directory");
        let parent = base.path().join("homes");
        std::os::unix::fs::symlink(base.path(), &parent).expect("a link");
        let id: PluginId = "p".parse().expect("an id");
        let fault = TempDir::make(&parent, &id).expect_err("it is another's");
        let place = parent.display();
        for part in [
            format!("the resource `temp_dir` below `{place}`: "),
            "is not a directory of this user alone".to_owned(),
            "; set `TMPDIR` to".to_owned(),
        ] {
            assert!(fault.message.contains(&part), "{}", fault.message);
        }
    }

    #[tokio::test]
    async fn it_is_gone_afterwards_with_all_that_is_in_it() {
        let base = tempfile::tempdir().expect("a directory");
        let parent = base.path().join("homes");
        let id: PluginId = "p".parse().expect("an id");
        for removes in [true, false] {
            let made = TempDir::make(&parent, &id).expect("made");
            let path = made.path().to_owned();
            std::fs::write(path.join("file"), "x").expect("written");
            if removes {
                made.remove().await;
                made.remove().await;
            } else {
                drop(made);
            }
            assert!(!path.exists());
        }
    }
}
