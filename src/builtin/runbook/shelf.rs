//! The runbooks as they can be searched: an index in memory, in which only what has changed is written anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use tantivy::collector::{Count, TopDocs};
use tantivy::query::{Query, QueryParser};
use tantivy::schema::{
    Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value,
};
use tantivy::snippet::SnippetGenerator;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term, doc};

use crate::builtin::runbook::folder::{Found, LeftOut, Runbook};
use crate::builtin::runbook::section::sections;
use crate::model::text::flat;

/// What a writer may use while it writes, in bytes; the least that it takes.
const WRITER_BYTES: usize = 15_000_000;

/// The most letters of a snippet.
const SNIPPET: usize = 240;

/// One place that fits.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Hit {
    pub(super) path: String,
    pub(super) uri: String,
    pub(super) headings: Vec<String>,
    pub(super) line: u64,
    pub(super) score: f32,
    pub(super) snippet: String,
}

/// The places that fit a query.
#[derive(Debug)]
pub(super) struct Fitting {
    /// The best.
    pub(super) hits: Vec<Hit>,
    /// How many fit at all.
    pub(super) total: usize,
    /// Whether these are places with words that the query was to be without, because none is without them.
    pub(super) is_wider: bool,
}

/// An index.
pub(super) struct Shelf {
    /// By path.
    pub(super) runbooks: BTreeMap<String, Arc<str>>,
    pub(super) left_out: LeftOut,
    index: Index,
    reader: IndexReader,
    fields: Fields,
}

