//! `toolgate serve`: the gateway over HTTP.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::{Context, failure, output, tokio_runtime};
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
    let log = match context.start_log("info") {
        Ok(log) => log,
        Err(code) => return code,
    };
    let mut loaded = match context.load() {
        Ok(loaded) => loaded,
        Err(problems) => return failure(&problems.to_string()),
    };
    if let Some(address) = arguments.listen {
        loaded.config.server.listen = address;
    }
    if let Some(problem) = exposed(&loaded.config.server, &loaded.config.auth) {
        return failure(&problem.to_string());
    }
    let runtime = match tokio_runtime(loaded.config.server.worker_threads) {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    raise_file_limit();
    become_subreaper();
    let code = runtime.block_on(async {
        let app = match context.app(&loaded, &log) {
            Ok(app) => app,
            Err(problems) => return failure(&problems.to_string()),
        };
        let address = loaded.config.server.listen;
        let (front, address) = match app.open_http(address).await {
            Ok(opened) => opened,
            Err(err) => return failure(&format!("could not listen on {address}: {err}; is another gateway running there?")),
        };
        app.start();
        output::complain(&format!("listening on http://{address}"));
        let signal = signalled().await;
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
            signal = signalled() => tracing::warn!("Ending at once after a second {signal}"),
            () = tokio::time::sleep(drain + LAST_RESORT) => tracing::error!("Could not stop in time"),
        }
        ExitCode::SUCCESS
    });
    runtime.shutdown_background();
    code
}

/// Waits for SIGTERM or SIGINT.
#[cfg(unix)]
pub(super) async fn signalled() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};

    let (Ok(mut term), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(super) async fn signalled() -> &'static str {
    match tokio::signal::ctrl_c().await {
        Ok(()) => "Ctrl-C",
        Err(_) => std::future::pending().await,
    }
}
