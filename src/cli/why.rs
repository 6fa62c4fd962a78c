//! `toolgate why`: why a tool is listed, or why not.

use std::process::ExitCode;
use std::sync::Arc;

use serde_json::Value;

use crate::cli::gateway::{At, Unanswered};
use crate::cli::log::quoted;
use crate::cli::plugins::{ask, text};
use crate::cli::{Begun, Context, failure, output};
use crate::registry::Viewer;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The name as a client would call it.
    tool: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Exit code 1 when it is not listed. Where no gateway runs, the plugins of the configuration are started to see.
pub(super) fn run(context: &Context<'_>, arguments: &Arguments) -> ExitCode {
    let path = format!("why?tool={}", quoted(&arguments.tool));
    let why = match ask(context, &arguments.at, &path, None) {
        Ok(why) => why,
        Err(Unanswered::Nobody(_)) if !arguments.at.is_named() => {
            match without_gateway(context, &arguments.tool) {
                Ok(why) => why,
                Err(code) => return code,
            }
        }
        Err(unanswered) => return failure(&unanswered.message()),
    };
    match arguments.json {
        true => output::say_json(&why),
        false => lines(&why).iter().for_each(|line| output::say(line)),
    }
    match why["listed"] == true {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn without_gateway(context: &Context<'_>, tool: &str) -> Result<Value, ExitCode> {
    let Begun {
        log,
        loaded,
        runtime,
    } = context.begin("off")?;
    runtime.block_on(async {
        let app = context
            .app(&loaded, &log)
            .map_err(|problems| failure(&problems.to_string()))?;
        let registry = app.desk.registry();
        futures::future::join_all(registry.plugins().iter().map(|plugin| plugin.warm())).await;
        app.start();
        let viewer = Viewer::bare(Arc::clone(app.callers.anonymous()));
        let why = app.desk.control.why(tool, &viewer).await;
        app.stop().await;
        Ok(serde_json::to_value(why).expect("it has string keys"))
    })
}

/// The answer for people.
fn lines(why: &Value) -> Vec<String> {
    let is = match why["listed"] == true {
        true => "listed",
        false => "not listed",
    };
    let mut lines = vec![format!(
        "{} is {is}: {}",
        text(why, "tool"),
        text(why, "message")
    )];
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("  {name:<9} {value}"));
        }
    };
    let (plugin, entry) = (&why["plugin"], &why["entry"]);
    row("plugin", text(plugin, "id"));
    row("own name", text(entry, "own_name"));
    row("category", text(entry, "category"));
    let filters = entry["filters"].as_array();
    let filters = filters.into_iter().flatten().filter_map(Value::as_str);
    row("filters", filters.collect::<Vec<_>>().join(", "));
    row("runtime", text(plugin, "runtime"));
    let since = plugin["state_seconds"].as_f64().filter(|s| *s > 0.0);
    let since = since.map_or_else(String::new, |s| format!(", for {}", output::span(s)));
    if plugin["state"].is_string() {
        row("state", format!("{}{since}", text(plugin, "state")));
    }
    row("health", text(&plugin["health"], "status"));
    let error = text(plugin, "error");
    if !text(why, "message").contains(&error) {
        row("error", error);
    }
    row("mend", text(why, "mend"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_known_is_said_once() {
        let why = json!({
            "tool": "p__t", "listed": false, "reason": "failed", "message": "plugin `p` ended (exit code 3)",
            "mend": "do this", "near": null, "entry": null,
            "plugin": { "id": "p", "runtime": "mcp_stdio", "state": "error", "state_seconds": 12.2,
                "health": { "status": "unknown" }, "error": "plugin `p` ended (exit code 3)" },
        });
        assert_eq!(
            lines(&why),
            [
                "p__t is not listed: plugin `p` ended (exit code 3)",
                "  plugin    p",
                "  runtime   mcp_stdio",
                "  state     error, for 12 s",
                "  health    unknown",
                "  mend      do this",
            ]
        );
    }
}
