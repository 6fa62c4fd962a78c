//! Who calls, and with what kind of client.

use std::sync::Arc;

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
}

/// The scopes of a caller: `admin`, `read`, `ext:{id}:tools`, `ext:{id}:routes`. A `*` in the place of the id stands for
/// every plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
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
