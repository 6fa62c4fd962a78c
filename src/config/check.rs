//! Settings that must not be started with, although each value for itself is fine.

use std::collections::HashSet;

use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use crate::config::file::ConfigFile;
use crate::front::config::{AuthConfig, RoundsConfig, ServerConfig, SessionsConfig, TasksConfig};
use crate::manifest::check::{MAX_MS, in_range};
use crate::manifest::decode::{Report, in_list, path};
use crate::manifest::problem::Problem;
use crate::telemetry::config::TracesConfig;

/// Tokens nobody may use: they can be guessed, or stand in examples.
const KNOWN_TOKENS: [&str; 14] = [
    "",
    "0123456789abcdef0123456789abcdef",
    "admin",
    "changeme",
    "default",
    "example",
    "my-secret-token",
    "password",
    "secret",
    "secret-api-key",
    "test",
    "token",
    "toolgate",
    "your-token-here",
];

/// Notes everything that is wrong with the operator's file beyond the types of its values.
pub fn check(config: &ConfigFile, report: &mut Report<'_>) {
    check_server(&config.server, report);
    check_auth(&config.auth, report);
    check_traces(&config.telemetry.traces, report);
    if let Some(problem) = exposed(&config.server, &config.auth) {
        let mend = problem.mend.unwrap_or_default();
        report.add_with_mend(&path(["server", "listen"]), problem.message, &mend);
    }
    in_range(
        report,
        &path(["max_plugins"]),
        config.max_plugins as u64,
        1,
        10_000,
    );
}

fn check_traces(traces: &TracesConfig, report: &mut Report<'_>) {
    let at = |key: &str| path(["telemetry", "traces", key]);
    if !(0.0..=1.0).contains(&traces.sample_ratio) {
        report.add(&at("sample_ratio"), "it is a part of all calls, 0 to 1");
    }
    if traces
        .service_name
        .as_ref()
        .is_some_and(|name| name.trim().is_empty())
    {
        report.add(&at("service_name"), "the name is empty");
    }
    for (name, value) in &traces.headers {
        let sound =
            name.parse::<HeaderName>().is_ok() && HeaderValue::from_str(value.expose()).is_ok();
        if !sound {
            report.add(
                &path(["telemetry", "traces", "headers", name]),
                "this is no header",
            );
        }
    }
}

/// The refusal to listen on a network without a credential. Ask again when `--listen` changes the address.
pub fn exposed(server: &ServerConfig, auth: &AuthConfig) -> Option<Problem> {
    if server.listen.ip().to_canonical().is_loopback() || !auth.tokens.is_empty() {
        return None;
    }
    let message = format!(
        "listening on {} would let everyone in the network call the tools",
        server.listen
    );
    Some(Problem::new(message).mend(
        "add a token to `[[auth.tokens]]` (`toolgate token new` makes one), or listen on 127.0.0.1",
    ))
}

fn check_server(server: &ServerConfig, report: &mut Report<'_>) {
    const HOUR_MS: u64 = 3_600_000;
    let at = |key: &str| path(["server", key]);
    for (key, value, low, high) in [
        (
            "max_body_bytes",
            server.max_body_bytes as u64,
            1024,
            1 << 30,
        ),
        ("header_timeout_ms", server.header_timeout_ms, 1, HOUR_MS),
        ("body_timeout_ms", server.body_timeout_ms, 1, HOUR_MS),
        ("write_timeout_ms", server.write_timeout_ms, 1, HOUR_MS),
        (
            "max_connections",
            server.max_connections as u64,
            1,
            1_000_000,
        ),
        (
            "max_connections_per_ip",
            server.max_connections_per_ip as u64,
            1,
            1_000_000,
        ),
        (
            "max_header_bytes",
            server.max_header_bytes as u64,
            8192,
            1 << 20,
        ),
        ("drain_ms", server.drain_ms, 0, HOUR_MS),
        (
            "worker_threads",
            server.worker_threads.unwrap_or(1) as u64,
            1,
            1024,
        ),
    ] {
        in_range(report, &at(key), value, low, high);
    }
    check_sessions(&server.sessions, report);
    check_rounds(&server.rounds, report);
    check_tasks(&server.tasks, report);
    check_names(server, report);
}

