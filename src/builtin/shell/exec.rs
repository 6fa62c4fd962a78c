//! One call: from what is asked for to the program that runs, or why not.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::builtin::shell::listed::{List, Listed};
use crate::builtin::shell::places::Places;
use crate::builtin::shell::settings::{Settings, Want};
use crate::builtin::shell::told::{Outcome, Told};
use crate::builtin::shell::{git, line};
use crate::plugin::{Confinement, Programs, Run, Same, Sandbox, ToolContext, ToolError};

/// The variables of every program, besides `HOME` and `TMPDIR`. Nothing of the gateway's or the caller's.
const VARIABLES: [(&str, &str); 5] = [
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    ("LANG", "C.UTF-8"),
    ("LC_ALL", "C.UTF-8"),
    ("PAGER", "cat"),
    ("TERM", "dumb"),
];

/// The most that arguments and what is read may come to.
const MAX_ARGUMENTS: usize = 1000;
const MAX_ARGUMENT_BYTES: usize = 128 << 10;
const MAX_INPUT: usize = 1 << 20;

/// A program to run. Say `command`, or `program` and `args`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// A command line, such as `grep -n 'out of memory' app.log`: one program and its arguments. It is split at spaces, quotes
    /// work as usual, and no shell reads it: no pipes, redirections, variables or patterns of file names.
    command: Option<String>,
    /// Instead of `command`: the name of the program, such as `grep`.
    program: Option<String>,
    /// With `program`: its arguments, one by one, taken as they are. No quoting is needed.
    #[serde(default)]
    args: Vec<String>,
    /// Where the program works: a directory of those that the operator allows, absolute or below the first of them. That one, when
    /// left out.
    directory: Option<String>,
    /// Text that the program reads from its standard input, 1 MiB at the most; for `sort`, `wc`, `jq` and the like.
    input: Option<String>,
    /// Seconds that it may take; then it is stopped. When left out, the most that the operator allows.
    #[schemars(range(min = 1, max = 600))]
    timeout_seconds: Option<u64>,
}

/// What calls are carried out with, as the settings say.
pub(super) struct Shell {
    pub(super) settings: Settings,
    pub(super) list: List,
    pub(super) places: Places,
    pub(super) programs: Arc<dyn Programs>,
    /// An empty directory, the `HOME` and `TMPDIR` of all programs.
    pub(super) home: PathBuf,
    /// What was found out about the sandbox of `shell.exec`.
    pub(super) sandbox: Sandbox,
    /// And that of `shell.exec_write`, where it is offered.
    pub(super) sandbox_to_write: Option<Sandbox>,
}

impl Shell {
    /// Runs what is asked for, or says what would run.
    pub(super) async fn exec(
        &self,
        wanted: Wanted,
        write: bool,
        context: &ToolContext,
    ) -> Result<Told, ToolError> {
        let (listed, run) = self.prepare(wanted, write).map_err(ToolError::new)?;
        let directory = run.directory.as_deref().unwrap_or(&self.home);
        let outcome = Outcome {
            program: listed.path.display().to_string(),
            args: run.command[1..].to_vec(),
            directory: directory.display().to_string(),
            sandbox: self.words_of_sandbox(listed, write),
            ..Outcome::default()
        };
        if context.is_dry_run() {
            return Ok(Told(Outcome {
                dry_run: true,
                ..outcome
            }));
        }
        let finished = self.programs.run(run).await?;
        Ok(Told(outcome.with(finished)))
    }

