//! The operator's settings, and the cluster that they lead to.

use std::path::PathBuf;
use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use serde::Deserialize;

use crate::builtin::kubernetes::names::Name;
use crate::builtin::kubernetes::secrets::Written;
use crate::builtin::kubernetes::words::line;
use crate::manifest::glob::Pattern;

/// The most letters of a name of a kubeconfig that are shown.
const MAX_NAME: usize = 80;

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

/// How a cluster is reached.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) config: Config,
    /// The context of the kubeconfig; `None` for the cluster that the gateway runs in.
    pub(super) context: Option<String>,
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
    pub(super) async fn cluster(&self) -> Result<Reached, String> {
        let kubeconfig = match (&self.kubeconfig, &self.context) {
            (Some(path), _) => Kubeconfig::read_from(path)
                .map_err(|error| format!("`kubeconfig`: {}", said(&error)))?,
            (None, None) => match Config::incluster() {
                Ok(config) => {
                    return Ok(Reached {
                        config: self.timed(config),
                        context: None,
                    });
                }
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
        let context = self.context.clone();
        let context = context.or_else(|| kubeconfig.current_context.clone());
        let user = user_of(&kubeconfig, self.context.as_deref());
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
        has_no_user(&config)?;
        is_one_word(&config, &user)?;
        Ok(Reached {
            config: self.timed(config),
            context,
        })
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

/// An address may hold a password, and is shown.
fn has_no_user(config: &Config) -> Result<(), String> {
    let authority = config.cluster_url.authority();
    match authority.is_some_and(|authority| authority.as_str().contains('@')) {
        true => Err("`kubeconfig`: the `server` of its cluster has a user or a password before an `@`: take it out, and write it as `username` and `password`, or as `token`, below `users`".into()),
        false => Ok(()),
    }
}

/// What is no header would stop the client, or a line end in a file make it say only that.
fn is_one_word(config: &Config, user: &str) -> Result<(), String> {
    let written = Written::of(config);
    for (key, value) in [
        ("token", &written.token),
        ("username", &config.auth_info.username),
        ("password", &written.password),
    ] {
        let Some(value) = value else { continue };
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "`kubeconfig`: the `{key}` of its user `{user}` must be visible ASCII and not empty, without spaces and line ends: write it anew"
            ));
        }
    }
    let Some(path) = &config.auth_info.token_file else {
        return Ok(());
    };
    let token = std::fs::read_to_string(path)
        .map_err(|error| format!("`kubeconfig`: its `tokenFile` {path} cannot be read: {error}"))?;
    match token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Err(format!(
            "`kubeconfig`: its `tokenFile` {path} must hold a token and nothing else, no line end either"
        )),
        false => Ok(()),
    }
}