fn check_sessions(sessions: &SessionsConfig, report: &mut Report<'_>) {
    for (key, value, high) in [
        ("max", sessions.max as u64, 10_000_000),
        (
            "max_per_principal",
            sessions.max_per_principal as u64,
            10_000_000,
        ),
        ("idle_ms", sessions.idle_ms, MAX_MS),
        ("total_ms", sessions.total_ms, MAX_MS),
    ] {
        in_range(report, &path(["server", "sessions", key]), value, 1, high);
    }
    for (key, value, high) in [
        ("replay_messages", sessions.replay_messages as u64, 10_000),
        ("replay_bytes", sessions.replay_bytes as u64, 1_073_741_824),
        ("replay_ms", sessions.replay_ms, 86_400_000),
    ] {
        in_range(report, &path(["server", "sessions", key]), value, 0, high);
    }
}

fn check_rounds(rounds: &RoundsConfig, report: &mut Report<'_>) {
    for (key, value, high) in [
        ("max", rounds.max as u64, 1_000_000),
        (
            "max_per_principal",
            rounds.max_per_principal as u64,
            1_000_000,
        ),
        ("wait_ms", rounds.wait_ms, MAX_MS),
    ] {
        in_range(report, &path(["server", "rounds", key]), value, 1, high);
    }
}

fn check_tasks(tasks: &TasksConfig, report: &mut Report<'_>) {
    for (key, value, low, high) in [
        ("after_ms", tasks.after_ms, 0, 3_600_000),
        ("max", tasks.max as u64, 1, 1_000_000),
        (
            "max_per_principal",
            tasks.max_per_principal as u64,
            1,
            1_000_000,
        ),
        ("ttl_ms", tasks.ttl_ms, 1, MAX_MS),
        ("poll_interval_ms", tasks.poll_interval_ms, 1, 3_600_000),
    ] {
        in_range(report, &path(["server", "tasks", key]), value, low, high);
    }
}

fn check_names(server: &ServerConfig, report: &mut Report<'_>) {
    for (index, host) in server.allowed_hosts.iter().enumerate() {
        if !is_authority(host) {
            report.add(
                &in_list(&["server", "allowed_hosts"], index, &[]),
                "expected `name` or `name:port`",
            );
        }
    }
    for (index, origin) in server.allowed_origins.iter().enumerate() {
        let authority = origin
            .split_once("://")
            .filter(|(scheme, _)| !scheme.is_empty())
            .map(|(_, rest)| rest);
        if !authority.is_some_and(is_authority) {
            let message = "expected one origin such as `https://example.com`, without path; `*` is not allowed";
            report.add(
                &in_list(&["server", "allowed_origins"], index, &[]),
                message,
            );
        }
    }
}

fn is_authority(text: &str) -> bool {
    !text.contains(['*', '@', '/']) && text.parse::<http::uri::Authority>().is_ok()
}

fn check_auth(auth: &AuthConfig, report: &mut Report<'_>) {
    let (mut names, mut digests) = (HashSet::new(), HashSet::new());
    let known: Vec<[u8; 32]> = KNOWN_TOKENS
        .iter()
        .map(|token| Sha256::digest(token).into())
        .collect();
    for (index, token) in auth.tokens.iter().enumerate() {
        let at = |key: &str| in_list(&["auth", "tokens"], index, &[key]);
        if token.name.trim().is_empty() {
            report.add(&at("name"), "the name is empty");
        } else if !names.insert(&token.name) {
            report.add(
                &at("name"),
                format!("another token is called `{}`", token.name),
            );
        }
        if known.contains(token.sha256.bytes()) {
            let mend = "make one with `toolgate token new`";
            report.add_with_mend(
                &at("sha256"),
                "this token is empty, or one everybody knows",
                mend,
            );
        } else if !digests.insert(token.sha256) {
            report.add(&at("sha256"), "another token is the same");
        }
        for (scope, text) in token.scopes.iter().enumerate() {
            if text.is_empty()
                || text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\\'))
            {
                let at = in_list(&["auth", "tokens"], index, &["scopes", &scope.to_string()]);
                report.add(
                    &at,
                    "a scope is a word without spaces, quotes or backslashes",
                );
            }
        }
    }
}
