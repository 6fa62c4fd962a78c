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
    /// What else it may do on the gateway.
    pub scopes: Arc<[String]>,
}

impl Caller {
    /// The caller where no credentials are configured: everyone on this machine.
    pub fn anonymous() -> Self {
        Self {
            principal: "anonymous".into(),
            plugins: None,
            scopes: Arc::new([]),
        }
    }

    /// Whether `plugin` is visible to it. What one may not see one cannot call.
    pub fn sees(&self, plugin: &PluginId) -> bool {
        self.plugins
            .as_ref()
            .is_none_or(|plugins| plugins.contains(plugin))
    }
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
