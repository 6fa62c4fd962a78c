//! `toolgate tools`: which tools there are, calling one, and switching one on or off.

use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cli::gateway::{At, ask_json};
use crate::cli::log::quoted;
use crate::cli::{Begun, Context, Policy, failure, output};
use crate::dispatch::CallError;
use crate::dispatch::approval::question::APPROVAL_META;
use crate::dispatch::subject::Subject;
use crate::model::caller::ClientProfile;
use crate::model::category::Category;
use crate::model::client::{Client, Deaf};
use crate::registry::catalog::Entry;
use crate::runtime::CallContext;
use crate::wire::error::RpcError;
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::Params;
use crate::wire::meta::DRY_RUN;
use crate::wire::method::Method;
use crate::wire::revision::Revision;

/// How much of a description is shown on a line.
const DESCRIPTION: usize = 80;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists the tools.
    List {
        /// As JSON: the definitions as clients see them.
        #[arg(long)]
        json: bool,
        /// Also those that are not listed, with the reason.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        policy: Policy,
    },
    /// Calls a tool and prints its result as JSON. Exit code 1 when the tool failed, 2 when it could not be called.
    Call {
        /// The name as `tools list` shows it.
        name: String,
        /// The arguments, a JSON object.
        #[arg(default_value = "{}")]
        arguments: String,
        /// Changes nothing: prints what would be done, or what the tool says that it would do.
        #[arg(long)]
        dry_run: bool,
        /// Agrees to the call, where it needs somebody who does.
        #[arg(long)]
        approve: bool,
        #[command(flatten)]
        policy: Policy,
    },
    /// Switches a tool on again, in the gateway that runs.
    Enable(Switch),
    /// Switches a tool off, in the gateway that runs. It stays off over restarts.
    Disable(Switch),
}

#[derive(Debug, clap::Args)]
pub(super) struct Switch {
    /// The name as `tools list` shows it.
    name: String,
    #[command(flatten)]
    at: At,
}

pub(super) fn run(context: &Context<'_>, command: &Command) -> ExitCode {
    match command {
        Command::List { json, all, policy } => {
            with_app(context, policy, async |app| list(app, *json, *all).await)
        }
        Command::Call {
            name,
            arguments,
            dry_run,
            approve,
            policy,
        } => with_app(context, policy, async |app| {
            call(app, (name, arguments), *dry_run, *approve).await
        }),
        Command::Enable(wanted) => switch(context, wanted, true),
        Command::Disable(wanted) => switch(context, wanted, false),
    }
}

/// Does something with a gateway of its own.
fn with_app(
    context: &Context<'_>,
    policy: &Policy,
    work: impl AsyncFnOnce(&App) -> ExitCode,
) -> ExitCode {
    let Begun {
        log,
        mut loaded,
        runtime,
    } = match context.begin("error") {
        Ok(begun) => begun,
        Err(code) => return code,
    };
    policy.apply(&mut loaded);
    // Whoever could agree sits here and has said whether.
    loaded.config.policy.approval.wait_ms = 0;
    runtime.block_on(async {
        let app = match context.app(&loaded, &log) {
            Ok(app) => app,
            Err(problems) => return failure(&problems.to_string()),
        };
        app.recall().await;
        let code = work(&app).await;
        app.stop().await;
        code
    })
}

async fn list(app: &App, json: bool, all: bool) -> ExitCode {
    let registry = app.desk.registry();
    let plugins = registry.plugins();
    let started = futures::future::join_all(plugins.iter().map(|plugin| plugin.warm())).await;
    for fault in started.iter().filter_map(|started| started.as_ref().err()) {
        output::complain(&fault.to_string());
    }
    let (catalog, caller) = (registry.rebuilt_catalog(), app.callers.anonymous());
    if json {
        let definitions: Vec<&Json> = catalog
            .entries(caller)
            .map(|entry| &entry.definition)
            .collect();
        output::say(&serde_json::to_string_pretty(&definitions).expect("definitions are JSON"));
        return ExitCode::SUCCESS;
    }
    let describe = |definition: &Json| {
        let text = Members::of(definition)
            .and_then(|members| Some(members.string("description")?.into_owned()));
        output::one_line(&text.unwrap_or_default(), DESCRIPTION)
    };
    let row = |entry: &Arc<Entry>| {
        vec![
            entry.name.to_string(),
            entry.plugin.manifest.id.to_string(),
            category(entry),
            describe(&entry.definition),
        ]
    };
    let rows: Vec<_> = catalog.entries(caller).map(row).collect();
    output::table(&["TOOL", "PLUGIN", "CATEGORY", "DESCRIPTION"], &rows);
    if all {
        output::say("");
        let hidden = catalog.hidden(caller).map(|hidden| {
            vec![
                hidden.name.clone(),
                hidden.plugin.to_string(),
                hidden.sentence(),
            ]
        });
        let hidden: Vec<_> = hidden.collect();
        output::table(&["NOT LISTED", "PLUGIN", "REASON"], &hidden);
    }
    ExitCode::SUCCESS
}

