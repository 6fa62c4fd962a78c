//! The command line: reads it, does what it says, prints what came of it.

mod approvals;

mod check;

mod config;

mod doctor;

mod gateway;

mod log;

mod manifest;

mod output;

mod plugins;

mod ps;

mod schema;

mod reload;

mod replay;

mod serve;

mod signals;

mod stdio;

mod tasks;

mod token;

mod trial;

mod tools;

mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::files::Origin;
use crate::app::{App, Runtimes, compiled_in, launcher};
use crate::builtin::{self, Builtin};
use crate::cli::signals::Signals;
use crate::config::env::Env;
use crate::config::load::{Loaded, load};
use crate::config::resolve::{Resolution, resolve};
use crate::manifest::problem::Problems;
use crate::model::plugin_id::PluginId;
use crate::runtime::in_process::InProcess;
use crate::runtime::process::{
    GUARD_ARGUMENT, HELPER_ARGUMENT, PROBE_ARGUMENT, run_guard, run_helper, run_probe,
};
use crate::telemetry::{Format, Log};

/// An MCP gateway: plugins become one MCP server.
#[derive(Debug, Parser)]
#[command(name = "toolgate", version, arg_required_else_help = true)]
struct Arguments {
    /// The configuration: `toolgate.toml`, or a JSON file with `mcpServers` as assistants write it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// What goes to the log on standard error, such as `debug` or `warn,toolgate::audit=info`.
    #[arg(long, global = true, value_name = "FILTER", env = "TOOLGATE_LOG")]
    log: Option<String>,

    /// How lines of the log look.
    #[arg(long, global = true, value_enum, default_value_t)]
    log_format: Format,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves over HTTP: MCP at /mcp, plain HTTP at /api/tools.
    Serve(serve::Arguments),
    /// Serves one MCP client on standard input and output.
    Stdio(stdio::Arguments),
    /// Finds every problem of the configuration and the plugins, each with its place and mend.
    Check,
    /// The plugins.
    #[command(subcommand)]
    Plugins(plugins::Command),
    /// The instances of plugins that run in the gateway.
    Ps(ps::Arguments),
    /// Says why a tool is listed, or why not. Exit code 1 when it is not.
    Why(why::Arguments),
    /// Looks at all that can be wrong around the gateway, and says how it is mended. Exit code 1 when there is a problem.
    Doctor(doctor::Arguments),
    /// Has the gateway that runs read its configuration and its plugins again.
    Reload(reload::Arguments),
    /// What was called: newest last.
    Log(log::Arguments),
    /// Sends the arguments of a recorded call again, where they were kept.
    Replay(replay::Arguments),
    /// The tools.
    #[command(subcommand)]
    Tools(tools::Command),
    /// Tools that the gateway that runs is to run now, at a time, or again and again.
    #[command(subcommand)]
    Tasks(tasks::Command),
    /// The settings of plugins in the gateway that runs.
    #[command(subcommand)]
    Config(config::Command),
    /// Calls that wait for a person who agrees to them.
    #[command(subcommand)]
    Approvals(approvals::Command),
    /// Manifests: checked, and made from those of other plugin systems.
    #[command(subcommand)]
    Manifest(manifest::Command),
    /// Prints a JSON schema.
    Schema {
        /// What of.
        #[arg(value_enum)]
        of: schema::Subject,
    },
    /// The tokens that callers show.
    #[command(subcommand)]
    Token(token::Command),
}

/// Does what the command line says, with the plugins that come with the gateway.
pub fn main() -> ExitCode {
    let builtins = builtin::all();
    main_with(&builtins, compiled_in(&builtins))
}

/// Does what the command line says, with these compiled-in plugins: for gateways that bring their own.
pub fn main_with(builtins: &[Builtin], in_process: InProcess) -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == HELPER_ARGUMENT => {
            output::complain(&run_helper(arguments));
            return ExitCode::from(127);
        }
        Some(first) if first == GUARD_ARGUMENT => {
            run_guard(arguments, std::io::stdin());
            return ExitCode::SUCCESS;
        }
        Some(first) if first == PROBE_ARGUMENT => {
            output::say(&run_probe(arguments));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let arguments = Arguments::parse();
    let context = Context {
        env: Env::from_process(),
        config: arguments.config,
        log: arguments.log,
        log_format: arguments.log_format,
        builtins,
        in_process,
    };
    match arguments.command {
        Command::Serve(serve) => serve::run(&context, &serve),
        Command::Stdio(stdio) => stdio::run(&context, &stdio),
        Command::Check => check::run(&context),
        Command::Plugins(command) => plugins::run(&context, &command),
        Command::Ps(arguments) => ps::run(&context, &arguments),
        Command::Why(arguments) => why::run(&context, &arguments),
        Command::Doctor(arguments) => doctor::run(&context, &arguments),
        Command::Reload(arguments) => reload::run(&context, &arguments),
        Command::Log(arguments) => log::run(&context, &arguments),
        Command::Replay(arguments) => replay::run(&context, &arguments),
        Command::Tools(command) => tools::run(&context, &command),
        Command::Tasks(command) => tasks::run(&context, &command),
        Command::Config(command) => config::run(&context, &command),
        Command::Approvals(command) => approvals::run(&context, &command),
        Command::Manifest(command) => manifest::run(&context, &command),
        Command::Schema { of } => schema::run(of),
        Command::Token(command) => token::run(&command),
    }
}

