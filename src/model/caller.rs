//! Who calls, and with what kind of client.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::model::plugin_id::PluginId;
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::meta::TASKS;
use crate::wire::revision::{Era, Revision};

/// Who a request comes from, as its credential says. Made once per credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name of the credential; sessions and everything in them belong to it.
    pub principal: Arc<str>,
    /// The plugins this caller may see; `None` is all of them.
    pub plugins: Option<Arc<[PluginId]>>,
    /// What it may do on the gateway.
    pub scopes: Scopes,
    /// Whether it needs the scope `ext:{id}:tools` for tools of a plugin; else it may call those of all it sees.
    pub tools_by_scope: bool,
    /// Whether it may only call tools that are known to change nothing.
    pub read_only: bool,
}

/// What a caller may do, apart from who it is. What somebody opens belongs to both: a credential of the same name with
/// other rights does not find it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rights {
    plugins: Option<Arc<[PluginId]>>,
    scopes: Scopes,
    tools_by_scope: bool,
    read_only: bool,
}

/// What decides which things a caller is shown: callers with the same sight see the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sight {
    plugins: Option<Arc<[PluginId]>>,
    /// Where tools need a scope.
    scopes: Option<Arc<[String]>>,
    read_only: bool,
}

/// The scopes of a caller: `admin`, `read`, `ext:{id}:tools`, `ext:{id}:routes`. A `*` in the place of the id stands for
/// every plugin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scopes {
    /// All there are: where no credentials are configured.
    All,
    /// These. `admin` includes all others.
    Only(Arc<[String]>),
}

/// The scope of those who may change which plugins run and how.
pub const ADMIN: &str = "admin";

/// The scope of those who may see what others did: calls, incidents, events, settings with their secrets masked.
pub const READ: &str = "read";

impl Caller {
    /// The caller where no credentials are configured: everyone on this machine.
    pub fn anonymous() -> Self {
        Self {
            principal: "anonymous".into(),
            plugins: None,
            scopes: Scopes::All,
            tools_by_scope: false,
            read_only: false,
        }
    }

    /// Whether it has the scope.
    pub fn may(&self, scope: &str) -> bool {
        match &self.scopes {
            Scopes::All => true,
            Scopes::Only(scopes) => scopes
                .iter()
                .any(|known| known == ADMIN || includes(known, scope)),
        }
    }

    /// Whether `plugin` is visible to it. What one may not see one cannot call.
    pub fn sees(&self, plugin: &PluginId) -> bool {
        self.plugins
            .as_ref()
            .is_none_or(|plugins| plugins.contains(plugin))
    }

    /// Whether its scopes let it call tools of `plugin`. Makes no text: it is asked of each tool of each list.
    pub fn may_call_tools_of(&self, plugin: &PluginId) -> bool {
        let scopes = match &self.scopes {
            Scopes::Only(scopes) if self.tools_by_scope => scopes,
            Scopes::Only(_) | Scopes::All => return true,
        };
        scopes.iter().any(|known| {
            let of = known.strip_prefix("ext:");
            let of = of.and_then(|rest| rest.strip_suffix(":tools"));
            known == ADMIN || of.is_some_and(|of| of == "*" || of == plugin.as_str())
        })
    }

    /// What it may do.
    pub fn rights(&self) -> Rights {
        Rights {
            plugins: self.plugins.clone(),
            scopes: self.scopes.clone(),
            tools_by_scope: self.tools_by_scope,
            read_only: self.read_only,
        }
    }

    /// Whether both may do the same.
    pub fn has(&self, rights: &Rights) -> bool {
        self.plugins == rights.plugins
            && self.scopes == rights.scopes
            && self.tools_by_scope == rights.tools_by_scope
            && self.read_only == rights.read_only
    }

    /// What decides what it is shown.
    pub fn sight(&self) -> Sight {
        Sight {
            plugins: self.plugins.clone(),
            scopes: match &self.scopes {
                Scopes::Only(scopes) if self.tools_by_scope => Some(Arc::clone(scopes)),
                Scopes::Only(_) | Scopes::All => None,
            },
            read_only: self.read_only,
        }
    }
}

