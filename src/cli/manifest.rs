//! `toolgate manifest`: manifests of other plugin systems become our own, and any manifest is checked.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::cli::{Context, failure, output};
use crate::config::expand::{Words, expand};
use crate::manifest::document::Node;
use crate::manifest::import::{ForeignFormat, Imported, Unrunnable, import};
use crate::manifest::problem::{Problem, Problems};
use crate::manifest::{Manifest, read, toml_print};
use crate::registry::discover::read_document;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Prints the `plugin.toml` for a manifest of another plugin system.
    Import {
        /// An `extension.json` of Ordinaut, a `dagstack.toml`, a `plugin.json` of Jank, a `manifest.json` of AgentOS.
        file: PathBuf,
        /// Which of them it is, when neither its name nor its keys tell.
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// As JSON: the manifest and the notes.
        #[arg(long)]
        json: bool,
    },
    /// Finds every problem of one manifest, a native or a foreign one.
    Check {
        /// The manifest, or the folder it lies in.
        file: PathBuf,
        /// Which plugin system it was written for, when neither its name nor its keys tell.
        #[arg(long, value_enum)]
        format: Option<Format>,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Format {
    Ordinaut,
    Dagstack,
    Jank,
    #[value(name = "agentos")]
    AgentOs,
    #[value(name = "ai_fixer", alias = "ai-fixer")]
    AiFixer,
}

pub(super) fn run(context: &Context<'_>, command: &Command) -> ExitCode {
    let done = match command {
        Command::Import { file, format, json } => import_file(context, file, *format, *json),
        Command::Check { file, format } => check_file(context, file, *format),
    };
    match done {
        Ok(text) => {
            output::say(text.trim_end());
            ExitCode::SUCCESS
        }
        Err(problems) => failure(&problems.to_string()),
    }
}

fn import_file(
    context: &Context<'_>,
    file: &Path,
    format: Option<Format>,
    json: bool,
) -> Result<String, Problems> {
    let file = context.env.absolute(file);
    let document = read_document(&file)?;
    let format = foreign(&file, &document, format).ok_or_else(|| {
        let message = "this is not known as a manifest of another plugin system";
        about(
            &file,
            Problem::new(message).mend("say what it is with `--format`"),
        )
    })?;
    let imported = adopt(format, &file, &document)?;
    let (notes, unrunnable) = (imported.notes.clone(), imported.unrunnable.clone());
    let native = imported.with_suggestion();
    check(context, &native)?;
    if json {
        let notes = notes
            .iter()
            .chain(unrunnable.iter().map(|one| &one.problem));
        let rows: Vec<_> = notes.map(as_json).collect();
        let manifest = crate::manifest::decode::decode::<serde_json::Value>(&native).finish()?;
        let all = json!({ "manifest": manifest, "runs": unrunnable.is_none(), "notes": rows });
        return Ok(serde_json::to_string_pretty(&all).expect("keys are texts"));
    }
    let printed = toml_print::print(&native).ok_or_else(|| {
        let message = "it holds a number that TOML has no room for";
        about(
            &file,
            Problem::new(message).mend("take it as JSON, with `--json`"),
        )
    })?;
    Ok(format!(
        "{}\n{printed}",
        header(format, &notes, unrunnable.as_ref())
    ))
}

fn check_file(
    context: &Context<'_>,
    file: &Path,
    format: Option<Format>,
) -> Result<String, Problems> {
    let mut file = context.env.absolute(file);
    if file.is_dir() {
        let names = crate::manifest::FILE_NAMES;
        let names = names.iter().chain(&crate::manifest::import::FILE_NAMES);
        let mut inside = names.map(|name| file.join(name));
        file = inside
            .find(|file| file.is_file())
            .ok_or_else(|| about(&file, Problem::new("there is no manifest in this folder")))?;
    }
    let shown = file.display();
    let document = read_document(&file)?;
    let Some(format) = foreign(&file, &document, format) else {
        let manifest = check(context, &document)?;
        return Ok(format!(
            "{shown}: no problems, plugin `{}` {}",
            manifest.id, manifest.version
        ));
    };
    let imported = adopt(format, &file, &document)?;
    for note in &imported.notes {
        output::complain(&format!("note: {note}\n"));
    }
    let manifest = check(context, &imported.document)
        .map_err(|problems| imported.explain(&imported.document, problems))?;
    Ok(format!(
        "{shown}: no problems, plugin `{}` {} as imported from {format}",
        manifest.id, manifest.version
    ))
}

/// Reads a manifest as the gateway would. Variables that are not set here may be set where it runs: they are only
/// mentioned.
fn check(context: &Context<'_>, document: &Node) -> Result<Manifest, Problems> {
    let (mut filled, mut missing) = (document.clone(), Vec::new());
    let words = Words::of(&context.env);
    expand(&mut filled, &mut Vec::new(), words, &mut missing);
    let manifest = read(&filled);
    if manifest.is_ok() {
        for note in missing {
            output::complain(&format!("note: {note}\n"));
        }
    }
    manifest
}

fn foreign(file: &Path, document: &Node, format: Option<Format>) -> Option<ForeignFormat> {
    if let Some(format) = format {
        return Some(match format {
            Format::Ordinaut => ForeignFormat::Ordinaut,
            Format::Dagstack => ForeignFormat::Dagstack,
            Format::Jank => ForeignFormat::Jank,
            Format::AgentOs => ForeignFormat::AgentOs,
            Format::AiFixer => ForeignFormat::AiFixer,
        });
    }
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    ForeignFormat::recognise(name, document).or_else(|| ForeignFormat::guess(document))
}

fn adopt(format: ForeignFormat, file: &Path, document: &Node) -> Result<Imported, Problems> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let beside = |path: &str| folder.join(path).is_file();
    import(format, document, &beside).map_err(|refused| refused.problems)
}

fn about(file: &Path, problem: Problem) -> Problems {
    let file = Some(file.to_path_buf());
    Problems(vec![Problem { file, ..problem }])
}

/// What whoever reads the printed manifest must know, as comments.
fn header(format: ForeignFormat, notes: &[Problem], unrunnable: Option<&Unrunnable>) -> String {
    let mut text = format!("Imported from {format}.\n");
    if let Some(Unrunnable { problem, .. }) = unrunnable {
        text.push_str("\nIT DOES NOT RUN YET, the command below is a guess:\n");
        text.push_str(&in_short(problem));
    }
    if !notes.is_empty() {
        text.push_str("\nWhat was not carried over as it was:\n");
    }
    text.extend(notes.iter().map(in_short));
    let comment = |line: &str| format!("# {line}").trim_end().to_owned() + "\n";
    text.lines().map(comment).collect()
}

/// A note without its file, which is the same for all.
fn in_short(note: &Problem) -> String {
    let Problem {
        line,
        message,
        mend,
        ..
    } = note;
    let mend = mend
        .as_ref()
        .map(|mend| format!("  {mend}\n"))
        .unwrap_or_default();
    // A text of the original could hold a line break, and what follows would be no comment.
    let message = output::one_line(message, 400);
    format!("- line {line}: {message}\n{mend}")
}

fn as_json(note: &Problem) -> serde_json::Value {
    json!({
        "line": note.line,
        "column": note.column,
        "path": note.path,
        "message": note.message,
        "mend": note.mend,
    })
}
