//! `llm`: has the client's model write a `kubectl` command, or takes one; checks it, and runs it without a shell.
//!
//! What only looks is run at once. What changes things is run when the caller gives the very command, and a person has
//! agreed to that; of a command that changes things and that the model wrote, the tool makes a proposal. So nothing is
//! ever changed by what nobody has seen.

mod ask;

mod command;

mod flags;

mod line;

mod objects;

mod outcome;

mod rules;

mod settings;

mod verbs;

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::builtin::llm::command::Command;
use crate::builtin::llm::outcome::{Author, Outcome, State, Told};
use crate::builtin::llm::rules::Rules;
use crate::builtin::llm::settings::Settled;
use crate::builtin::llm::verbs::Effect;
use crate::plugin::{
    Annotations, Category, Change, HookResult, Notifier, Plugin, PluginContext, Risk, Run,
    ToolContext, ToolError, Tools, Weight, Worded,
};
use crate::wire::json::Json;

/// The most characters of a goal.
const MAX_GOAL: usize = 2_000;

/// The most processes of one command: kubectl, and the credential plugins of its configuration.
const MAX_PROCESSES: u64 = 64;

/// The most bytes of memory of one command.
const MAX_MEMORY: u64 = 1 << 30;

/// The plugin.
#[derive(Default)]
pub(super) struct Llm {
    /// Replaced when the settings change.
    settled: Arc<ArcSwapOption<Settled>>,
    notifier: OnceLock<Notifier>,
}

/// Give `goal` or `command`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Action {
    /// What is to be found out or done, in plain words, such as `why does the pod web-0 restart?`. The client's own model
    /// writes the command for it (the client must offer sampling). If that command only looks it is run; if it changes
    /// something it comes back as a proposal. At most 2,000 characters.
    #[serde(default)]
    #[schemars(length(min = 1, max = 2000))]
    goal: Option<String>,
    /// The command itself, such as `kubectl get pods -n shop`: one line, begins with `kubectl`, no pipes, redirections or
    /// variables. Looking: get, describe, logs, top, events, explain, api-resources, version, rollout status, rollout
    /// history. Changing, each time with a person's approval: delete, scale, rollout restart, rollout undo, rollout pause,
    /// rollout resume, cordon, uncordon. Everything else is refused. At most 4,096 bytes.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4096))]
    command: Option<String>,
    /// The namespace for a command that names none; one that the operator allows. Left out, the operator's own choice.
    #[serde(default)]
    namespace: Option<String>,
}

#[async_trait]
impl Plugin for Llm {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        self.settled
            .store(Some(Arc::new(Settled::of(context).await?)));
        if let Some(notifier) = self.notifier.get() {
            notifier.lists_changed();
        }
        Ok(())
    }

    fn tools(&self, tools: &mut Tools) {
        self.notifier.set(tools.notifier()).ok();
        let settled = self.settled.load_full();
        // Before the settings are known it is described as what it may come to be.
        let may_change = settled.is_none_or(|settled| settled.rules.may_change);
        let settled = Arc::clone(&self.settled);
        let action = move |wanted: Action, context: ToolContext| {
            let settled = settled.load_full();
            async move { act(settled, &wanted, may_change, &context).await }
        };
        let tool = tools.add(
            "llm.kubectl_action",
            "Looks into Kubernetes by one kubectl command, given or written for a goal by the client's model; changes things only with approval",
            action,
        );
        tool.title("Run kubectl")
            .touches("what the command names, in the cluster that the operator has chosen");
        if !may_change {
            tool.category(Category::Diagnostic)
                .risk(Risk::Low)
                .annotations(Annotations {
                    read_only: Some(true),
                    open_world: Some(true),
                    ..Annotations::default()
                });
            return;
        }
        let settled = Arc::clone(&self.settled);
        tool.annotations(Annotations {
            open_world: Some(true),
            ..Annotations::default()
        })
        .remediation()
        .risk(Risk::High)
        .requires_approval()
        .weigh(move |arguments| std::future::ready(weigh(settled.load_full(), &arguments)));
    }

    fn cooperative(&self) -> bool {
        true
    }
}

