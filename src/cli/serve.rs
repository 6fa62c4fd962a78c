//! `toolgate serve`: the gateway over HTTP.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::{Begun, Context, failure, output};
use crate::config::check::exposed;
use crate::runtime::process::{become_subreaper, raise_file_limit};

/// How long after a signal the gateway may take in all beyond the drain time.
const LAST_RESORT: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where to listen; port 0 takes a free one. [default: `server.listen`, else 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> ExitCode {
    let Begun {
        log,
        mut loaded,
        runtime,
    } = match context.begin("info") {
        Ok(begun) => begun,
        Err(code) => return code,
    };
    if let Some(address) = arguments.listen {
        loaded.config.server.listen = address;
    }
    if let Some(problem) = exposed(&loaded.config.server, &loaded.config.auth) {
        return failure(&problem.to_string());
    }
    raise_file_limit();
    become_subreaper();
    let code = runtime.block_on(async {
        let app = match context.app(&loaded, &log) {
            Ok(app) => app,
            Err(problems) => return failure(&problems.to_string()),
        };
        let mut signals = match Signals::catch() {
            Ok(signals) => signals,
            Err(err) => return failure(&format!("could not catch signals: {err}")),
        };
        let address = loaded.config.server.listen;
        let (front, address) = match app.open_http(address).await {
            Ok(opened) => opened,
            Err(err) => return failure(&format!("could not listen on {address}: {err}; is another gateway running there?")),
        };
        app.start();
        output::complain(&format!("listening on http://{address}"));
        let signal = signals.next().await;
        tracing::info!("Stopping after {signal}");
        let drain = Duration::from_millis(loaded.config.server.drain_ms);
        let stop = async {
            let left = front.drain().await;
            if left > 0 {
                tracing::warn!(left, "Ended calls that were not over in time");
            }
            let tasks = app.stop().await;
            if !tasks.is_empty() {
                tracing::warn!("These tasks did not end: {}", tasks.join(", "));
            }
        };
        tokio::select! {
            () = stop => {}
            signal = signals.next() => tracing::warn!("Ending at once after a second {signal}"),
            () = tokio::time::sleep(drain + LAST_RESORT) => tracing::error!("Could not stop in time"),
        }
        ExitCode::SUCCESS
    });
    runtime.shutdown_background();
    code
}

/// The signals that ask the program to stop. They are caught from the moment this is made.
#[cfg(unix)]
pub(super) struct Signals([(&'static str, tokio::signal::unix::Signal); 2]);

#[cfg(unix)]
impl Signals {
    /// Must be called on the runtime.
    pub(super) fn catch() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self([
            ("SIGTERM", signal(SignalKind::terminate())?),
            ("SIGINT", signal(SignalKind::interrupt())?),
        ]))
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> &'static str {
        let [(term, terms), (interrupt, interrupts)] = &mut self.0;
        tokio::select! {
            _ = terms.recv() => term,
            _ = interrupts.recv() => interrupt,
        }
    }
}

/// What asks the program to stop.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Must be called on the runtime.
    pub(super) fn catch() -> std::io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            Err(_) => std::future::pending().await,
        }
    }
}