/// What kind of work it does, and whether somebody must agree to it. `-` where nobody says.
fn category(entry: &Entry) -> String {
    let word = entry.category.map_or("-", Category::as_str);
    match entry.conduct.requires_approval {
        true => format!("{word}, asks"),
        false => word.to_owned(),
    }
}

async fn call(
    app: &App,
    (name, arguments): (&str, &str),
    dry_run: bool,
    approve: bool,
) -> ExitCode {
    let arguments = match Json::scan(Bytes::copy_from_slice(arguments.as_bytes())) {
        Ok(arguments) if arguments.is_object() => arguments,
        Ok(_) => return unable("the arguments must be a JSON object"),
        Err(err) => return unable(&format!("the arguments are not JSON: {err}")),
    };
    let registry = app.desk.registry();
    if registry.wake(name, app.callers.anonymous()).await.is_none() {
        let plugins = registry.plugins();
        futures::future::join_all(plugins.iter().map(|plugin| plugin.warm())).await;
        registry.rebuilt_catalog();
    }
    let mut params = Params::default();
    params.members.set("name", Json::of(name));
    params.members.set("arguments", arguments);
    if dry_run {
        params.meta.set(DRY_RUN, Json::literal("true"));
    }
    // Nobody else could agree to a call of this process.
    let (capabilities, client): (_, Arc<dyn Client>) = match approve {
        true => (r#"{"elicitation":{}}"#, Arc::new(Agreeing)),
        false => ("{}", Arc::new(Deaf)),
    };
    let context = CallContext {
        id: app.desk.dispatcher.next_call(),
        caller: Arc::clone(app.callers.anonymous()),
        profile: Arc::new(ClientProfile {
            revision: Revision::NEWEST_LEGACY,
            capabilities: Json::literal(capabilities),
            ..ClientProfile::bare()
        }),
        session: None,
        log_level: None,
        timeout: None,
        cancel: CancellationToken::new(),
        farewell: None,
        client,
    };
    let subject = Subject::Tool(name.to_owned());
    let dispatcher = &app.desk.dispatcher;
    let called = dispatcher.request(Method::ToolsCall, &subject, params, context);
    match called.await {
        Ok(reply) => {
            let value: serde_json::Result<Box<serde_json::value::RawValue>> = reply.result.parse();
            output::say(value.as_ref().map_or("", |value| value.get()));
            let failed = Members::of(&reply.result)
                .is_some_and(|result| result.get("isError").is_some_and(Json::is_true));
            if failed {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            }
        }
        Err(CallError::Plugin(error)) => unable(&format!("{} ({})", error.message, error.code)),
        Err(CallError::Fault(fault)) if fault.reason == "approval_pending" => unable(&format!(
            "`{name}` needs an approval: say `--approve`, or `--dry-run` to see what it would do"
        )),
        Err(CallError::Fault(fault)) => unable(&fault.to_string()),
    }
}

fn switch(context: &Context<'_>, Switch { name, at }: &Switch, on: bool) -> ExitCode {
    let path = format!("/api/plugins/{}/toggle", quoted(name));
    let body = json!({ "enabled": on });
    match ask_json(context, at, http::Method::PUT, &path, Some(&body)) {
        Ok(_) => {
            output::say(&format!("{name}: {}", if on { "on" } else { "off" }));
            ExitCode::SUCCESS
        }
        Err(unanswered) => failure(&unanswered.message()),
    }
}

/// A client that agrees to the call it made, and answers no other question.
struct Agreeing;

impl Client for Agreeing {
    fn notify(&self, _: &Method, _: &Params) {}

    fn ask(&self, method: Method, params: Params) -> BoxFuture<'_, Result<Json, RpcError>> {
        if method == Method::Elicit && params.meta.get(APPROVAL_META).is_some() {
            let yes = json!({ "action": "accept", "content": { "approve": true } });
            return Box::pin(std::future::ready(Ok(Json::of(&yes))));
        }
        Deaf.ask(method, params).boxed()
    }
}

/// Complains that the tool could not be called.
fn unable(message: &str) -> ExitCode {
    output::complain(message);
    ExitCode::from(2)
}
