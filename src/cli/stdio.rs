//! `toolgate stdio`: the gateway for one client, on standard input and output.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use crate::cli::signals::{Signalled, Signals};
use crate::cli::{Begun, Context, Policy, failure, set_up};
use crate::runtime::process::{become_subreaper, raise_file_limit};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
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
        app.start_for_client();
        app.watch();
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let serve = app.serve_stdio((tokio::io::stdin(), tokio::io::stdout()), stop);
        tokio::pin!(serve);
        loop {
            let signal = tokio::select! {
                () = &mut serve => break,
                signal = signals.next() => signal,
            };
            match signal {
                Signalled::Stop(signal) => {
                    tracing::info!("Stopping after {signal}");
                    stopping.cancel();
                    serve.await;
                    break;
                }
                // What came of it is logged.
                Signalled::Reload => app.reload(),
            }
        }
        crate::cli::stop(&app, &mut signals).await;
        ExitCode::SUCCESS
    });
    // A read of standard input cannot be given up; nobody waits for it.
    runtime.shutdown_background();
    code
}
