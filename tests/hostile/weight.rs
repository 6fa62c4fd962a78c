//! What the server takes of the machine, alone and with children: memory, processes, processor time.

use std::process::{Command, ExitCode, Stdio};

use crate::family;
use crate::options::Options;

/// The first argument of a child that takes memory; how many MiB follows.
const HOG: &str = "--hog";

/// The first argument of a child that starts two more of its kind; for how many generations follows.
const BOMB: &str = "--bomb";

/// Is one of the children that this file starts, if the arguments say so.
pub(crate) fn child(arguments: &[String]) -> Option<ExitCode> {
    let [what, number] = arguments else {
        return None;
    };
    let number: u64 = number.parse().ok()?;
    match what.as_str() {
        HOG => take_memory(number),
        BOMB if number > 0 => {
            start(BOMB, number - 1);
            start(BOMB, number - 1);
        }
        BOMB => {}
        _ => return None,
    }
    Some(crate::park())
}

/// Takes so many MiB and keeps them. A little at a time: a test that fails is to leave some of the machine.
pub(crate) fn take_memory(mebibytes: u64) {
    for _ in 0..mebibytes {
        std::mem::forget(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

/// Takes so many MiB in a child.
pub(crate) fn take_memory_in_a_child(mebibytes: u64, options: &Options) {
    if let Some(pid) = start(HOG, mebibytes) {
        options.note(&format!("child {pid}"));
    }
}

/// Starts children that start children, for some generations.
pub(crate) fn multiply(generations: u64) {
    start(BOMB, generations);
}

/// Keeps so many processors busy.
pub(crate) fn burn(threads: u64) {
    for _ in 0..threads {
        std::thread::spawn(|| {
            loop {
                std::hint::spin_loop();
            }
        });
    }
}

/// Starts a grandchild that nothing ties to its parent: in a session of its own, with nothing in its environment.
pub(crate) fn stray(options: &Options) -> Option<u32> {
    let own = std::env::current_exe().expect("a program knows its path");
    let mut command = Command::new("setsid");
    command.arg(own).arg(family::ARGUMENT).env_clear();
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    let pid = quiet(&mut command)?;
    options.note(&format!("child {pid}"));
    Some(pid)
}

fn start(what: &str, number: u64) -> Option<u32> {
    let own = std::env::current_exe().expect("a program knows its path");
    quiet(Command::new(own).args([what, &number.to_string()]))
}

fn quiet(command: &mut Command) -> Option<u32> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Some(command.spawn().ok()?.id())
}