/// What the command line adds to the operator's policy.
#[derive(Debug, clap::Args)]
struct Policy {
    /// Hide and refuse tools that are not known to change nothing, as `policy.read_only` does.
    #[arg(long)]
    read_only: bool,
}

impl Policy {
    fn apply(&self, loaded: &mut Loaded) {
        loaded.config.policy.read_only |= self.read_only;
    }
}

/// What a command that needs plugins begins with.
struct Begun {
    log: Log,
    loaded: Loaded,
    runtime: tokio::runtime::Runtime,
}

/// What every command works with.
struct Context<'a> {
    env: Env,
    config: Option<PathBuf>,
    log: Option<String>,
    log_format: Format,
    builtins: &'a [Builtin],
    in_process: InProcess,
}

impl Context<'_> {
    fn manifests(&self) -> Vec<(PluginId, &str)> {
        let id = |builtin: &Builtin| builtin.id.parse().expect("ids of built-in plugins are ids");
        self.builtins
            .iter()
            .map(|builtin| (id(builtin), builtin.manifest_toml))
            .collect()
    }

    /// Reads the configuration.
    fn load(&self) -> Result<Loaded, Problems> {
        load(self.config.as_deref(), &self.env)
    }

    /// A gateway of this configuration, with nothing started.
    fn app(&self, loaded: &Loaded, log: &Log) -> Result<App, Problems> {
        let resolution = resolve(loaded, &self.manifests())?;
        Ok(self.app_of(loaded, resolution, log))
    }

    /// The same for one that is to serve: unless it may not start without the plugins that are left out.
    fn serving_app(&self, loaded: &Loaded, log: &Log) -> Result<App, Problems> {
        let resolution = resolve(loaded, &self.manifests())?;
        let resolution = resolution.fit_for(loaded.config.startup)?;
        Ok(self.app_of(loaded, resolution, log))
    }

    fn app_of(&self, loaded: &Loaded, resolution: Resolution, log: &Log) -> App {
        let manifests = self.manifests().into_iter();
        let origin = Origin {
            config: self.config.clone(),
            env: self.env.clone(),
            builtins: manifests.map(|(id, text)| (id, text.to_owned())).collect(),
            runtimes: Runtimes::new(self.in_process.clone(), launcher(&self.env, self.helper())),
        };
        let app = App::new(loaded, resolution, origin, log.audit());
        app.desk.dispatcher.metrics().read_from(log.measure());
        app
    }

    /// This program, where it can serve as the helper of child processes.
    fn helper(&self) -> Option<PathBuf> {
        cfg!(target_os = "linux")
            .then(std::env::current_exe)
            .and_then(Result::ok)
    }

    /// Begins to log, reads the configuration, and makes the runtime that the command runs on.
    fn begin(&self, default: &str) -> Result<Begun, ExitCode> {
        let log = self.start_log(default)?;
        let loaded = self
            .load()
            .map_err(|problems| failure(&problems.to_string()))?;
        let runtime = tokio_runtime(loaded.config.server.worker_threads)?;
        Ok(Begun {
            log,
            loaded,
            runtime,
        })
    }

    /// Begins to log; `default` is what is logged unless the command line says otherwise.
    fn start_log(&self, default: &str) -> Result<Log, ExitCode> {
        crate::telemetry::start(self.log.as_deref().unwrap_or(default), self.log_format)
            .map_err(|err| failure(&err))
    }
}

/// Sets up what has to be there before anything is served. `Err` is the code to end with.
async fn set_up(app: &App, signals: &mut Signals) -> Result<(), ExitCode> {
    let done = tokio::select! {
        done = app.set_up() => done.map_err(|err| {
            failure(&format!("the gateway does not start, because of `startup = \"strict\"`: {err}"))
        }),
        signal = signals.stop() => {
            tracing::info!("Stopping after {signal}");
            Err(ExitCode::SUCCESS)
        }
    };
    if done.is_err() {
        stop(app, signals).await;
    }
    done
}

/// Stops what runs, unless another signal says not to wait for that.
async fn stop(app: &App, signals: &mut Signals) {
    tokio::select! {
        _ = app.stop() => {}
        _ = signals.stop() => {}
    }
}

/// Complains, for an exit with code 1.
fn failure(message: &str) -> ExitCode {
    output::complain(message);
    ExitCode::FAILURE
}

/// The runtime that commands run on.
fn tokio_runtime(worker_threads: Option<usize>) -> Result<tokio::runtime::Runtime, ExitCode> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = worker_threads {
        builder.worker_threads(threads);
    }
    builder
        .enable_all()
        .build()
        .map_err(|err| failure(&format!("could not start: {err}")))
}
