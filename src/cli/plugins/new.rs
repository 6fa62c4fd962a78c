//! `toolgate plugins new`: writes the skeleton of a plugin.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::{Context, failure, output};

/// What stands for the plugin's name in skeletons. Both Rust skeletons are packages of one workspace, so their names
/// differ.
const STAND_INS: [&str; 2] = ["greeter-in-process", "greeter"];

/// What the manifest of a package ends with that lies below some other workspace, or may one day.
const OWN_WORKSPACE: &str = "\n# It stands by itself, wherever it lies.\n[workspace]\n";

/// What the crate of a plugin in process finds toolgate by, in its skeleton.
const STAND_IN_SOURCES: &str = r#"toolgate = { path = "../.." }"#;

/// Names that a package cannot have, because something it needs has them.
const TAKEN: [&str; 14] = [
    "alloc",
    "core",
    "crate",
    "mcp",
    "node",
    "proc-macro",
    "rmcp",
    "self",
    "std",
    "super",
    "test",
    "tokio",
    "toolgate",
    "zod",
];

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The name of the plugin, which becomes its id: letters a-z, digits and single hyphens, the first a letter.
    name: String,
    /// How it is to run.
    #[arg(long, value_enum, default_value_t = Runtime::McpStdio)]
    runtime: Runtime,
    /// What it is to be written in.
    #[arg(long, value_enum)]
    language: Language,
    /// Where its folder is made. [default: here]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The folder with toolgate's own sources, for a plugin in process.
    #[arg(long, value_name = "DIR")]
    sources: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Runtime {
    /// Compiled into a gateway of its own.
    InProcess,
    /// A child process that speaks MCP.
    McpStdio,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    Rust,
    Python,
    #[value(name = "typescript")]
    TypeScript,
}

/// The files of a skeleton: where each goes, and its text.
type Skeleton = &'static [(&'static str, &'static str)];

macro_rules! skeleton {
    ($folder:literal: $($file:literal $(as $name:literal)?),* $(,)?) => {
        &[$((
            skeleton!(@name $file $($name)?),
            include_str!(concat!("../../../skeletons/", $folder, "/", $file)),
        )),*]
    };
    (@name $file:literal $name:literal) => { $name };
    (@name $file:literal) => { $file };
}

const RUST_IN_PROCESS: Skeleton = skeleton!("rust-in-process":
    "plugin.toml", "Cargo.toml", "src/main.rs", "README.md", "gitignore" as ".gitignore");

const RUST_STDIO: Skeleton = skeleton!("rust-stdio":
    "plugin.toml", "Cargo.toml", "src/main.rs", "scripts/build.sh", "README.md", "gitignore" as ".gitignore");

const PYTHON_STDIO: Skeleton = skeleton!("python-stdio":
    "plugin.toml", "server.py", "requirements.txt", "scripts/build.sh", "README.md", "gitignore" as ".gitignore");

const TYPESCRIPT_STDIO: Skeleton = skeleton!("typescript-stdio":
    "plugin.toml", "package.json", "tsconfig.json", "src/server.ts", "scripts/build.sh", "README.md",
    "gitignore" as ".gitignore");

pub(in crate::cli) fn run(context: &Context<'_>, arguments: &Arguments) -> ExitCode {
    let name = &arguments.name;
    if let Some(why) = refusal(name) {
        return failure(&why);
    }
    let Some(skeleton) = skeleton_of(arguments.runtime, arguments.language) else {
        return failure(
            "only Rust can be compiled into a gateway: --language rust, or --runtime mcp_stdio",
        );
    };
    let parent = arguments.dir.as_deref().unwrap_or(Path::new(""));
    let shown = parent.join(name);
    let folder = context.env.absolute(&shown);
    let toolgate = match &arguments.sources {
        None => format!("toolgate = \"{}\"", env!("CARGO_PKG_VERSION")),
        Some(sources) => match std::fs::canonicalize(context.env.absolute(sources)) {
            Ok(sources) => format!(
                "toolgate = {{ path = {:?} }}",
                sources.display().to_string()
            ),
            Err(err) => return failure(&format!("`{}`: {err}", sources.display())),
        },
    };
    match write(skeleton, &folder, name, &toolgate) {
        Ok(()) => {}
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
            return failure(&format!(
                "`{}` is there already; nothing was written",
                shown.display()
            ));
        }
        Err(err) => return failure(&format!("`{}` cannot be written: {err}", shown.display())),
    }
    output::say(&next_steps(&shown, arguments));
    ExitCode::SUCCESS
}

