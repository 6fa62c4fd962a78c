//! The benchmark's programs in one: what the gateway is compared with, and what drives the load.

mod actor;
mod args;
mod drive;
mod echo;
mod echo_http;
mod echo_stdio;
mod envelope;
mod fan;
mod link;
mod list;
mod listen;
mod load;
mod mux;
mod prepared;
mod process;
mod proxy;
mod rounds;
mod scenes;
mod serve;
mod sessions;
mod start;
mod wish;

use std::process::ExitCode;

use crate::args::Args;

/// Why a program of the rig stopped; shown to whoever started it.
type Problem = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: rig PROGRAM [--flag value]…

programs to compare with (servers print `listening on URL` to stderr):
  echo-http   [--listen ADDR] [--threads N] [--tools N] [--scenes NAME]
                                                          an MCP server on bare hyper
  echo-stdio  [--tools N] [--scenes NAME]                 the same on stdin and stdout
  actor                                                   a legacy server on stdio that asks, changes, tells
  proxy       --to URL [--listen ADDR] [--threads N]      a minimal reverse proxy on hyper
  mux         [--listen ADDR] [--threads N] -- COMMAND…   HTTP in front of one stdio server
  fan         [--listen ADDR]                             writes one event to every listener

load (each prints one line of JSON):
  drive       --url URL [--tool NAME] [--era modern|legacy] [--connections N] [--bytes N]
              [--text code|plain] [--calls N | --ms N [--warm-ms N]] [--pid PID]
              [--count yes | --read URI]
  rounds      --url URL --tool NAME [--calls N | --at-once N] [--pid PID]
  listen      --url URL --tool NAME --pid PID [--watch yes] [--streams N] [--rounds N]
  sessions    --url URL [--sessions N] [--connections N] [--pid PID]
  list        --url URL [--calls N] [--pid PID]
  start       [--rounds N] -- COMMAND…";

fn main() -> ExitCode {
    let mut args = Args::from_process();
    let outcome = match args.program().as_deref() {
        Some("echo-http") => echo_http::run(args),
        Some("echo-stdio") => echo_stdio::run(args),
        Some("proxy") => proxy::run(args),
        Some("mux") => mux::run(args),
        Some("actor") => actor::run(args),
        Some("fan") => fan::run(args),
        Some("rounds") => rounds::run(args),
        Some("listen") => listen::run(args),
        Some("drive") => drive::run(args),
        Some("sessions") => sessions::run(args),
        Some("list") => list::run(args),
        Some("start") => start::run(args),
        Some(_) | None => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
