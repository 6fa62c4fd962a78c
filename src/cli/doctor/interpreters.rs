//! What is known of the programs that plugins are usually started with.

use std::path::Path;

/// Programs whose version is worth a line.
pub(super) const KNOWN: [&str; 12] = [
    "node", "npx", "npm", "bun", "deno", "python3", "python", "uv", "uvx", "pipx", "docker",
    "podman",
];

/// Those that read the file which is their first argument.
const READERS: [&str; 8] = [
    "node", "python3", "python", "sh", "bash", "ruby", "perl", "php",
];

/// The name of a program without its folder.
pub(super) fn name_of(program: &str) -> &str {
    let name = Path::new(program).file_name();
    name.and_then(|name| name.to_str()).unwrap_or(program)
}

/// Whether the program reads the file that its first argument names.
pub(super) fn reads_a_file(program: &str) -> bool {
    READERS.contains(&name_of(program))
}

/// How a program comes to be on PATH.
pub(super) fn how_to_get(program: &str) -> &'static str {
    match program {
        "node" | "npx" | "npm" => {
            "install Node.js, or start the gateway with a PATH that leads to it"
        }
        "uv" | "uvx" => "install uv, or start the gateway with a PATH that leads to it",
        "python" => "install Python, or write `python3`",
        "python3" => "install Python 3",
        "docker" => "install Docker, or start the gateway with a PATH that leads to it",
        _ => "install it, or write its whole path into `mcp_stdio.command`",
    }
}