    /// Reads what is asked for, and holds it against the rules.
    pub(super) fn prepare(&self, wanted: Wanted, write: bool) -> Result<(&Listed, Run), String> {
        let mut words = match (wanted.command, wanted.program) {
            (Some(line), None) if wanted.args.is_empty() => line::split(&line)?,
            (Some(_), None) => {
                return Err(
                    "`args` goes with `program`; with `command` the arguments stand in the line"
                        .to_owned(),
                );
            }
            (None, Some(program)) => std::iter::once(program).chain(wanted.args).collect(),
            (Some(_), Some(_)) => {
                return Err("say either `command`, or `program` and `args`, not both".to_owned());
            }
            (None, None) => return Err("say `command`, or `program` and `args`".to_owned()),
        };
        let arguments = words.split_off(1);
        let listed = self.list.find(&words[0], write)?;
        check_size(&arguments, wanted.input.as_deref())?;
        listed.rules.check(&listed.name, &arguments)?;
        let is_git = listed.is("git");
        let arguments = if is_git {
            git::guarded(arguments)?
        } else {
            arguments
        };
        let same = listed.files()?;
        let most = self.settings.timeout_seconds;
        let timeout = match wanted.timeout_seconds {
            Some(0) => return Err("`timeout_seconds` must be at least 1".to_owned()),
            Some(seconds) if seconds > most => {
                return Err(format!(
                    "`timeout_seconds` may be {most} at the most here, not {seconds}"
                ));
            }
            seconds => seconds.unwrap_or(most),
        };
        let directory = self
            .places
            .working(wanted.directory.as_deref(), &self.home, write)?;
        let mut variables: BTreeMap<String, String> = VARIABLES
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for name in ["HOME", "TMPDIR"] {
            variables.insert(name.to_owned(), self.home.display().to_string());
        }
        if is_git {
            variables.extend(git::variables());
        }
        let program = listed.path.display().to_string();
        let run = Run {
            command: std::iter::once(program).chain(arguments).collect(),
            variables,
            directory: Some(directory),
            input: wanted.input.unwrap_or_default().into_bytes(),
            timeout: Duration::from_secs(timeout),
            output_bytes: self.settings.output_bytes,
            memory_bytes: Some(self.settings.memory_bytes),
            processes: Some(self.settings.processes),
            open_files: Some(self.settings.open_files),
            cpu_seconds: Some(self.settings.cpu_seconds),
            confinement: Some(self.confinement(listed, same, write)),
        };
        Ok((listed, run))
    }

    fn confinement(&self, listed: &Listed, same: Vec<Same>, write: bool) -> Confinement {
        let own = self.places.read.iter().cloned().chain([self.home.clone()]);
        let to_write = if write {
            self.places.write.clone()
        } else {
            Vec::new()
        };
        Confinement {
            read: Places::system().chain(own).collect(),
            write: to_write,
            start: listed.starts.clone(),
            program: Some(listed.real.clone()),
            same: self.places.same.iter().cloned().chain(same).collect(),
            sockets: listed.sockets,
            required: write || self.settings.sandbox == Want::Required,
        }
    }

    /// What confines a program, for people.
    fn words_of_sandbox(&self, listed: &Listed, write: bool) -> String {
        let sandbox = if write {
            self.sandbox_to_write.as_ref()
        } else {
            Some(&self.sandbox)
        };
        if let Some(why) = sandbox.and_then(|sandbox| sandbox.why_not.as_ref()) {
            return format!(
                "does not hold, so that only the rules on programs and arguments do ({why})"
            );
        }
        let names = |paths: &[PathBuf]| {
            let paths: Vec<String> = paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            paths.join(", ")
        };
        let read = match self.places.read.is_empty() {
            true => "the system's own files".to_owned(),
            false => format!("the system's own files and {}", names(&self.places.read)),
        };
        let written = match write {
            true => names(&self.places.write),
            false => "nothing".to_owned(),
        };
        let sockets = [
            (listed.sockets.network, "the network"),
            (listed.sockets.unix, "programs on this machine"),
            (listed.sockets.netlink, "the kernel's tables of the network"),
        ];
        let reached: Vec<&str> = sockets
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, what)| *what)
            .collect();
        let reached = if reached.is_empty() {
            "nothing".to_owned()
        } else {
            reached.join(", ")
        };
        format!("reads {read}; writes {written}; reaches {reached}")
    }
}

fn check_size(arguments: &[String], input: Option<&str>) -> Result<(), String> {
    let bytes: usize = arguments.iter().map(|argument| argument.len() + 1).sum();
    if arguments.len() > MAX_ARGUMENTS || bytes > MAX_ARGUMENT_BYTES {
        return Err(format!(
            "there are {} arguments of {bytes} bytes; {MAX_ARGUMENTS} of {MAX_ARGUMENT_BYTES} bytes may be given: give long text as `input`",
            arguments.len()
        ));
    }
    if let Some(at) = arguments
        .iter()
        .position(|argument| argument.contains('\0'))
    {
        return Err(format!("argument {} has a NUL: leave it out", at + 1));
    }
    match input {
        Some(input) if input.len() > MAX_INPUT => Err(format!(
            "`input` has {} bytes; {MAX_INPUT} may be given",
            input.len()
        )),
        _ => Ok(()),
    }
}
