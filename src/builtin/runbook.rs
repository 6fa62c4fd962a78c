//! `runbook`: finds what to do in a folder of Markdown. Each file is a resource, too.

mod folder;

mod library;

mod section;

mod shelf;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::runbook::library::Library;
use crate::builtin::runbook::shelf::{Fitting, Hit, uri};
use crate::plugin::{
    Category, HookResult, Plugin, PluginContext, ResourceRequest, Resources, Risk, ToolContext,
    ToolError, Tools, Worded,
};

/// The most places of one answer.
const MAX_HITS: usize = 50;

/// The most characters of a query: what reads it calls itself for each bracket.
const MAX_QUERY: usize = 500;

/// How long a search may take, the reading of what has changed included.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The plugin.
#[derive(Default)]
pub(super) struct Runbooks(Arc<Library>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The folder with the runbooks.
    dir: PathBuf,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// What to look for, such as `replica lag`: English words in any of their forms, of which the places that have more and
    /// rarer ones come first. Also `"a phrase"`, `+must` and `-without`. Names of services, alerts and errors find most; the
    /// text of an error can be given as it is. At most 500 characters.
    #[schemars(length(min = 1, max = 500))]
    query: String,
    /// At most so many places.
    #[serde(default = "usual_limit")]
    #[schemars(range(min = 1, max = 50))]
    limit: usize,
}

fn usual_limit() -> usize {
    5
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
struct Found {
    /// The places that fit best, the best first. Read the resource `uri` of one for the whole runbook.
    hits: Vec<Hit>,
    total: usize,
    /// Whether these places have words that the query excludes, because no place is without them.
    exclusions_ignored: bool,
    runbooks: usize,
    left_out: usize,
    /// Why the folder cannot be read now; then these are the runbooks as they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

#[async_trait]
impl Plugin for Runbooks {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        let Settings { dir } = context.settings()?;
        context.span().in_scope(|| self.0.open(dir))?;
        Ok(())
    }

    async fn on_stop(&self) -> HookResult {
        self.0.close();
        Ok(())
    }

    fn tools(&self, tools: &mut Tools) {
        let library = Arc::clone(&self.0);
        tools
            .add(
                "runbook.search",
                "Searches the runbooks: what to do when something is wrong, written by those who run it",
                move |wanted: Search, _: ToolContext| {
                    let library = Arc::clone(&library);
                    async move { search(&library, &wanted) }
                },
            )
            .title("Search runbooks")
            .category(Category::Diagnostic)
            .risk(Risk::Low)
            .touches("nothing: reads files of the folder of runbooks")
            .timeout(TIMEOUT)
            .read_only();
    }

    fn resources(&self, resources: &mut Resources) {
        self.0.notifier.set(resources.notifier()).ok();
        let paths = self
            .0
            .with(|shelf, _| shelf.runbooks.keys().cloned().collect::<Vec<_>>());
        for path in paths.unwrap_or_default() {
            let (library, own) = (Arc::clone(&self.0), path.clone());
            resources
                .add(uri(&path), path, move |_: ToolContext| {
                    let text = text(&library, |known| *known == own);
                    async move { text }
                })
                .mime_type("text/markdown");
        }
        let library = Arc::clone(&self.0);
        resources
            .template(
                "runbook:///{+path}",
                "runbook",
                move |asked: ResourceRequest, _| {
                    let text = text(&library, |known| uri(known) == asked.uri());
                    async move { text }
                },
            )
            .description("A runbook, by its path below the folder: `runbook:///db/failover.md`")
            .mime_type("text/markdown");
    }
}

/// The runbook whose path fits.
fn text(library: &Arc<Library>, fits: impl Fn(&String) -> bool) -> Option<String> {
    let found = library.with(|shelf, _| {
        let mut all = shelf.runbooks.iter();
        let found = all.find(|(path, _)| fits(path));
        found.map(|(_, text)| text.to_string())
    });
    found.flatten()
}

fn search(library: &Arc<Library>, wanted: &Search) -> Result<Worded<Found>, ToolError> {
    let query = wanted.query.trim();
    if query.is_empty() {
        return Err(ToolError::new("`query` is empty: say what to look for"));
    }
    if query.chars().count() > MAX_QUERY {
        return Err(ToolError::new(
            "`query` is longer than 500 characters: use fewer words",
        ));
    }
    let limit = wanted.limit.clamp(1, MAX_HITS);
    let found = library.with(|shelf, trouble| {
        let Fitting {
            hits,
            total,
            is_wider,
        } = shelf.search(query, limit)?;
        Ok::<_, ToolError>(Found {
            hits,
            total,
            exclusions_ignored: is_wider,
            runbooks: shelf.runbooks.len(),
            left_out: shelf.left_out.count,
            trouble: trouble.map(str::to_owned),
        })
    });
    let found =
        found.ok_or_else(|| ToolError::new("the runbooks are not read yet; try again"))??;
    Ok(Worded {
        words: words(&found),
        value: found,
    })
}

fn words(found: &Found) -> String {
    let mut words = match found.hits.is_empty() {
        true => format!(
            "None of {} runbooks fits; try other words.\n",
            found.runbooks
        ),
        false => String::new(),
    };
    if found.exclusions_ignored {
        words.push_str("No place fits without the words after `-`; these are with them:\n");
    }
    for hit in &found.hits {
        let headings = hit.headings.join(" > ");
        words.push_str(&format!("{}:{} – {headings}\n", hit.path, hit.line));
        if !hit.snippet.is_empty() {
            words.push_str(&format!("    {}\n", hit.snippet));
        }
        words.push_str(&format!("    {}\n", hit.uri));
    }
    if found.total > found.hits.len() {
        words.push_str(&format!(
            "… {} more places fit\n",
            found.total - found.hits.len()
        ));
    }
    if found.left_out > 0 {
        words.push_str(&format!(
            "{} files could not be read and were left out\n",
            found.left_out
        ));
    }
    if let Some(trouble) = &found.trouble {
        words.push_str(&format!("These are the runbooks as they were: {trouble}\n"));
    }
    words
}