/// What the user of that context is called, or of the current one.
fn user_of(kubeconfig: &Kubeconfig, context: Option<&str>) -> String {
    let context = context.or(kubeconfig.current_context.as_deref());
    let mut contexts = kubeconfig.contexts.iter();
    let found = contexts.find(|named| Some(named.name.as_str()) == context);
    let user = found.and_then(|named| named.context.as_ref()?.user.as_deref());
    line(user.unwrap_or_default(), MAX_NAME)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CLUSTERS: &str = "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
        clusters:\n- name: a\n  cluster: {server: 'http://127.0.0.1:1'}\n- name: b\n  cluster: {server: 'http://127.0.0.1:2', proxy-url: 'http://127.0.0.1:3'}\n\
        contexts:\n- name: a\n  context: {cluster: a, user: token, namespace: shop}\n- name: b\n  context: {cluster: b, user: token}\n\
        - name: exec\n  context: {cluster: a, user: exec}\n- name: old\n  context: {cluster: a, user: old}\n\
        users:\n- name: token\n  user: {token: hunter2}\n\
        - name: exec\n  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: touch, args: [/tmp/toolgate-was-run]}}\n\
        - name: old\n  user: {auth-provider: {name: gcp, config: {cmd-path: touch}}}\n";

    async fn check(text: &str, settings: serde_json::Value, expect: Result<&str, &str>) {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("config");
        std::fs::write(&path, text).expect("it can be written");
        let mut settings: Settings = serde_json::from_value(settings).expect("they fit");
        settings.kubeconfig = Some(path);
        match (settings.cluster().await, expect) {
            (Ok(Reached { config, context }), Ok(expect)) => {
                assert_eq!(context.as_deref(), Some("a"));
                assert_eq!(config.cluster_url, expect);
                assert_eq!(config.proxy_url, None);
            }
            (Err(came), Err(part)) => {
                assert!(came.contains(part), "{came}");
                assert!(!came.contains("hunter2"), "{came}");
            }
            (came, _) => panic!("{came:?}, not {expect:?}"),
        }
    }

    #[tokio::test]
    async fn a_kubeconfig_leads_to_a_cluster_or_the_mistake_is_told() {
        let context = |name: &str| json!({ "context": name });
        check(CLUSTERS, json!({}), Ok("http://127.0.0.1:1/")).await;
        check(CLUSTERS, context("b"), Err("`proxy-url`")).await;
        check(
            CLUSTERS,
            context("c"),
            Err("failed to load current context: c"),
        )
        .await;
        check(
            "- hunter2: [",
            json!({}),
            Err("not the YAML of a kubeconfig"),
        )
        .await;
    }

    /// Neither when it is read nor later: a user whose credentials come from a program is refused.
    #[tokio::test]
    async fn programs_for_credentials_are_refused() {
        for (name, part) in [
            ("exec", "by `exec`, a program"),
            ("old", "by `auth-provider`"),
        ] {
            check(CLUSTERS, json!({ "context": name }), Err(part)).await;
        }
    }

    #[tokio::test]
    async fn a_file_with_a_token_holds_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("token");
        let text = CLUSTERS.replace(
            "token: hunter2",
            &format!("tokenFile: '{}'", file.display()),
        );
        check(&text, json!({}), Err("cannot be read")).await;
        for (token, expect) in [
            ("hunter2", Ok("http://127.0.0.1:1/")),
            ("hunter2\n", Err("no line end either")),
        ] {
            std::fs::write(&file, token).expect("it can be written");
            check(&text, json!({}), expect).await;
        }
    }

    /// The client panics at what is no header.
    #[tokio::test]
    async fn what_is_no_header_is_named_and_not_quoted() {
        for (user, key) in [
            (r#""TOK\nhunter2""#, "token"),
            (r#""hunter2\0""#, "token"),
            ("'hunter2 é'", "token"),
            ("''", "token"),
            (r#"a, username: "hunter2\n", password: x"#, "username"),
            (r#"a, username: x, password: "hunter2\r\n""#, "password"),
            (r#"a, username: x, password: '' "#, "password"),
        ] {
            let text = CLUSTERS.replace("token: hunter2", &format!("token: {user}"));
            let part = format!("the `{key}` of its user `token` must be visible ASCII");
            check(&text, json!({}), Err(&part)).await;
        }
        let text = CLUSTERS.replace(
            "token: hunter2",
            "token: hunter2, username: x, password: hunter2",
        );
        check(&text, json!({}), Ok("http://127.0.0.1:1/")).await;
    }

    #[tokio::test]
    async fn an_address_with_a_password_is_refused_and_not_quoted() {
        let text = CLUSTERS.replace("http://127.0.0.1:1", "http://admin:hunter2@127.0.0.1:1");
        check(&text, json!({}), Err("before an `@`: take it out")).await;
    }

    #[tokio::test]
    async fn a_kubeconfig_that_is_not_there_is_named() {
        let settings = Settings {
            kubeconfig: Some("/nowhere/config".into()),
            ..Settings::default()
        };
        let error = settings.cluster().await.expect_err("there is none");
        assert!(
            error.starts_with("`kubeconfig`: failed to read kubeconfig from"),
            "{error}"
        );
    }
}
