//! `toolgate serve`: the gateway over HTTP.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::signals::{Signalled, Signals};
use crate::cli::{Begun, Context, Policy, failure, output, set_up, stop};
use crate::config::check::exposed;
use crate::front::config::ServerConfig;
use crate::runtime::process::{become_subreaper, raise_file_limit};

/// How long after a signal the gateway may take in all beyond the drain time.
const LAST_RESORT: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where to listen; port 0 takes a free one. [default: `server.listen`, else 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    #[command(flatten)]
    policy: Policy,
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
    arguments.policy.apply(&mut loaded);
    let address = arguments.listen.unwrap_or(loaded.config.server.listen);
    let as_started = ServerConfig {
        listen: address,
        ..loaded.config.server.clone()
    };
    if let Some(problem) = exposed(&as_started, &loaded.config.auth) {
        return failure(&problem.to_string());
    }
    raise_file_limit();
    become_subreaper();
    let code = runtime.block_on(async {
        let app = match context.serving_app(&loaded, &log) {
            Ok(app) => app,
            Err(problems) => return failure(&problems.to_string()),
        };
        let mut signals = match Signals::catch() {
            Ok(signals) => signals,
            Err(err) => return failure(&format!("could not catch signals: {err}")),
        };
        if let Err(code) = set_up(&app, &mut signals).await {
            return code;
        }
        let (front, address) = match app.open_http(address).await {
            Ok(opened) => opened,
            Err(err) => {
                stop(&app, &mut signals).await;
                return failure(&format!("could not listen on {address}: {err}; is another gateway running there?"));
            }
        };
        app.start();
        app.watch();
        output::complain(&format!("listening on http://{address}"));
        let signal = loop {
            match signals.next().await {
                Signalled::Stop(signal) => break signal,
                // What came of it is logged, and kept for the report.
                Signalled::Reload => app.reload(),
            }
        };
        tracing::info!("Stopping after {signal}");
        app.desk.control.close();
        let drain = Duration::from_millis(loaded.config.server.drain_ms);
        let stopping = async {
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
            () = stopping => {}
            signal = signals.stop() => tracing::warn!("Ending at once after a second {signal}"),
            () = tokio::time::sleep(drain + LAST_RESORT) => tracing::error!("Could not stop in time"),
        }
        ExitCode::SUCCESS
    });
    runtime.shutdown_background();
    code
}
