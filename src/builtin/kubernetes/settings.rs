//! The operator's settings, and the cluster that they lead to.

use std::path::PathBuf;
use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use serde::Deserialize;

use crate::builtin::kubernetes::names::Name;
use crate::manifest::glob::Pattern;

/// The plugin's settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// Where the kubeconfig is. Without it: the cluster that the gateway runs in, else the usual kubeconfig.
    pub(super) kubeconfig: Option<PathBuf>,
    /// Which of its contexts; its current one if not given.
    pub(super) context: Option<String>,
    /// Namespaces that callers may look into and change, names or patterns. `None`: all of them.
    pub(super) namespaces: Option<Vec<Pattern>>,
    /// The namespace that is meant where a caller names none; else that of the context.
    pub(super) default_namespace: Option<Name>,
    /// Whether there are tools for nodes, which are in no namespace.
    pub(super) nodes: bool,
    /// Milliseconds to connect.
    pub(super) connect_timeout_ms: u64,
    /// Milliseconds that the API server has for one answer.
    pub(super) request_timeout_ms: u64,
    /// Bytes of a log that a caller gets at the most.
    pub(super) max_log_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            context: None,
            namespaces: None,
            default_namespace: None,
            nodes: true,
            connect_timeout_ms: 5_000,
            request_timeout_ms: 15_000,
            max_log_bytes: 65_536,
        }
    }
}

impl Settings {
    pub(super) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    /// How the cluster is reached. The mistake is a sentence that names its setting, and quotes nothing of a kubeconfig.
    pub(super) async fn cluster(&self) -> Result<Config, String> {
        let kubeconfig = match (&self.kubeconfig, &self.context) {
            (Some(path), _) => Kubeconfig::read_from(path)
                .map_err(|error| format!("`kubeconfig`: {}", said(&error)))?,
            (None, None) => match Config::incluster() {
                Ok(config) => return Ok(self.timed(config)),
                Err(not_inside) => Kubeconfig::read().map_err(|error| {
                    format!(
                        "no cluster is known: the gateway does not run in one ({not_inside}), and of the usual kubeconfig {}; set `kubeconfig`",
                        said(&error)
                    )
                })?,
            },
            (None, Some(_)) => Kubeconfig::read()
                .map_err(|error| format!("`context`: of the usual kubeconfig {}", said(&error)))?,
        };
        let behind_proxies = behind_proxies(&kubeconfig);
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|error| format!("`kubeconfig`: {}", said(&error)))?;
        if behind_proxies.contains(&config.cluster_url) {
            return Err("`kubeconfig`: its cluster has a `proxy-url`, and proxies are not supported: name a server that is reached directly".into());
        }
        // It may come from the environment, which is meant for others.
        config.proxy_url = None;
        runs_no_program(&config)?;
        Ok(self.timed(config))
    }

    fn timed(&self, mut config: Config) -> Config {
        config.connect_timeout = Some(Duration::from_millis(self.connect_timeout_ms));
        // Nothing but TLS needs the roots of the system, which may not be there.
        if config.cluster_url.scheme_str() == Some("http") && config.root_cert.is_none() {
            config.root_cert = Some(Vec::new());
        }
        config
    }
}

/// Credential plugins are programs that would be run in this process' environment, beyond its bounds and its deadlines.
/// Processes are for `runtime/process` alone, so none is run.
fn runs_no_program(config: &Config) -> Result<(), String> {
    let user = &config.auth_info;
    let what = match (&user.exec, &user.auth_provider) {
        (None, None) => return Ok(()),
        (Some(_), _) => "`exec`",
        (None, Some(_)) => "`auth-provider`",
    };
    Err(format!(
        "`kubeconfig`: its user gets credentials by {what}, a program, and this plugin runs none: write a kubeconfig with a `token` or `tokenFile` of a service account (`kubectl create token`), or with a client certificate"
    ))
}

/// The servers that are to be reached by way of a proxy.
fn behind_proxies(kubeconfig: &Kubeconfig) -> Vec<http::Uri> {
    let clusters = kubeconfig.clusters.iter();
    let clusters = clusters.filter_map(|named| named.cluster.as_ref());
    let proxied = clusters.filter(|cluster| cluster.proxy_url.is_some());
    proxied
        .filter_map(|cluster| cluster.server.as_ref()?.parse().ok())
        .collect()
}

/// The errors of parsers quote what they read.
fn said(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(_) => "the file is not the YAML of a kubeconfig".to_owned(),
        error => error.to_string(),
    }
}
