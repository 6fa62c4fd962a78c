//! The runbooks as they can be searched: an index in memory, made anew when a file has changed.

use schemars::JsonSchema;
use serde::Serialize;
use tantivy::collector::{Count, TopDocs};
use tantivy::query::{Query, QueryParser};
use tantivy::schema::{
    Field, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions, Value,
};
use tantivy::snippet::SnippetGenerator;
use tantivy::{Index, IndexReader, TantivyDocument, doc};

use crate::builtin::runbook::folder::Runbook;
use crate::builtin::runbook::section::sections;

/// What a writer may use while it writes, in bytes; the least that it takes.
const WRITER_BYTES: usize = 15_000_000;

/// The most letters of a snippet.
const SNIPPET: usize = 240;

/// One place that fits.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Hit {
    /// The file, below the folder of the runbooks.
    pub(super) path: String,
    /// The resource that it can be read as.
    pub(super) uri: String,
    /// The headings above the place, the outermost first.
    pub(super) headings: Vec<String>,
    /// The line that the section begins on.
    pub(super) line: u64,
    /// How well it fits; greater is better.
    pub(super) score: f32,
    /// A part of the text that fits.
    pub(super) snippet: String,
}

/// An index.
pub(super) struct Shelf {
    pub(super) runbooks: Vec<Runbook>,
    pub(super) left_out: Vec<String>,
    index: Index,
    reader: IndexReader,
    fields: Fields,
}

#[derive(Clone, Copy)]
struct Fields {
    path: Field,
    line: Field,
    /// As they are shown.
    headings: Field,
    title: Field,
    body: Field,
}

impl Shelf {
    /// An index of these files.
    pub(super) fn of(runbooks: Vec<Runbook>, left_out: Vec<String>) -> tantivy::Result<Self> {
        let (schema, fields) = schema();
        let index = Index::create_in_ram(schema);
        let mut writer = index.writer_with_num_threads(1, WRITER_BYTES)?;
        for runbook in &runbooks {
            for section in sections(&runbook.text) {
                // Whoever looks for a file by its name finds it.
                let name = runbook.path.replace(['/', '-', '_', '.'], " ");
                let title = format!("{} {name}", section.headings.join(" "));
                writer.add_document(doc!(
                    fields.path => runbook.path.as_str(),
                    fields.line => section.line,
                    fields.headings => section.headings.join("\n"),
                    fields.title => title,
                    fields.body => section.body,
                ))?;
            }
        }
        writer.commit()?;
        writer.wait_merging_threads()?;
        let reader = index.reader()?;
        Ok(Self {
            runbooks,
            left_out,
            index,
            reader,
            fields,
        })
    }

    /// The places that fit best, and how many fit at all.
    pub(super) fn search(&self, words: &str, limit: usize) -> tantivy::Result<(Vec<Hit>, usize)> {
        let Fields { title, body, .. } = self.fields;
        let mut parser = QueryParser::for_index(&self.index, vec![title, body]);
        parser.set_field_boost(title, 2.0);
        // What is no query is looked for as words.
        let (query, _) = parser.parse_query_lenient(words);
        let searcher = self.reader.searcher();
        let best = TopDocs::with_limit(limit).order_by_score();
        let (found, count) = searcher.search(&query, &(best, Count))?;
        let snippets = self.snippets(&searcher, &*query)?;
        let hits = found
            .into_iter()
            .map(|(score, address)| Ok(self.hit(score, &searcher.doc(address)?, &snippets)));
        Ok((hits.collect::<tantivy::Result<_>>()?, count))
    }

    fn snippets(
        &self,
        searcher: &tantivy::Searcher,
        query: &dyn Query,
    ) -> tantivy::Result<SnippetGenerator> {
        let mut snippets = SnippetGenerator::create(searcher, query, self.fields.body)?;
        snippets.set_max_num_chars(SNIPPET);
        Ok(snippets)
    }

    fn hit(&self, score: f32, document: &TantivyDocument, snippets: &SnippetGenerator) -> Hit {
        let text = |field| {
            let value = document.get_first(field);
            let value = value.and_then(|value| value.as_str());
            value.unwrap_or_default().to_owned()
        };
        let (path, body) = (text(self.fields.path), text(self.fields.body));
        let line = document.get_first(self.fields.line);
        let fragment = snippets.snippet(&body).fragment().to_owned();
        // Where only the heading fits, the section begins with what it is about.
        let fragment = match fragment.trim().is_empty() {
            true => body.chars().take(SNIPPET).collect(),
            false => fragment,
        };
        let headings = text(self.fields.headings);
        Hit {
            uri: uri(&path),
            headings: headings.lines().map(str::to_owned).collect(),
            line: line.and_then(|line| line.as_u64()).unwrap_or(1),
            score,
            snippet: flat(&fragment),
            path,
        }
    }
}

/// The resource that a file can be read as.
pub(super) fn uri(path: &str) -> String {
    let mut uri = "runbook:///".to_owned();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

fn schema() -> (Schema, Fields) {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("en_stem")
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let searched = TextOptions::default().set_indexing_options(indexing);
    let mut schema = Schema::builder();
    let fields = Fields {
        path: schema.add_text_field("path", STORED),
        line: schema.add_u64_field("line", STORED),
        headings: schema.add_text_field("headings", STORED),
        title: schema.add_text_field("title", searched.clone()),
        body: schema.add_text_field("body", searched.set_stored()),
    };
    (schema.build(), fields)
}

/// On one line, single spaces between words.
fn flat(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf() -> Shelf {
        let runbook = |path: &str, text: &str| Runbook {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let runbooks = vec![
            runbook(
                "db/failover.md",
                "# Database\n\n## Failover\nPromote the replica with `pg_ctl promote`.\n\n## Backups\nTaken nightly.\n",
            ),
            runbook(
                "web.md",
                "# Web\nWhen the database is slow, restart nothing. Look at replicas first.\n",
            ),
        ];
        Shelf::of(runbooks, Vec::new()).expect("memory suffices")
    }

    #[test]
    fn the_best_place_comes_first_with_its_headings_and_words() {
        let shelf = shelf();
        let (hits, count) = shelf
            .search("promoting replicas", 5)
            .expect("it is searched");
        assert_eq!(count, 2);
        let first = &hits[0];
        assert_eq!(first.path, "db/failover.md");
        assert_eq!(first.headings, ["Database", "Failover"]);
        assert_eq!(
            (first.line, first.uri.as_str()),
            (3, "runbook:///db/failover.md")
        );
        assert!(
            first.snippet.contains("pg_ctl promote"),
            "{}",
            first.snippet
        );
        assert!(first.score > hits[1].score);
    }

    #[test]
    fn names_are_found_and_no_query_is_a_failure() {
        let shelf = shelf();
        for (words, path) in [
            ("failover", Some("db/failover.md")),
            ("web", Some("web.md")),
            ("\"taken nightly\"", Some("db/failover.md")),
            ("((( AND \"", None),
            ("nothing:here", None),
            ("", None),
        ] {
            let (hits, _) = shelf.search(words, 1).expect("it is searched");
            let found = hits.first().map(|hit| hit.path.as_str());
            if path.is_some() {
                assert_eq!(found, path, "{words}");
            }
        }
    }

    #[test]
    fn paths_become_addresses() {
        assert_eq!(uri("a b/ü.md"), "runbook:///a%20b/%C3%BC.md");
    }
}