impl Scopes {
    /// These, in an order of their own, so that the same ones are equal however they were written. No scope at all is an
    /// empty list.
    pub fn only(scopes: impl IntoIterator<Item = String>) -> Self {
        let mut scopes: Vec<String> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self::Only(scopes.into())
    }

    /// Whether one of them speaks of plugins.
    pub fn speak_of_plugins(&self) -> bool {
        match self {
            Self::All => false,
            Self::Only(scopes) => scopes.iter().any(|scope| scope.starts_with("ext:")),
        }
    }
}

/// The scope for tools of `plugin`.
pub fn tools_of(plugin: &PluginId) -> String {
    format!("ext:{plugin}:tools")
}

impl Rights {
    /// SHA-256 over them: the same for the same rights.
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut field = |text: &str| {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        };
        match &self.plugins {
            None => field("all"),
            Some(plugins) => {
                field("only");
                field(&plugins.len().to_string());
                plugins.iter().for_each(|plugin| field(plugin.as_str()));
            }
        }
        match &self.scopes {
            Scopes::All => field("all"),
            Scopes::Only(scopes) => {
                field("only");
                field(&scopes.len().to_string());
                scopes.iter().for_each(|scope| field(scope));
            }
        }
        field(if self.tools_by_scope { "by scope" } else { "" });
        field(if self.read_only { "read only" } else { "" });
        digest.finalize().into()
    }
}

/// Whether who has the scope `known` has the scope `wanted`.
fn includes(known: &str, wanted: &str) -> bool {
    if known == wanted {
        return true;
    }
    let of_all = known.strip_prefix("ext:*:");
    let of_one = wanted
        .strip_prefix("ext:")
        .and_then(|rest| rest.rsplit_once(':'));
    matches!((of_all, of_one), (Some(known), Some((_, wanted))) if known == wanted)
}

/// What a client said of itself: at `initialize`, or on each modern request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientProfile {
    /// The revision it speaks.
    pub revision: Revision,
    /// Its capabilities, an object.
    pub capabilities: Json,
    /// Its name and version.
    pub info: Option<Json>,
}

impl ClientProfile {
    /// A client that declares nothing: scripts, and the gateway itself.
    pub fn bare() -> Self {
        Self {
            revision: Revision::NEWEST,
            capabilities: Json::literal("{}"),
            info: None,
        }
    }

    /// The same in memory of its own: it does not keep the message alive that it came in.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            revision: self.revision,
            capabilities: self.capabilities.detached(),
            info: self.info.as_ref().map(Json::detached),
        }
    }

    /// The era it speaks.
    pub fn era(&self) -> Era {
        self.revision.era()
    }

    /// Whether it declares the extension `name`.
    pub fn declares(&self, name: &str) -> bool {
        let known = Members::of(&self.capabilities);
        let extensions = known.and_then(|known| Members::of(known.get("extensions")?));
        extensions.is_some_and(|extensions| extensions.get(name).is_some())
    }

    /// Its capabilities as a server of `era` is told them: without the tasks of the other era, which cannot be carried
    /// over. Within an era they are as the client sent them.
    pub fn told_to(&self, era: Era) -> Json {
        if era == self.era() {
            return self.capabilities.clone();
        }
        let Some(mut told) = Members::of(&self.capabilities) else {
            return Json::literal("{}");
        };
        match era {
            Era::Modern => drop(told.remove("tasks")),
            Era::Legacy => take_extension(&mut told, TASKS),
        }
        told.to_json()
    }

    /// The same client, as if it did not know the extension `name`.
    #[must_use]
    pub fn without_extension(&self, name: &str) -> Self {
        let mut told = Members::of(&self.capabilities).unwrap_or_default();
        take_extension(&mut told, name);
        Self {
            revision: self.revision,
            capabilities: told.to_json(),
            info: self.info.clone(),
        }
    }
}

