//! Lists as clients get them: in pages, with opaque cursors (MCP 2025-11-25, pagination).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

use crate::model::caller::Caller;
use crate::registry::catalog::Catalog;
use crate::registry::catalog::merged::told_in;
use crate::registry::handle_tools::TOOLS;
use crate::wire::cache::CacheHints;
use crate::wire::json::Json;
use crate::wire::list::ListKind;
use crate::wire::members::Members;
use crate::wire::revision::Era;

/// How long a modern client may take a list for fresh where no plugin says, in milliseconds; changes are told to those
/// that listen.
const LIST_TTL_MS: u64 = 5_000;

/// Which part of a list is wanted, by whom.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Which list.
    pub kind: ListKind,
    /// Who wants it.
    pub caller: &'a Caller,
    /// The era of who wants it.
    pub era: Era,
    /// The cursor that came with the page before.
    pub cursor: Option<&'a str>,
    /// The most entries of one page.
    pub page: usize,
    /// Whether a list of a modern client may be kept for others, too: all callers see the same.
    pub same_for_all: bool,
}

/// A cursor that was not given out here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownCursor;

impl Catalog {
    /// One page of a list as the result of its method. First pages are made once for each era and group of callers.
    pub fn page(&self, wanted: Wanted<'_>) -> Result<Bytes, UnknownCursor> {
        let Some(cursor) = wanted.cursor else {
            let handles = self.has_handles(wanted);
            let what = name_of(wanted.kind, wanted.era, handles);
            return Ok(self.kept(what, wanted.caller, || self.write_page(wanted, 0)));
        };
        let cursor = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| UnknownCursor)?;
        let cursor = String::from_utf8(cursor).map_err(|_| UnknownCursor)?;
        let (begin, last) = cursor.split_once(' ').ok_or(UnknownCursor)?;
        let begin = begin.parse().map_err(|_| UnknownCursor)?;
        let begin = self.behind(wanted, begin, last);
        Ok(Bytes::from(self.write_page(wanted, begin)))
    }

    /// Where the page begins that follows `last`, which stood before the place `begin` when the cursor was made.
    fn behind(&self, wanted: Wanted<'_>, begin: usize, last: &str) -> usize {
        let keys: Vec<&str> = self.listed(wanted).map(|(key, _)| key).collect();
        match keys.get(begin.wrapping_sub(1)) {
            Some(key) if *key == last => begin,
            _ => keys
                .iter()
                .position(|key| *key == last)
                .map_or(begin, |at| at + 1),
        }
    }

    fn listed<'a>(
        &'a self,
        wanted: Wanted<'a>,
    ) -> Box<dyn Iterator<Item = (&'a str, &'a Json)> + 'a> {
        let shelf = match wanted.kind {
            ListKind::Tools => {
                let entries = self.entries(wanted.caller);
                let handles = self.has_handles(wanted);
                let entries = entries.map(move |entry| {
                    let with = entry.with_handle.as_ref().filter(|_| handles);
                    (&*entry.name, with.unwrap_or(&entry.definition))
                });
                let own = TOOLS.iter().filter(move |_| handles);
                return Box::new(entries.chain(own.map(|(name, tool)| (*name, tool))));
            }
            ListKind::Prompts => &self.prompts,
            ListKind::Resources => &self.resources,
            ListKind::ResourceTemplates => &self.templates,
        };
        let items = shelf.items(wanted.caller);
        Box::new(items.map(|item| (&*item.key, &item.definition)))
    }

    fn has_handles(&self, wanted: Wanted<'_>) -> bool {
        wanted.kind == ListKind::Tools && self.offers_handles(wanted.caller, wanted.era)
    }

    fn write_page(&self, wanted: Wanted<'_>, begin: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        out.extend_from_slice(b"{\"");
        out.extend_from_slice(wanted.kind.member().as_bytes());
        out.extend_from_slice(b"\":[");
        let mut listed = self.listed(wanted).skip(begin);
        let mut last = "";
        for (at, (key, definition)) in listed.by_ref().take(wanted.page).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(definition.bytes());
            last = key;
        }
        out.push(b']');
        if listed.next().is_some() {
            let cursor = URL_SAFE_NO_PAD.encode(format!("{} {last}", begin + wanted.page));
            out.extend_from_slice(format!(r#","nextCursor":"{cursor}""#).as_bytes());
        }
        if wanted.era == Era::Modern {
            out.extend_from_slice(br#","resultType":"complete""#);
            self.hints(wanted).write(&mut out);
        }
        if let Some(surface) = self.only(wanted.caller) {
            write_rest(&mut out, &surface.list(wanted.kind).rest, wanted.era);
        }
        out.push(b'}');
        out
    }

    /// What all plugins whose things are on the list allow.
    fn hints(&self, wanted: Wanted<'_>) -> CacheHints {
        let unsaid = CacheHints {
            ttl_ms: LIST_TTL_MS,
            public: false,
        };
        let lists = self
            .offers(wanted.caller)
            .filter_map(|(_, surface)| Some(surface?.list(wanted.kind)));
        let hints = lists
            .filter(|list| !list.definitions.is_empty() || list.hints.is_some())
            .map(|list| list.hints.unwrap_or(unsaid))
            .reduce(CacheHints::and)
            .unwrap_or(unsaid);
        CacheHints {
            public: hints.public && wanted.same_for_all,
            ..hints
        }
    }
}

/// Adds what the only plugin said besides, each member behind a comma. What belongs to another era stays out.
fn write_rest(out: &mut Vec<u8>, rest: &Members, era: Era) {
    for (name, value) in told_in(rest, era).iter() {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name);
        out.extend_from_slice(b"\":");
        out.extend_from_slice(value.bytes());
    }
}

/// What a first page is kept under.
fn name_of(kind: ListKind, era: Era, handles: bool) -> &'static str {
    match (kind, era) {
        _ if handles => "tools, modern, with handles",
        (ListKind::Tools, Era::Legacy) => "tools, legacy",
        (ListKind::Tools, Era::Modern) => "tools, modern",
        (ListKind::Prompts, Era::Legacy) => "prompts, legacy",
        (ListKind::Prompts, Era::Modern) => "prompts, modern",
        (ListKind::Resources, Era::Legacy) => "resources, legacy",
        (ListKind::Resources, Era::Modern) => "resources, modern",
        (ListKind::ResourceTemplates, Era::Legacy) => "templates, legacy",
        (ListKind::ResourceTemplates, Era::Modern) => "templates, modern",
    }
}