/// How the files differ from what they were, by their paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Those that were there before and read otherwise now.
    pub(super) other: Vec<String>,
    /// Whether files have come or gone.
    pub(super) moved: bool,
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
    /// An index without files.
    pub(super) fn new() -> tantivy::Result<Self> {
        let (schema, fields) = schema();
        let index = Index::create_in_ram(schema);
        let reader = index.reader_builder();
        Ok(Self {
            runbooks: BTreeMap::new(),
            left_out: LeftOut::default(),
            // What was written is seen when we say so, by no thread of its own.
            reader: reader.reload_policy(ReloadPolicy::Manual).try_into()?,
            index,
            fields,
        })
    }

    /// Takes in the files as they are now.
    pub(super) fn update(&mut self, found: Found) -> tantivy::Result<Changes> {
        let mut changes = Changes::default();
        let mut before = std::mem::take(&mut self.runbooks);
        let mut written = Vec::new();
        for Runbook { path, text } in found.runbooks {
            let known = before.remove(&path);
            if known.as_ref() != Some(&text) {
                written.push(path.clone());
            }
            match known {
                None => changes.moved = true,
                Some(known) if known != text => changes.other.push(path.clone()),
                Some(_) => {}
            }
            self.runbooks.insert(path, text);
        }
        self.left_out = found.left_out;
        changes.moved |= !before.is_empty();
        let gone: Vec<&String> = before.keys().collect();
        if let Err(err) = self.write(&written, &gone) {
            // All is written anew the next time.
            *self = Self::new()?;
            return Err(err);
        }
        Ok(changes)
    }

    fn write(&self, written: &[String], gone: &[&String]) -> tantivy::Result<()> {
        if written.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let mut writer = self.index.writer_with_num_threads(1, WRITER_BYTES)?;
        for path in gone.iter().copied().chain(written) {
            writer.delete_term(Term::from_field_text(self.fields.path, path));
        }
        for path in written {
            self.add(&writer, path)?;
        }
        writer.commit()?;
        writer.wait_merging_threads()?;
        self.reader.reload()
    }

    fn add(&self, writer: &IndexWriter, path: &str) -> tantivy::Result<()> {
        let (fields, text) = (self.fields, &self.runbooks[path]);
        // Whoever looks for a file by its name finds it.
        let name = path.replace(['/', '-', '_', '.'], " ");
        for section in sections(text) {
            let title = format!("{} {name}", section.headings.join(" "));
            writer.add_document(doc!(
                fields.path => path,
                fields.line => section.line,
                fields.headings => section.headings.join("\n"),
                fields.title => title,
                fields.body => section.body,
            ))?;
        }
        Ok(())
    }

    /// The places that fit best, and how many fit at all. Where nothing does, what was to be without is looked for as words.
    pub(super) fn search(&self, words: &str, limit: usize) -> tantivy::Result<Fitting> {
        let query = plain(words);
        let (hits, total) = self.fitting(&query, limit)?;
        let wider = without_exclusions(&query).filter(|_| total == 0);
        let Some(wider) = wider else {
            return Ok(Fitting {
                hits,
                total,
                is_wider: false,
            });
        };
        let (hits, total) = self.fitting(&wider, limit)?;
        Ok(Fitting {
            is_wider: total > 0,
            hits,
            total,
        })
    }

    fn fitting(&self, query: &str, limit: usize) -> tantivy::Result<(Vec<Hit>, usize)> {
        let Fields { title, body, .. } = self.fields;
        let mut parser = QueryParser::for_index(&self.index, vec![title, body]);
        parser.set_field_boost(title, 2.0);
        // What is no query is looked for as words.
        let (query, _) = parser.parse_query_lenient(query);
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

/// A query of words, phrases, `+` and `-` only, of which the signs are kept where they can only be meant: one before a word or a
/// phrase. Texts of errors have `-137`, `--memory` and dashes. What else the parser knows is not offered: it calls itself for each bracket,
/// until there is no stack left. And people look for the texts of errors, which have colons.
fn plain(query: &str) -> String {
    let is_kept = |letter: char| letter.is_alphanumeric() || "\"+-_.,@#%=$".contains(letter);
    let mut kept: String = query
        .chars()
        .map(|letter| if is_kept(letter) { letter } else { ' ' })
        .collect();
    if kept.matches('"').count() % 2 == 1
        && let Some(last) = kept.rfind('"')
    {
        kept.replace_range(last..=last, " ");
    }
    let words = kept.split(' ').map(|word| match word {
        "AND" | "OR" | "NOT" | "IN" => word.to_lowercase(),
        word => word.to_owned(),
    });
    signs(&words.collect::<Vec<_>>().join(" "), |_| true)
}

/// The same query with what it excludes as words; nothing where it excludes nothing.
fn without_exclusions(query: &str) -> Option<String> {
    let wider = signs(query, |sign| sign == '+');
    (wider != query).then_some(wider)
}

/// A query with those signs only that stand alone before a word or a phrase, and that are wanted.
fn signs(query: &str, is_wanted: impl Fn(char) -> bool) -> String {
    let mut written = String::with_capacity(query.len());
    let mut before = ' ';
    let mut letters = query.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied().unwrap_or(' ');
        let is_sign = letter == '+' || letter == '-';
        // A phrase to be without is more than the index can do: it panics where it checks itself.
        let may_stand = next.is_alphabetic() || (letter == '+' && next == '"');
        let is_operator = before == ' ' && may_stand;
        // Between letters it is part of a name.
        let is_within = before.is_alphanumeric() && next.is_alphanumeric();
        written.push(
            match is_sign && !is_within && !(is_operator && is_wanted(letter)) {
                true => ' ',
                false => letter,
            },
        );
        before = letter;
    }
    written
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
        path: schema.add_text_field("path", STRING | STORED),
        line: schema.add_u64_field("line", STORED),
        headings: schema.add_text_field("headings", STORED),
        title: schema.add_text_field("title", searched.clone()),
        body: schema.add_text_field("body", searched.set_stored()),
    };
    (schema.build(), fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Found {
        let runbooks = files.iter().map(|(path, text)| Runbook {
            path: (*path).to_owned(),
            text: (*text).into(),
        });
        Found {
            runbooks: runbooks.collect(),
            ..Found::default()
        }
    }

    const FAILOVER: (&str, &str) = (
        "db/failover.md",
        "# Database\n\n## Failover\nPromote the replica with `pg_ctl promote`.\n\n## Backups\nTaken nightly.\n",
    );
    const WEB: (&str, &str) = (
        "web.md",
        "# Web\nWhen the database is slow, restart nothing. Look at replicas first.\n",
    );

    fn shelf() -> Shelf {
        let mut shelf = Shelf::new().expect("memory suffices");
        let changes = shelf
            .update(found(&[FAILOVER, WEB]))
            .expect("it is written");
        assert!(changes.moved && changes.other.is_empty());
        shelf
    }

    fn count(shelf: &Shelf, words: &str) -> usize {
        shelf.search(words, 1).expect("it is searched").total
    }

    #[test]
    fn only_what_has_changed_is_written_anew() {
        let mut shelf = shelf();
        let same = shelf
            .update(found(&[FAILOVER, WEB]))
            .expect("it is written");
        assert_eq!(same, Changes::default());
        assert_eq!(count(&shelf, "database"), 3);
        let other = ("web.md", "# Web\nDrain it.\n");
        let changes = shelf
            .update(found(&[FAILOVER, other]))
            .expect("it is written");
        assert_eq!(
            (&changes.other[..], changes.moved),
            (&["web.md".to_owned()][..], false)
        );
        assert_eq!((count(&shelf, "slow"), count(&shelf, "drain")), (0, 1));
        let changes = shelf.update(found(&[other])).expect("it is written");
        assert!(changes.moved && changes.other.is_empty());
        assert_eq!((count(&shelf, "promote"), count(&shelf, "drain")), (0, 1));
    }

    #[test]
    fn the_best_place_comes_first_with_its_headings_and_words() {
        let shelf = shelf();
        let Fitting { hits, total, .. } = shelf
            .search("promoting replicas", 5)
            .expect("it is searched");
        assert_eq!(total, 2);
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
            (&"(".repeat(100_000), None),
            (&"-".repeat(10_000), None),
            (&"+-".repeat(10_000), None),
            (&"\"".repeat(10_000), None),
            (&"\"a ".repeat(10_000), None),
            ("error: promote!", Some("db/failover.md")),
            ("+nightly", Some("db/failover.md")),
            (&"a AND ".repeat(10_000), None),
            ("path:*", None),
            ("/(a+)+$/", None),
            ("[a TO z]", None),
            ("nothing:here", None),
            ("", None),
        ] {
            let fitting = shelf.search(words, 1).expect("it is searched");
            let found = fitting.hits.first().map(|hit| hit.path.as_str());
            if path.is_some() {
                assert_eq!(found, path, "{words}");
            }
        }
    }

    #[test]
    fn of_the_language_of_queries_only_what_is_offered_is_left() {
        for (query, expect) in [
            ("a (b) c", "a  b  c"),
            ("title:x AND \"y z\" -w", "title x and \"y z\" -w"),
            ("\"a\" \"b", "\"a\"  b"),
            ("it's /x/ *", "it s  x   "),
            ("OOMKilled: exit code -137", "OOMKilled  exit code  137"),
            ("flag --memory -- a", "flag   memory    a"),
            ("memory limit - roll back", "memory limit   roll back"),
            ("+a -\"b c\" d-e f+ -_g", "+a  \"b c\" d-e f   _g"),
            ("-a +\"b c\"", "-a +\"b c\""),
            ("\"a\"-b +-c", "\"a\" b   c"),
        ] {
            assert_eq!(plain(query), expect, "{query}");
        }
    }

    #[test]
    fn what_a_query_excludes_is_looked_for_where_nothing_is_left() {
        let shelf = shelf();
        let search = |query: &str| {
            let fitting = shelf.search(query, 5).expect("it is searched");
            (fitting.total, fitting.is_wider)
        };
        assert_eq!(search("replica -promote"), (1, false));
        assert_eq!(search("replica -promote -web"), (2, true));
        assert_eq!(search("quarantine -zebra"), (0, false));
    }

    #[test]
    fn paths_become_addresses() {
        assert_eq!(flat(" a\n\u{1b}[1mb\t\tc "), "a [1mb c");
        assert_eq!(uri("a b/ü.md"), "runbook:///a%20b/%C3%BC.md");
    }
}
