//! `toolgate stdio`: the gateway for one client, on standard input and output.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use crate::cli::serve::signalled;
use crate::cli::{Context, failure, tokio_runtime};
use crate::runtime::process::{become_subreaper, raise_file_limit};

pub(super) fn run(context: &Context<'_>) -> ExitCode {
    let log = match context.start_log("info") {
        Ok(log) => log,
        Err(code) => return code,
    };
    let loaded = match context.load() {
        Ok(loaded) => loaded,
        Err(problems) => return failure(&problems.to_string()),
    };
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
        app.start();
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let serve = app.serve_stdio((tokio::io::stdin(), tokio::io::stdout()), stop);
        tokio::pin!(serve);
        tokio::select! {
            () = &mut serve => {}
            signal = signalled() => {
                tracing::info!("Stopping after {signal}");
                stopping.cancel();
                serve.await;
            }
        }
        tokio::select! {
            _ = app.stop() => {}
            _ = signalled() => {}
        }
        ExitCode::SUCCESS
    });
    // A read of standard input cannot be given up; nobody waits for it.
    runtime.shutdown_background();
    code
}