/// Why a plugin cannot have that name.
fn refusal(name: &str) -> Option<String> {
    let is_word = |word: &str| {
        let mut bytes = word.bytes();
        !word.is_empty() && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    if !starts_well || name.len() > 48 || !name.split('-').all(is_word) {
        return Some(format!(
            "`{name}` cannot be the name: at most 48 letters a-z, digits and single hyphens are, the first a letter"
        ));
    }
    TAKEN
        .contains(&name)
        .then(|| format!("`{name}` cannot be the name: something the plugin needs has it"))
}

fn skeleton_of(runtime: Runtime, language: Language) -> Option<Skeleton> {
    match (runtime, language) {
        (Runtime::InProcess, Language::Rust) => Some(RUST_IN_PROCESS),
        (Runtime::InProcess, Language::Python | Language::TypeScript) => None,
        (Runtime::McpStdio, Language::Rust) => Some(RUST_STDIO),
        (Runtime::McpStdio, Language::Python) => Some(PYTHON_STDIO),
        (Runtime::McpStdio, Language::TypeScript) => Some(TYPESCRIPT_STDIO),
    }
}

/// Writes a skeleton into a folder that must not be there.
fn write(skeleton: Skeleton, folder: &Path, name: &str, toolgate: &str) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::create_dir(folder)?;
    for (file, text) in skeleton {
        let path = folder.join(file);
        if let Some(inner) = path.parent() {
            std::fs::create_dir_all(inner)?;
        }
        let text = text.replace(STAND_IN_SOURCES, toolgate);
        let named = |text: String, stand_in: &&str| text.replace(stand_in, name);
        let mut text = STAND_INS.iter().fold(text, named);
        if *file == "Cargo.toml" {
            text += OWN_WORKSPACE;
        }
        std::fs::write(&path, text)?;
        #[cfg(unix)]
        if file.ends_with(".sh") {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

fn next_steps(folder: &Path, arguments: &Arguments) -> String {
    let folder = folder.display();
    let mut said = format!("Wrote the plugin `{}` into `{folder}`.\n", arguments.name);
    if arguments.runtime == Runtime::InProcess {
        if arguments.sources.is_none() {
            said += "Its Cargo.toml takes toolgate from the registry; --sources DIR takes it from a checkout.\n";
        }
        return said + &format!("Next: cd {folder} && cargo run -- plugins test .");
    }
    said + &format!("Next: toolgate plugins test {folder}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(Skeleton, &str); 4] = [
        (RUST_IN_PROCESS, "in_process"),
        (RUST_STDIO, "mcp_stdio"),
        (PYTHON_STDIO, "mcp_stdio"),
        (TYPESCRIPT_STDIO, "mcp_stdio"),
    ];

    #[test]
    fn a_name_fits_everywhere() {
        for name in ["a", "my-plugin", "x2-y3"] {
            assert_eq!(refusal(name), None);
        }
        for name in [
            "", "2x", "My", "a_b", "a--b", "-a", "a-", "a.b", "../a", "tokio",
        ] {
            assert!(refusal(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_skeleton_is_a_plugin_of_the_new_name_alone() {
        for (skeleton, runtime) in ALL {
            let root = tempfile::tempdir().expect("a folder");
            let folder = root.path().join("deep/my-plugin");
            write(skeleton, &folder, "my-plugin", "toolgate = \"9.9.9\"").expect("written");
            let manifest = std::fs::read_to_string(folder.join("plugin.toml")).expect("a manifest");
            let manifest = crate::manifest::parse_toml(&manifest).expect("a sound manifest");
            assert_eq!(manifest.id.as_str(), "my-plugin");
            assert_eq!(manifest.runtimes()[0].as_str(), runtime);
            assert!(!manifest.tools[0].examples.is_empty());
            for (file, text) in skeleton {
                let written = std::fs::read_to_string(folder.join(file)).expect("written");
                assert!(!written.contains("greeter"), "{file}");
                assert!(!text.contains("http"), "{file} names no host");
            }
            let again = write(skeleton, &folder, "my-plugin", "").expect_err("it is there");
            assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        }
    }

    #[test]
    fn rmcp_is_the_one_that_this_gateway_is_tried_with() {
        let lock = include_str!("../../../Cargo.lock");
        let (_, rest) = lock
            .split_once("name = \"rmcp\"\nversion = \"")
            .expect("it is locked");
        let (version, _) = rest.split_once('"').expect("a version");
        let manifest = include_str!("../../../skeletons/rust-stdio/Cargo.toml");
        assert!(manifest.contains(&format!("rmcp = {{ version = \"={version}\"")));
    }
}
