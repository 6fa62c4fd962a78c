//! `rig start`: from the start of a process to its first answer to `tools/list` over stdio, in CPU time of its own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Problem;
use crate::args::Args;
use crate::process::Process;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"rig","version":"0.1.0"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{}}"#;
/// How long a process has to end by itself once its input is closed.
const PATIENCE: Duration = Duration::from_secs(5);

/// One start, measured when the list arrived.
struct Started {
    cpu_ns: u64,
    wall: Duration,
    resident_kib: u64,
}

pub(crate) fn run(mut args: Args) -> Result<(), Problem> {
    let n_rounds: usize = args.get_or("rounds", 20)?;
    let command = args.command()?;
    args.done()?;
    let mut starts = Vec::new();
    for _ in 0..n_rounds.max(1) {
        starts.push(start(&command)?);
    }
    let mut median = |key: fn(&Started) -> f64| {
        starts.sort_by(|a, b| key(a).total_cmp(&key(b)));
        key(&starts[starts.len() / 2])
    };
    println!(
        r#"{{"cpu_ms":{:.3},"wall_ms":{:.3},"rss_kib":{}}}"#,
        median(|start| start.cpu_ns as f64 / 1e6),
        median(|start| start.wall.as_nanos() as f64 / 1e6),
        median(|start| start.resident_kib as f64),
    );
    Ok(())
}

fn start(command: &[String]) -> Result<Started, Problem> {
    let begun = Instant::now();
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let outcome = first_list(&mut child, begun);
    end(&mut child)?;
    outcome
}

fn first_list(child: &mut Child, begun: Instant) -> Result<Started, Problem> {
    let mut stdin = child.stdin.take().ok_or("the child has no stdin")?;
    let mut stdout = BufReader::new(child.stdout.take().ok_or("the child has no stdout")?);
    writeln!(stdin, "{INITIALIZE}")?;
    answer(&mut stdout, r#""id":1"#)?;
    writeln!(stdin, "{INITIALIZED}\n{LIST}")?;
    let list = answer(&mut stdout, r#""id":2"#)?;
    let wall = begun.elapsed();
    if !list.contains(r#""inputSchema""#) {
        return Err(format!("a list without tools: {list}").into());
    }
    let process = Process(child.id());
    Ok(Started {
        cpu_ns: process.cpu_ns()?,
        wall,
        resident_kib: process.resident_kib()?,
    })
}

/// The line with this id; notifications before it are passed over.
fn answer(stdout: &mut impl BufRead, id: &str) -> Result<String, Problem> {
    loop {
        let mut line = String::new();
        if stdout.read_line(&mut line)? == 0 {
            return Err("the process ended before it answered".into());
        }
        if line.contains(id) {
            return Ok(line);
        }
    }
}

/// Waits until the child, whose input is closed, has ended; kills it when it does not.
fn end(child: &mut Child) -> Result<(), Problem> {
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            return Err("the process went on after its input was closed".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
