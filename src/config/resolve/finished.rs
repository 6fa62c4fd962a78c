//! What becomes of a manifest that is sound: what it may do, and where its program is.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::resolve::Source;
use crate::manifest::{Grant, Manifest};

/// What is requested and granted. Where the operator does not say: a folder may offer its tools; a plugin the
/// operator wrote into the config, or that is compiled in, gets what it requests.
pub(super) fn granted(
    manifest: &Manifest,
    given: Option<&BTreeSet<Grant>>,
    source: &Source,
) -> BTreeSet<Grant> {
    let tools = BTreeSet::from([Grant::Tools]);
    let given = match (given, source) {
        (Some(grants), _) => grants,
        (None, Source::Folder(_)) => &tools,
        (None, Source::Builtin | Source::Config(_)) => &manifest.requests,
    };
    manifest.requests.intersection(given).copied().collect()
}

/// Makes the program and the working directory absolute.
pub(super) fn with_paths(
    mut manifest: Manifest,
    base: Option<&Path>,
    folder: Option<&Path>,
) -> Manifest {
    let (Some(base), Some(stdio)) = (base, &mut manifest.mcp_stdio) else {
        return manifest;
    };
    if let Some(program) = stdio.command.first_mut() {
        let path = Path::new(program.as_str());
        if path.is_relative()
            && path.components().count() > 1
            && let Some(absolute) = base.join(path).to_str()
        {
            *program = absolute.to_owned();
        }
    }
    stdio.cwd = match stdio.cwd.take() {
        Some(cwd) => Some(base.join(cwd)),
        None => folder.map(Path::to_path_buf),
    };
    manifest
}