/// What a call would do. One that asks the model runs nothing that changes things.
fn weigh(settled: Option<Arc<Settled>>, arguments: &Json) -> Weight {
    let weighed = || {
        let wanted: Action = arguments.parse()?;
        wanted.check()?;
        let settled = settled.ok_or_else(not_there)?;
        let Some(text) = &wanted.command else {
            return Ok(Weight::Looks);
        };
        let command = settled.read(text, &wanted, &settled.rules)?;
        Ok::<_, ToolError>(match command.effect() {
            Effect::Diagnostic => Weight::Looks,
            Effect::Remediation => Weight::Changes(Change::new(settled.would_run(&command))),
        })
    };
    weighed().unwrap_or_else(Weight::Refused)
}

async fn act(
    settled: Option<Arc<Settled>>,
    wanted: &Action,
    may_change: bool,
    context: &ToolContext,
) -> Result<Worded<Outcome>, ToolError> {
    wanted.check()?;
    let settled = settled.ok_or_else(not_there)?;
    // A tool that was listed as one that looks does not change anything, whatever the settings have become meanwhile.
    let rules = Rules {
        may_change: settled.rules.may_change && may_change,
        ..settled.rules.clone()
    };
    let namespace = wanted.namespace.as_deref();
    let (command, author, model) = match (&wanted.command, &wanted.goal) {
        (Some(text), _) => (settled.read(text, wanted, &rules)?, Author::Caller, None),
        (None, goal) => {
            rules.namespace(namespace).map_err(ToolError::new)?;
            let goal = goal.as_deref().unwrap_or_default();
            let written = ask::command_for(goal, namespace, &rules, context).await?;
            (written.command, Author::ClientModel, written.model)
        }
    };
    let told = Told {
        command: settled.shown(&command),
        given: shown(&command.arguments(None)),
        effect: command.effect(),
        author,
        model,
    };
    if context.is_dry_run() {
        return Ok(told.unrun(State::WouldRun));
    }
    if told.effect == Effect::Remediation && author == Author::ClientModel {
        return Ok(told.unrun(State::Proposed));
    }
    let finished = settled.programs.run(settled.run(&command)).await?;
    told.ran(finished)
}

impl Action {
    fn check(&self) -> Result<(), ToolError> {
        let blank =
            |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
        let goal = self.goal.as_deref().unwrap_or_default();
        let wrong = match (blank(&self.goal), blank(&self.command)) {
            (true, true) => "give a `goal` in plain words, or a `command`",
            (false, false) => "give a `goal` or a `command`, not both",
            (false, true) if goal.chars().count() > MAX_GOAL => {
                "`goal` is longer than 2,000 characters: say less"
            }
            _ => return Ok(()),
        };
        Err(ToolError::new(wrong))
    }
}

impl Settled {
    fn read(&self, text: &str, wanted: &Action, rules: &Rules) -> Result<Command, ToolError> {
        Command::read(text, wanted.namespace.as_deref(), rules).map_err(ToolError::new)
    }

    /// The command as it is run, for people.
    fn shown(&self, command: &Command) -> String {
        shown(&command.arguments(self.context.as_deref()))
    }

    /// What a person agrees to: the command, and which file says what the cluster is.
    fn would_run(&self, command: &Command) -> String {
        let shown = self.shown(command);
        match &self.kubeconfig {
            Some(file) => format!("runs `{shown}` with the kubeconfig `{}`", file.display()),
            None => format!("runs `{shown}` in the cluster that the gateway runs in"),
        }
    }

    fn run(&self, command: &Command) -> Run {
        let program = self.program.display().to_string();
        let arguments = command.arguments(self.context.as_deref());
        Run {
            command: std::iter::once(program).chain(arguments).collect(),
            variables: self.variables.clone(),
            directory: None,
            input: Vec::new(),
            timeout: self.timeout,
            output_bytes: self.output_bytes,
            memory_bytes: Some(MAX_MEMORY),
            processes: Some(MAX_PROCESSES),
            open_files: None,
            cpu_seconds: None,
            confinement: None,
        }
    }
}

fn shown(arguments: &[String]) -> String {
    let words = arguments.iter().map(String::as_str);
    line::line_of(std::iter::once("kubectl").chain(words))
}

/// A call that came before the settings were read.
fn not_there() -> ToolError {
    ToolError::new("the plugin has no settings yet; try again")
}