fn take_extension(capabilities: &mut Members, name: &str) {
    let extensions = capabilities.get("extensions").and_then(Members::of);
    let Some(mut extensions) = extensions.filter(|known| known.get(name).is_some()) else {
        return;
    };
    extensions.remove(name);
    match extensions.is_empty() {
        true => drop(capabilities.remove("extensions")),
        false => capabilities.set("extensions", extensions.to_json()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_had_by_name_for_all_plugins_or_as_admin() {
        let may = |scopes: &[&str], wanted: &str| {
            let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            let scopes = Scopes::Only(scopes);
            Caller {
                scopes,
                ..Caller::anonymous()
            }
            .may(wanted)
        };
        for (scopes, wanted, expect) in [
            (&["ext:a.b:tools"][..], "ext:a.b:tools", true),
            (&["ext:a.b:tools"], "ext:a.b:routes", false),
            (&["ext:a:tools"], "ext:b:tools", false),
            (&["ext:*:tools"], "ext:b:tools", true),
            (&["ext:*:tools"], "ext:b:routes", false),
            (&["ext:*:tools"], "read", false),
            (&["admin"], "ext:b:routes", true),
            (&["admin"], READ, true),
            (&[READ], ADMIN, false),
            (&[], READ, false),
        ] {
            assert_eq!(may(scopes, wanted), expect, "{scopes:?} {wanted}");
        }
        assert!(Caller::anonymous().may(ADMIN));
    }

    #[test]
    fn tools_need_a_scope_only_where_scopes_say_so() {
        let plugin: PluginId = "a.b".parse().expect("an id");
        let caller = |scopes: &[&str], tools_by_scope| Caller {
            scopes: Scopes::only(scopes.iter().map(|scope| (*scope).to_owned())),
            tools_by_scope,
            ..Caller::anonymous()
        };
        for (scopes, expect) in [
            (&["ext:a.b:tools"][..], true),
            (&["ext:*:tools"], true),
            (&["admin"], true),
            (&["ext:a.b:routes"], false),
            (&["ext:a:tools", "read"], false),
            (&["ext::tools", "ext:tools", "ext:a.b:toolss"], false),
            (&[], false),
        ] {
            let bound = caller(scopes, true);
            assert_eq!(bound.may_call_tools_of(&plugin), expect, "{scopes:?}");
            let agreed = bound.may(&tools_of(&plugin));
            assert_eq!(agreed, expect, "both ways to ask say the same: {scopes:?}");
            assert!(caller(scopes, false).may_call_tools_of(&plugin));
        }
        assert!(Caller::anonymous().may_call_tools_of(&plugin));
    }

    #[test]
    fn rights_are_the_same_however_they_are_written() {
        let caller = |scopes: &[&str]| Caller {
            scopes: Scopes::only(scopes.iter().map(|scope| (*scope).to_owned())),
            ..Caller::anonymous()
        };
        let (one, same) = (caller(&["b", "a"]), caller(&["a", "b", "a"]));
        assert!(one.has(&same.rights()));
        assert_eq!(one.rights().digest(), same.rights().digest());
        let more = caller(&["a", "b", "c"]);
        assert!(!one.has(&more.rights()));
        for other in [
            more,
            caller(&["ab"]),
            Caller {
                read_only: true,
                ..one.clone()
            },
            Caller {
                plugins: Some([].into()),
                ..one.clone()
            },
            Caller {
                tools_by_scope: true,
                ..one.clone()
            },
            Caller::anonymous(),
        ] {
            assert_ne!(one.rights().digest(), other.rights().digest(), "{other:?}");
        }
    }

    #[test]
    fn what_one_era_has_alone_is_not_told_to_the_other() {
        let told = |revision, capabilities: &'static str, era| {
            let profile = ClientProfile {
                revision,
                capabilities: Json::literal(capabilities),
                info: None,
            };
            profile.told_to(era).as_str().to_owned()
        };
        let legacy = r#"{"tasks":{"list":{}},"roots":{ "listChanged":true}}"#;
        let newest = Revision::NEWEST_LEGACY;
        assert_eq!(told(newest, legacy, Era::Legacy), legacy);
        assert_eq!(
            told(newest, legacy, Era::Modern),
            r#"{"roots":{ "listChanged":true}}"#
        );
        let modern =
            r#"{"extensions":{"io.modelcontextprotocol/tasks":{},"x/ui":{}},"sampling":{}}"#;
        assert_eq!(told(Revision::NEWEST, modern, Era::Modern), modern);
        assert_eq!(
            told(Revision::NEWEST, modern, Era::Legacy),
            r#"{"extensions":{"x/ui":{}},"sampling":{}}"#
        );
        let only = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
        assert_eq!(told(Revision::NEWEST, only, Era::Legacy), "{}");
    }
}
