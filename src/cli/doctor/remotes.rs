//! Remote servers: whether their name, their machine, their port and their certificate are in order.

use std::time::Duration;

use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::{Finding, about};
use crate::manifest::runtime::McpHttp as Section;
use crate::model::fault::Fault;
use crate::runtime::mcp_http::McpHttp;

/// The longest that one server is waited for, whatever its manifest allows.
const LONGEST: Duration = Duration::from_secs(5);

/// Connects to all of them at the same time, as the runtime does, and asks them nothing.
pub(super) async fn look(ground: &Ground<'_>) -> Vec<Finding> {
    let runtime = McpHttp::new();
    let sections = ground
        .enabled()
        .filter_map(|plugin| Some((plugin, plugin.manifest.mcp_http.as_ref()?)));
    let looks = sections.map(|(plugin, section)| {
        let runtime = &runtime;
        async move {
            let budget = Duration::from_millis(section.connect_timeout_ms).min(LONGEST);
            finding(about(plugin), section, runtime.reach(section, budget).await)
        }
    });
    futures::future::join_all(looks).await
}

fn finding(subject: String, section: &Section, reached: Result<(), Fault>) -> Finding {
    let uri = section.url.uri();
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let encrypted = uri.scheme_str() == Some("https");
    match reached {
        Ok(()) if encrypted => Finding::ok(
            subject,
            format!("{host} answers, and its certificate is good"),
        ),
        Ok(()) => Finding::ok(subject, format!("{host} answers")),
        Err(fault) => {
            let (step, mend) = step(fault.reason);
            Finding::problem(subject, format!("{step} of {host}: {fault}")).mend(mend)
        }
    }
}

/// Which step of a connection failed for this reason, and what to do about it.
fn step(reason: &str) -> (&'static str, &'static str) {
    match reason {
        "dns_failure" => (
            "name",
            "is it spelled right in `mcp_http.url`? does this machine have a name server?",
        ),
        "address_refused" => ("address", "name the server that is meant in `mcp_http.url`"),
        "connect_refused" => (
            "connection",
            "start the server, or mend the port in `mcp_http.url`",
        ),
        "connect_timeout" | "connect_unreachable" => (
            "connection",
            "look at the network and its firewalls; the gateway goes through no proxy",
        ),
        "tls_not_spoken" => ("TLS", "write `http://` if no encryption is meant"),
        "tls_expired" | "tls_not_valid_yet" => (
            "TLS",
            "renew its certificate; is the clock of this machine right?",
        ),
        "tls_wrong_name" => ("TLS", "use the name that the certificate is for"),
        "tls_unknown_issuer" | "tls_no_roots" => (
            "TLS",
            "add its authority to the certificates that this machine trusts",
        ),
        reason if reason.starts_with("tls_") => ("TLS", "mend the server's TLS"),
        _ => ("connection", "look at the server and the way to it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_told_apart() {
        for (reason, expect) in [
            ("dns_failure", "name"),
            ("address_refused", "address"),
            ("connect_refused", "connection"),
            ("connect_timeout", "connection"),
            ("connect_failed", "connection"),
            ("tls_expired", "TLS"),
            ("tls_bad_certificate", "TLS"),
        ] {
            assert_eq!(step(reason).0, expect, "{reason}");
        }
    }
}
