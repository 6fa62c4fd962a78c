//! The program `toolgate`.

use std::process::ExitCode;

/// Where a call's time goes besides parsing is memory asked for and given back; see ARCHITECTURE.md for what this saves.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    toolgate::cli::main()
}
