//! Where plugins get their homes and temporary files.

use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::Finding;
use crate::runtime::process::private_directory;

const SUBJECT: &str = "homes of plugins";

/// A home that no plugin can have: ids do not begin with a dot.
const PROBE: &str = ".doctor";

pub(super) fn look(ground: &Ground<'_>) -> Vec<Finding> {
    let homes = &ground.launcher.homes;
    let probe = format!("{PROBE}-{}", std::process::id());
    let made = private_directory(homes, &probe).and_then(std::fs::remove_dir);
    vec![match made {
        Ok(()) => Finding::ok(SUBJECT, format!("{} can be written to", homes.display())),
        Err(err) => Finding::problem(SUBJECT, format!("{}: {err}", homes.display()))
            .mend("give the user of the gateway a directory of its own, and name it in `TMPDIR`"),
    }]
}
