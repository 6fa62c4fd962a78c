//! Reading what a server offers, within bounds.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::manifest::limits::Limits;
use crate::model::fault::Fault;
use crate::runtime::client::{Peer, broken};
use crate::runtime::link::{Link, ask};
use crate::runtime::{Definition, Host, Listing, Omitted, Surface};
use crate::wire::cache::CacheHints;
use crate::wire::error::{METHOD_NOT_FOUND, RpcError};
use crate::wire::json::Json;
use crate::wire::list::ListKind;
use crate::wire::members::Members;
use crate::wire::message::{Outcome, Params};

/// A server whose lists are read.
pub(crate) struct Reader<'a> {
    pub(crate) link: &'a dyn Link,
    pub(crate) peer: &'a Peer,
    pub(crate) host: &'a Host,
    pub(crate) limits: &'a Limits,
}

/// Why a list could not be read.
enum Unread {
    /// The server refuses the method.
    Refused(RpcError),
    Failed(Fault),
}

impl Reader<'_> {
    /// Lists everything the server offers. Endless or oversized lists are cut, and the surface says so. Only the tools
    /// must be readable: a server that says it has other things and cannot list them is served without those.
    pub(crate) async fn surface(&self) -> Result<Surface, Fault> {
        let mut surface = Surface {
            capabilities: Some(self.peer.capabilities.clone()),
            instructions: self.peer.instructions.clone(),
            greeting: self.peer.greeting.clone(),
            ..Surface::default()
        };
        let lists = ListKind::ALL.map(|kind| async move {
            match self.offers(kind) {
                true => self.list(kind).await.map(Some),
                false => Ok(None),
            }
        });
        let lists = futures::future::join_all(lists).await;
        for (kind, list) in ListKind::ALL.into_iter().zip(lists) {
            if let Some(list) = list? {
                surface.set(kind, Arc::new(list));
            }
        }
        Ok(surface)
    }

    /// Reads the lists of these kinds again, and keeps the others of `known`.
    pub(crate) async fn again(
        &self,
        known: &Surface,
        kinds: &[ListKind],
    ) -> Result<Surface, Fault> {
        let mut surface = known.clone();
        for kind in kinds.iter().filter(|kind| self.offers(**kind)) {
            surface.set(*kind, Arc::new(self.list(*kind).await?));
        }
        Ok(surface)
    }

    fn offers(&self, kind: ListKind) -> bool {
        let says_nothing = self.peer.capabilities.bytes().len() <= 2;
        self.peer.has(kind.topic().capability()) || (kind == ListKind::Tools && says_nothing)
    }

    async fn list(&self, kind: ListKind) -> Result<Listing, Fault> {
        let (method, plugin) = (kind.method(), &self.host.plugin);
        match self.pages(kind).await {
            Ok(list) => Ok(list),
            Err(Unread::Failed(fault)) if kind == ListKind::Tools => Err(fault),
            Err(Unread::Refused(error)) if kind == ListKind::Tools => Err(broken(format!(
                "the plugin refused `{method}`: {} ({})",
                error.message, error.code
            ))),
            // A server need not have templates because it has resources.
            Err(Unread::Refused(error))
                if kind == ListKind::ResourceTemplates && error.code == METHOD_NOT_FOUND =>
            {
                Ok(Listing::default())
            }
            Err(unread) => {
                let why = match unread {
                    Unread::Refused(error) => format!("{} ({})", error.message, error.code),
                    Unread::Failed(fault) => fault.to_string(),
                };
                tracing::warn!(plugin.id = %plugin, "Could not read `{method}` of `{plugin}`: {why}");
                let mut list = Listing::default();
                list.omit(format!("its {}s", kind.noun()), why);
                Ok(list)
            }
        }
    }

    async fn pages(&self, kind: ListKind) -> Result<Listing, Unread> {
        let mut list = Listing::default();
        let mut cursor: Option<String> = None;
        let mut seen = HashSet::new();
        let mut n_bytes = 0;
        for page in 1.. {
            let result = self.page(kind, cursor.as_deref()).await?;
            let members = Members::of(&result).unwrap_or_default();
            let found = members.get(kind.member()).map(Json::parse::<Vec<Json>>);
            let Some(Ok(found)) = found else {
                let what = format!("the plugin's answer to `{}` is malformed", kind.method());
                return Err(Unread::Failed(broken(what)));
            };
            list.note_hints(CacheHints::of(&members), page == 1);
            if page == 1 {
                list.rest = without(&members, &[kind.member(), "nextCursor"]);
            }
            let rest = format!("the rest of its {}s", kind.noun());
            for one in found {
                n_bytes += one.bytes().len();
                if let Some(reason) = self.too_much(&list, n_bytes) {
                    list.omit(rest, reason);
                    return Ok(list);
                }
                list.add(kind, &one, self.limits);
            }
            let bound = self.limits.max_list_pages;
            match members.string("nextCursor").map(|next| next.into_owned()) {
                None => break,
                Some(next) if page >= bound || !seen.insert(next.clone()) => {
                    let reason = format!(
                        "its list does not end within {page} pages (`limits.max_list_pages`)"
                    );
                    list.omit(rest, reason);
                    break;
                }
                next => cursor = next,
            }
        }
        Ok(list)
    }

    async fn page(&self, kind: ListKind, cursor: Option<&str>) -> Result<Json, Unread> {
        let params = cursor.map_or_else(Params::default, |cursor| {
            Params::of(&json!({ "cursor": cursor }))
        });
        let params = self.peer.outgoing(params, None, self.host);
        let deadline = Duration::from_millis(self.limits.start_timeout_ms);
        match ask(self.link, &kind.method(), params, deadline).await {
            Ok(Outcome::Result(reply)) => Ok(reply.result),
            Ok(Outcome::Error(error)) => Err(Unread::Refused(error)),
            Err(fault) => Err(Unread::Failed(fault)),
        }
    }

    /// Why nothing more is taken into `list`, if so.
    fn too_much(&self, list: &Listing, n_bytes: usize) -> Option<String> {
        let (bytes, entries) = (self.limits.max_message_bytes, self.limits.max_tools);
        if n_bytes > bytes {
            let words = format!("its lists are larger than {bytes} bytes");
            return Some(format!("{words} (`limits.max_message_bytes`)"));
        }
        let known = list.definitions.len() + list.omitted.len();
        (known >= entries).then(|| format!("it lists more than {entries} (`limits.max_tools`)"))
    }
}

