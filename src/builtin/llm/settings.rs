//! What the operator says: which program, which cluster, and what commands may reach there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::builtin::llm::ask::quoted;
use crate::builtin::llm::rules::{Rules, is_name};
use crate::builtin::llm::{MAX_MEMORY, MAX_PROCESSES};
use crate::plugin::{PluginContext, Programs, Run};

/// How long kubectl may take to read its configuration.
const LOOK: Duration = Duration::from_secs(5);

/// The most bytes of names of contexts that are read.
const MAX_CONTEXTS_BYTES: usize = 1 << 20;

/// How many of them are named in an error.
const MAX_NAMED: usize = 20;

/// The namespace of commands that name none, where the settings do not either.
const DEFAULT: &str = "default";

/// The settings as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    program: String,
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
    namespace: Option<String>,
    namespaces: Vec<String>,
    remediation: bool,
    max_replicas: u32,
    timeout_seconds: u64,
    output_bytes: usize,
    variables: BTreeMap<String, String>,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            program: "kubectl".to_owned(),
            kubeconfig: None,
            context: None,
            namespace: None,
            namespaces: Vec::new(),
            remediation: true,
            max_replicas: 50,
            timeout_seconds: 30,
            output_bytes: 64 << 10,
            variables: BTreeMap::new(),
        }
    }
}

/// What commands are run with.
pub(super) struct Settled {
    pub(super) program: PathBuf,
    /// What is said of the cluster where a command is shown; chosen by the operator alone.
    pub(super) context: Option<String>,
    /// The file that says what the cluster is, where there is one.
    pub(super) kubeconfig: Option<PathBuf>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) rules: Rules,
    pub(super) timeout: Duration,
    pub(super) output_bytes: usize,
    pub(super) programs: Arc<dyn Programs>,
}

impl Settled {
    /// Reads the settings. The error names the key.
    pub(super) async fn of(context: &PluginContext) -> Result<Self, String> {
        let written: Written = context.settings().map_err(|err| err.to_string())?;
        check(&written)?;
        let programs = context.programs().map_err(|fault| fault.message)?;
        let program = programs.find(&written.program).ok_or_else(|| {
            format!(
                "`{}` (`program` in the plugin's config) is not there: install kubectl, or say where it is",
                written.program
            )
        })?;
        let mut variables = written.variables;
        // What it keeps is kept there, and what its user has at home changes nothing.
        if let Ok(home) = context.temp_dir() {
            variables.insert("HOME".to_owned(), home.display().to_string());
        }
        variables.insert("KUBECTL_KUBERC".to_owned(), "false".to_owned());
        if let Some(file) = &written.kubeconfig {
            variables.insert("KUBECONFIG".to_owned(), file.display().to_string());
        }
        let kubeconfig = kubeconfig_in(&variables);
        check_context(
            written.remediation,
            written.context.as_deref(),
            kubeconfig.as_deref(),
        )?;
        // A file that others write is not to decide either where a command acts.
        let namespace = match written.namespaces.is_empty() {
            true => written.namespace.or_else(|| Some(DEFAULT.to_owned())),
            false => written.namespace,
        };
        if written.kubeconfig.is_some() || written.context.is_some() {
            let known = contexts(&*programs, &program, &variables).await?;
            known_context(&known, written.context.as_deref())?;
        }
        Ok(Self {
            program,
            context: written.context,
            kubeconfig,
            variables,
            rules: Rules {
                namespaces: written.namespaces,
                namespace,
                max_replicas: written.max_replicas,
                may_change: written.remediation,
            },
            timeout: Duration::from_secs(written.timeout_seconds),
            output_bytes: written.output_bytes,
            programs,
        })
    }
}

/// The file that `kubectl` reads with these variables: what is named, whether it is there or not, or else the usual one.
fn kubeconfig_in(variables: &BTreeMap<String, String>) -> Option<PathBuf> {
    let named = variables
        .get("KUBECONFIG")
        .filter(|named| !named.is_empty());
    let usual = || {
        let file = Path::new(variables.get("HOME")?).join(".kube/config");
        file.is_file().then_some(file)
    };
    named.map(PathBuf::from).or_else(usual)
}

