//! The raw echo on stdin and stdout: one thread, one line in, one line out, written when no more input waits.

use std::io::{BufRead, BufReader, BufWriter, Write};

use crate::Problem;
use crate::args::Args;
use crate::echo::{Echo, Reply};

const BUFFER_BYTES: usize = 64 * 1024;

pub(crate) fn run(mut args: Args) -> Result<(), Problem> {
    let echo = Echo::from_args(&mut args)?;
    args.done()?;
    let mut input = BufReader::with_capacity(BUFFER_BYTES, std::io::stdin().lock());
    // Standard output as a file: its own line buffer would write each answer alone.
    let mut output = BufWriter::with_capacity(BUFFER_BYTES, stdout_file()?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(output.flush()?);
        }
        let answer = match echo.answer(&line)? {
            Reply::Answer(bytes) | Reply::Opened(bytes) => bytes,
            Reply::Told(messages) => messages.join(&b'\n'),
            Reply::List(id) => echo.list(&id),
            Reply::Nothing => continue,
        };
        output.write_all(&answer)?;
        output.write_all(b"\n")?;
        if input.buffer().is_empty() {
            output.flush()?;
        }
    }
}

#[cfg(unix)]
fn stdout_file() -> Result<std::fs::File, Problem> {
    use std::os::fd::AsFd;
    Ok(std::io::stdout().as_fd().try_clone_to_owned()?.into())
}

#[cfg(not(unix))]
fn stdout_file() -> Result<std::io::Stdout, Problem> {
    Ok(std::io::stdout())
}
