//! Settings that must not be started with, although each value for itself is fine.

mod auth;

use http::{HeaderName, HeaderValue};

use crate::config::file::ConfigFile;
use crate::events::config::EventsConfig;
use crate::front::auth::is_safe;
use crate::front::config::{AuthConfig, RoundsConfig, ServerConfig, SessionsConfig, TasksConfig};
use crate::ledger::config::LedgerConfig;
use crate::manifest::check::{MAX_MS, in_range};
use crate::manifest::decode::{Report, in_list, path};
use crate::manifest::glob::Pattern;
use crate::manifest::problem::Problem;
use crate::telemetry::config::TracesConfig;

/// Notes everything that is wrong with the operator's file beyond the types of its values.
pub fn check(config: &ConfigFile, report: &mut Report<'_>) {
    check_server(&config.server, report);
    auth::check(&config.auth, &config.server, report);
    check_ledger(&config.ledger, report);
    check_events(&config.events, report);
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

fn check_events(events: &EventsConfig, report: &mut Report<'_>) {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    if !(1..=64).contains(&events.prefix.len()) || !events.prefix.bytes().all(fits) {
        let message = "a prefix has 1 to 64 characters `A-Z a-z 0-9 _ . : -`";
        report.add(&path(["events", "prefix"]), message);
    }
    for (key, value, max) in [
        ("outbox", events.outbox as u64, 1_000_000),
        ("max_deliveries", events.max_deliveries.into(), 1000),
        ("keep", events.keep as u64, 10_000_000),
    ] {
        in_range(report, &path(["events", key]), value, 1, max);
    }
    let at = path(["events", "redeliver_ms"]);
    in_range(report, &at, events.redeliver_ms, 10, 86_400_000);
}

/// The refusal to listen on a network without a credential. Ask again when `--listen` changes the address.
pub fn exposed(server: &ServerConfig, auth: &AuthConfig) -> Option<Problem> {
    if server.listen.ip().to_canonical().is_loopback() || auth.names_callers() {
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

fn check_ledger(ledger: &LedgerConfig, report: &mut Report<'_>) {
    let at = |key: &str| path(["ledger", key]);
    if let Err(expected) = ledger.place(None) {
        report.add(&at("url"), expected);
    }
    in_range(report, &at("keep_days"), ledger.keep_days.into(), 1, 36_500);
    in_range(report, &at("max_bytes"), ledger.max_bytes, 1 << 20, 1 << 50);
    for (index, text) in ledger.bodies.iter().enumerate() {
        if let Err(error) = Pattern::new(text) {
            report.add(
                &in_list(&["ledger", "bodies"], index, &[]),
                error.to_string(),
            );
        }
    }
    for (index, pointer) in ledger.redact.iter().enumerate() {
        if !pointer.starts_with('/') {
            let expected = "expected a JSON pointer such as `/password`";
            report.add(&in_list(&["ledger", "redact"], index, &[]), expected);
        }
    }
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
    if let Some(url) = &server.public_url
        && !is_base(url)
    {
        let mend = "write the address that clients use, such as `https://gate.example`";
        let message = "expected an `https://` URL without query; `http://` only for this machine";
        report.add_with_mend(&path(["server", "public_url"]), message, mend);
    }
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

/// Whether other addresses can be made of it by what stands behind it.
fn is_base(url: &str) -> bool {
    is_safe(url) && !url.contains(['?', '#', '@', '"', '\\'])
}

fn is_authority(text: &str) -> bool {
    !text.contains(['*', '@', '/']) && text.parse::<http::uri::Authority>().is_ok()
}
