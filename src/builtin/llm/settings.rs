//! What the operator says: which program, which cluster, and what commands may reach there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::builtin::llm::rules::{Rules, is_name};
use crate::plugin::{PluginContext, Programs};

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
    pub(super) fn of(context: &PluginContext) -> Result<Self, String> {
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
            variables
                .entry("HOME".to_owned())
                .or_insert_with(|| home.display().to_string());
        }
        variables.insert("KUBECTL_KUBERC".to_owned(), "false".to_owned());
        if let Some(file) = written.kubeconfig {
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

fn check(written: &Written) -> Result<(), String> {
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
