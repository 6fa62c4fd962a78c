//! The plugins of a configuration that no gateway runs.

use std::process::ExitCode;

use crate::cli::{Begun, Context, failure, output};
use crate::wire::list::ListKind;

/// Starts the plugins and lists them with what became of them.
pub(super) fn list(context: &Context<'_>, json: bool) -> ExitCode {
    let Begun {
        log,
        loaded,
        runtime,
    } = match context.begin("error") {
        Ok(begun) => begun,
        Err(code) => return code,
    };
    runtime.block_on(async {
        let app = match context.app(&loaded, &log) {
            Ok(app) => app,
            Err(problems) => return failure(&problems.to_string()),
        };
        let registry = app.desk.registry();
        futures::future::join_all(registry.plugins().iter().map(|plugin| plugin.warm())).await;
        let plugins: Vec<_> = registry
            .plugins()
            .iter()
            .map(|plugin| Row::of(plugin))
            .collect();
        if json {
            let rows: Vec<_> = plugins.iter().map(Row::json).collect();
            output::say(&serde_json::to_string_pretty(&rows).expect("rows have string keys"));
        } else {
            let rows: Vec<_> = plugins.iter().map(Row::cells).collect();
            output::table(
                &["PLUGIN", "VERSION", "RUNTIME", "STATE", "TOOLS", "SOURCE"],
                &rows,
            );
            for row in plugins.iter().filter(|row| row.trouble.is_some()) {
                output::complain(&format!(
                    "{}: {}",
                    row.id,
                    row.trouble.as_deref().unwrap_or_default()
                ));
            }
        }
        app.stop().await;
        ExitCode::SUCCESS
    })
}

struct Row {
    id: String,
    version: String,
    runtime: &'static str,
    state: &'static str,
    tools: usize,
    source: String,
    trouble: Option<String>,
}

impl Row {
    fn of(plugin: &crate::registry::plugin::Plugin) -> Self {
        let life = plugin.life.snapshot();
        Self {
            id: plugin.manifest.id.to_string(),
            version: plugin.manifest.version.clone(),
            runtime: plugin.runtime.as_str(),
            state: life.state.as_str(),
            tools: plugin.surface().list(ListKind::Tools).definitions.len(),
            source: plugin.source.to_string(),
            trouble: life.error,
        }
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.version.clone(),
            self.runtime.to_owned(),
            self.state.to_owned(),
            self.tools.to_string(),
            self.source.clone(),
        ]
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "id": self.id,
            "version": self.version,
            "runtime": self.runtime,
            "state": self.state,
            "tools": self.tools,
            "source": self.source,
            "error": self.trouble,
        })
    }
}