/// The members that are neither `known` nor a word of one era alone.
pub(crate) fn without(members: &Members, known: &[&str]) -> Members {
    let mut rest = members.clone();
    let era = ["resultType", "ttlMs", "cacheScope"];
    rest.retain(|key| {
        let is = |name: &&str| name.as_bytes() == key;
        !known.iter().any(is) && !era.iter().any(is)
    });
    rest
}

impl Listing {
    /// Takes a definition in, or says why not.
    pub(crate) fn add(&mut self, kind: ListKind, definition: &Json, limits: &Limits) {
        let noun = kind.noun();
        let Some(members) = Members::of(definition) else {
            return self.omit(format!("a {noun}"), "its definition is not an object");
        };
        let name = members.string(kind.key()).filter(|name| !name.is_empty());
        let Some(name) = name.map(|name| name.into_owned()) else {
            let reason = format!("its definition has no `{}`", kind.key());
            return self.omit(format!("a {noun}"), reason);
        };
        if self.definitions.iter().any(|known| *known.name == *name) {
            return self.omit(name, format!("the plugin lists this {} twice", kind.key()));
        }
        let has_schema = members.get("inputSchema").is_some_and(Json::is_object);
        if kind == ListKind::Tools && !has_schema {
            return self.omit(name, "its `inputSchema` is not an object");
        }
        let bound = limits.max_description_bytes;
        let text = members.get("description");
        if text.is_some_and(|text| text.bytes().len() > bound) {
            let reason = format!(
                "its description is longer than {bound} bytes (`limits.max_description_bytes`)"
            );
            return self.omit(name, reason);
        }
        self.definitions.push(Definition {
            name: name.into(),
            members,
        });
    }

    /// Notes that something is not listed.
    pub(crate) fn omit(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        self.omitted.push(Omitted {
            name: name.into(),
            reason: reason.into(),
        });
    }

    fn note_hints(&mut self, hints: Option<CacheHints>, first: bool) {
        self.hints = match (self.hints, hints) {
            (None, hints) if first => hints,
            (Some(known), Some(hints)) => Some(known.and(hints)),
            _ => None,
        };
    }
}
