//! One list of things that are told apart by a name or a URI: prompts, resources, resource templates.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::caller::Caller;
use crate::registry::catalog::{Cause, Hidden};
use crate::registry::plugin::Plugin;
use crate::runtime::{Definition, Listing};
use crate::wire::json::Json;
use crate::wire::list::ListKind;
use crate::wire::uri_template::UriTemplate;

/// What stands before the URIs of resources whose own are taken by another plugin: then comes the plugin's id, a slash
/// and the plugin's own URI.
pub const SCHEME: &str = "toolgate://";

/// One prompt, resource or template that is listed.
#[derive(Debug)]
pub struct Item {
    /// What it is listed under: its name, URI or URI template.
    pub key: Arc<str>,
    /// What the plugin lists it under.
    pub own: Arc<str>,
    /// The same as JSON, as it goes into a request.
    pub own_json: Json,
    /// Whose it is.
    pub plugin: Arc<Plugin>,
    /// The definition as it is listed.
    pub definition: Json,
    template: Option<UriTemplate>,
}

/// Such a list.
#[derive(Debug, Default)]
pub struct Shelf {
    by_key: HashMap<Arc<str>, Arc<Item>>,
    in_order: Vec<Arc<Item>>,
}

impl Item {
    /// Whether `uri` fits this template.
    pub fn fits(&self, uri: &str) -> bool {
        self.template
            .as_ref()
            .is_some_and(|template| template.matches(uri))
    }

    /// Whether it is listed under another URI than the plugin's own.
    pub fn is_moved(&self) -> bool {
        self.key != self.own
    }
}

impl Shelf {
    /// Takes in what a plugin lists; gives back what is not listed, and why.
    pub(super) fn take_in(
        &mut self,
        kind: ListKind,
        plugin: &Arc<Plugin>,
        listing: &Listing,
    ) -> Vec<Hidden> {
        let id = &plugin.manifest.id;
        let hide = |name: &str, cause, reason: String| Hidden {
            name: name.to_owned(),
            plugin: id.clone(),
            cause,
            reason,
        };
        let omitted = listing.omitted.iter();
        let mut hidden: Vec<_> = omitted
            .map(|omitted| hide(&omitted.name, Cause::Definition, omitted.reason.clone()))
            .collect();
        for definition in &listing.definitions {
            match self.place(kind, plugin, definition) {
                Ok(item) => {
                    let item = Arc::new(item);
                    self.by_key.insert(Arc::clone(&item.key), Arc::clone(&item));
                    self.in_order.push(item);
                }
                Err(why) => hidden.push(hide(&definition.name, Cause::Collision, why)),
            }
        }
        hidden
    }

    fn place(
        &self,
        kind: ListKind,
        plugin: &Arc<Plugin>,
        definition: &Definition,
    ) -> Result<Item, String> {
        let (id, own) = (&plugin.manifest.id, &definition.name);
        let key: Arc<str> = match kind {
            ListKind::Tools | ListKind::Prompts => {
                format!("{}{own}", plugin.manifest.effective_prefix()).into()
            }
            // A URI is left alone as long as it is nobody else's.
            ListKind::Resources | ListKind::ResourceTemplates => match self.by_key.get(own) {
                None => Arc::clone(own),
                Some(_) => format!("{SCHEME}{id}/{own}").into(),
            },
        };
        if let Some(first) = self.by_key.get(&key) {
            let (noun, first) = (kind.noun(), &first.plugin.manifest.id);
            return Err(format!("plugin `{first}` lists a {noun} of this name"));
        }
        let mut members = definition.members.clone();
        if key != *own {
            members.set(kind.key(), Json::of(&*key));
        }
        Ok(Item {
            own: Arc::clone(own),
            own_json: Json::of(&**own),
            plugin: Arc::clone(plugin),
            definition: members.to_json(),
            template: (kind == ListKind::ResourceTemplates).then(|| UriTemplate::new(&key)),
            key,
        })
    }

    /// What is listed under `key`, if `caller` may see it.
    pub(super) fn find(&self, key: &str, caller: &Caller) -> Option<&Arc<Item>> {
        self.by_key
            .get(key)
            .filter(|item| caller.sees(&item.plugin.manifest.id))
    }

    /// What `caller` may see, in its stable order.
    pub(super) fn items<'a>(&'a self, caller: &'a Caller) -> impl Iterator<Item = &'a Arc<Item>> {
        self.in_order
            .iter()
            .filter(|item| caller.sees(&item.plugin.manifest.id))
    }

    /// The URI under which the resource `own` of `plugin` is listed, where that is another.
    pub(super) fn moved(&self, plugin: &Plugin, own: &str) -> Option<&Arc<str>> {
        let moved = self.in_order.iter().filter(|item| item.is_moved());
        moved
            .filter(|item| item.plugin.manifest.id == plugin.manifest.id)
            .find(|item| &*item.own == own)
            .map(|item| &item.key)
    }
}