/// What an approval is for must not change with the current context of a file.
fn check_context(
    may_change: bool,
    context: Option<&str>,
    kubeconfig: Option<&Path>,
) -> Result<(), String> {
    match (may_change, context, kubeconfig) {
        (true, None, Some(file)) => Err(format!(
            "`context` is missing in the plugin's config: a person agrees to a command in one cluster, and the current context of `{}` may become another meanwhile; name one (`kubectl config get-contexts` lists them), or set `remediation = false`",
            file.display()
        )),
        _ => Ok(()),
    }
}

/// The names of the contexts that kubectl finds in its configuration, which it can read then.
async fn contexts(
    programs: &dyn Programs,
    program: &Path,
    variables: &BTreeMap<String, String>,
) -> Result<Vec<String>, String> {
    let program = program.display().to_string();
    let arguments = ["config", "get-contexts", "-o", "name"].map(str::to_owned);
    let run = Run {
        command: std::iter::once(program).chain(arguments).collect(),
        variables: variables.clone(),
        directory: None,
        input: Vec::new(),
        timeout: LOOK,
        output_bytes: MAX_CONTEXTS_BYTES,
        memory_bytes: Some(MAX_MEMORY),
        processes: Some(MAX_PROCESSES),
        open_files: None,
        cpu_seconds: None,
        confinement: None,
    };
    let finished = programs.run(run).await.map_err(|fault| fault.message)?;
    if finished.code == Some(0) && finished.stopped.is_none() {
        return Ok(finished.stdout.text().lines().map(str::to_owned).collect());
    }
    let said = finished.stderr.text();
    // What stands behind these signs in errors about YAML and JSON is from the file itself, which holds secrets.
    let said = said.split(['`', '|']).next().unwrap_or_default();
    let why = finished.stopped.unwrap_or_else(|| said.to_owned());
    Err(format!(
        "kubectl cannot read the file that `kubeconfig` in the plugin's config names: {}; see that the gateway's user may read it, and that it is a kubeconfig",
        quoted(&why)
    ))
}

/// Refuses a context that is not among those.
fn known_context(known: &[String], context: Option<&str>) -> Result<(), String> {
    let Some(context) = context.filter(|context| !known.iter().any(|name| name == context)) else {
        return Ok(());
    };
    let others: Vec<&str> = known.iter().take(MAX_NAMED).map(String::as_str).collect();
    let there = match others.is_empty() {
        true => "there is none: say which file by `kubeconfig`".to_owned(),
        false => format!("there are {}", others.join(", ")),
    };
    Err(format!(
        "`{context}` (`context` in the plugin's config) is no context of the kubeconfig; {there}"
    ))
}

fn check(written: &Written) -> Result<(), String> {
    let own = ["PATH", "HOME", "LANG"];
    if let Some(name) = own
        .iter()
        .find(|name| written.variables.contains_key(**name))
    {
        return Err(format!(
            "`variables.{name}` in the plugin's config is refused: kubectl has one already, which settings do not change"
        ));
    }
    for name in written.namespaces.iter().chain(&written.namespace) {
        if !is_name(name) {
            return Err(format!(
                "`{name}` (`namespaces` or `namespace` in the plugin's config) is no name of a namespace"
            ));
        }
    }
    let is_among =
        |name: &String| written.namespaces.is_empty() || written.namespaces.contains(name);
    if let Some(name) = written.namespace.as_ref().filter(|name| !is_among(name)) {
        return Err(format!(
            "`namespace` in the plugin's config is `{name}`, which is not among its `namespaces`"
        ));
    }
    let file = written.kubeconfig.as_ref().filter(|file| !file.is_file());
    match file {
        Some(file) => Err(format!(
            "`{}` (`kubeconfig` in the plugin's config) is no file that is there",
            file.display()
        )),
        None => Ok(()),
    }
}
