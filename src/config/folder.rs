//! One plugin by its folder, without the operator's file.

use std::path::Path;

use crate::config::Env;
use crate::config::load::Loaded;
use crate::config::resolve::{ResolvedPlugin, resolve};
use crate::manifest::problem::{Problem, Problems};

/// Reads the plugin in `folder`, which is absolute; paths and variables are filled in. `Err` holds every problem of it.
pub fn read_folder(folder: &Path, env: &Env) -> Result<ResolvedPlugin, Problems> {
    let mut loaded = Loaded::nothing(env);
    loaded.config.plugin_dirs = vec![folder.to_path_buf()];
    let mut resolution = resolve(&loaded, &[])?;
    let left_out = resolution.left_out.into_iter();
    let problems: Vec<Problem> = left_out.flat_map(|one| one.problems.0).collect();
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let place = folder.display();
    let problem = |message: String| Err(Problems(vec![Problem::new(message)]));
    match (resolution.plugins.pop(), resolution.plugins.is_empty()) {
        (Some(plugin), true) => Ok(plugin),
        (Some(_), false) => problem(format!(
            "there is more than one plugin in `{place}`: name the folder of one"
        )),
        (None, _) if !folder.is_dir() => problem(format!("there is no folder `{place}`")),
        (None, _) => problem(format!("there is no `plugin.toml` in `{place}`")),
    }
}
