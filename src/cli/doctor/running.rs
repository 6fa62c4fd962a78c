//! What a gateway that runs complains of itself.

use serde_json::Value;

use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::Finding;
use crate::cli::gateway::{Gateway, Unanswered};
use crate::cli::plugins::text;

const SUBJECT: &str = "running gateway";

pub(super) async fn look(ground: &Ground<'_>) -> Vec<Finding> {
    let gateway = match ground.at.is_named() {
        true => Gateway::find(ground.context, ground.at),
        false => {
            let listen = ground.loaded.config.server.listen;
            Ok(Gateway::at(ground.context, listen.to_string()))
        }
    };
    let gateway = match gateway {
        Ok(gateway) => gateway,
        Err(why) => return vec![Finding::problem(SUBJECT, why)],
    };
    match gateway.get("report").await {
        Ok(report) => complaints(&report, gateway.authority()),
        Err(Unanswered::Nobody(why)) if ground.at.is_named() => {
            vec![Finding::problem(SUBJECT, why)]
        }
        Err(Unanswered::Nobody(_)) => vec![Finding::ok(SUBJECT, "there is none")],
        Err(Unanswered::Refused(why)) => vec![Finding::warn(SUBJECT, why)],
    }
}

fn complaints(report: &Value, authority: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(error) = report["reloads"]["last_error"].as_str() {
        let message = format!("could not read its configuration again:\n{error}");
        findings.push(Finding::problem(SUBJECT, message).mend("mend it, then `toolgate reload`"));
    }
    let broken = report["reloads"]["broken"].as_array();
    findings.extend(broken.into_iter().flatten().map(|broken| {
        let (id, error) = (text(broken, "id"), text(broken, "error"));
        let subject = format!("plugin {id}, running gateway");
        Finding::problem(subject, format!("stays as it was: {error}"))
            .mend("mend it, then `toolgate reload`")
    }));
    let plugins = report["plugins"].as_array();
    let plugins = plugins.map(Vec::as_slice).unwrap_or_default();
    findings.extend(plugins.iter().filter_map(of_plugin));
    if findings.is_empty() {
        let message = format!("{} plugins at {authority}, none in trouble", plugins.len());
        findings.push(Finding::ok(SUBJECT, message));
    }
    findings
}

fn of_plugin(plugin: &Value) -> Option<Finding> {
    let (id, error) = (text(plugin, "id"), text(plugin, "error"));
    let subject = format!("plugin {id}, running gateway");
    let health = &plugin["health"];
    match plugin["status"].as_str()? {
        state @ ("error" | "unavailable") => {
            let found = Finding::problem(subject, format!("is in state {state}: {error}"));
            Some(found.mend(format!("mend that, then `toolgate plugins start {id}`")))
        }
        _ if matches!(health["status"].as_str(), Some("unhealthy" | "degraded")) => {
            let details = text(&health["details"], "error");
            let message = format!("is {}: {details}", text(health, "status"));
            Some(Finding::warn(subject, message).mend("`toolgate plugins report` follows it"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_it_complains_of_is_told() {
        let plugin = |status: &str, health: &str| json!({ "id": "p", "status": status, "error": "boom", "health": { "status": health, "details": {} } });
        let report = |plugin: Value, error: Value| json!({ "plugins": [plugin], "reloads": { "last_error": error } });
        let says = |report: &Value| {
            let found = complaints(report, "a:1");
            let texts = found.iter().map(ToString::to_string);
            texts.collect::<Vec<_>>().join("\n")
        };
        assert!(says(&report(plugin("active", "healthy"), Value::Null)).starts_with("ok "));
        let said = says(&report(plugin("error", "unknown"), json!("line 3")));
        assert!(
            said.contains("line 3") && said.contains("in state error: boom"),
            "{said}"
        );
        let said = says(&report(plugin("active", "unhealthy"), Value::Null));
        assert!(
            said.starts_with("warn") && said.contains("is unhealthy"),
            "{said}"
        );
    }
}
