//! What of the catalog is for one caller.

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::caller::Caller;
use crate::registry::catalog::{Catalog, Entry, Hidden};
use crate::registry::plugin::Plugin;
use crate::registry::rules::Denied;

impl Catalog {
    /// The tool of that name, if `caller` may see it.
    pub fn find(&self, name: &str, caller: &Caller) -> Option<&Arc<Entry>> {
        self.by_name.get(name).filter(|entry| entry.is_for(caller))
    }

    /// What keeps `caller` from a tool of that name whose plugin it may see.
    pub fn denied(&self, name: &str, caller: &Caller) -> Option<(&Arc<Entry>, Denied)> {
        let entry = self.by_name.get(name)?;
        Some((entry, entry.denied_to(caller)?))
    }

    /// The tools that `caller` may see, in their stable order.
    pub fn entries<'a>(&'a self, caller: &'a Caller) -> impl Iterator<Item = &'a Arc<Entry>> {
        self.in_order.iter().filter(|entry| entry.is_for(caller))
    }

    /// What is not listed, of plugins that `caller` may see: for anyone, then for this caller.
    pub fn hidden<'a>(&'a self, caller: &'a Caller) -> impl Iterator<Item = Cow<'a, Hidden>> {
        let hidden = self.hidden.iter();
        let hidden = hidden.filter(|hidden| caller.sees(&hidden.plugin));
        let denied = self.in_order.iter().filter_map(|entry| {
            let why = entry.denied_to(caller)?;
            Some(Cow::Owned(Hidden {
                name: entry.name.to_string(),
                plugin: entry.plugin.manifest.id.clone(),
                cause: why.cause(),
                reason: why.reason(),
            }))
        });
        hidden.map(Cow::Borrowed).chain(denied)
    }

    /// The tools that `caller` could see if they were not switched off.
    pub fn switched_off<'a>(&'a self, caller: &'a Caller) -> impl Iterator<Item = &'a Arc<Entry>> {
        let off = self.switched_off.iter();
        off.filter(|entry| entry.is_for(caller))
    }

    /// The plugin that would list a tool of that name, if it were not closed and `caller` may see it.
    pub(in crate::registry) fn closed_owner(
        &self,
        name: &str,
        caller: &Caller,
    ) -> Option<&Arc<Plugin>> {
        let hidden = self.hidden(caller).find(|hidden| hidden.name == name)?;
        let mut closed = self.offers.iter().filter(|offer| offer.closed.is_some());
        closed
            .find(|offer| *offer.plugin.id() == hidden.plugin)
            .map(|offer| &offer.plugin)
    }
}

impl Entry {
    /// Whether `caller` may see and call it.
    pub fn is_for(&self, caller: &Caller) -> bool {
        let plugin = &self.plugin.manifest.id;
        caller.sees(plugin) && Denied::from(caller, plugin, self.category).is_none()
    }

    /// What keeps `caller` from it, if it may see the plugin.
    pub fn denied_to(&self, caller: &Caller) -> Option<Denied> {
        let plugin = &self.plugin.manifest.id;
        let seen = caller.sees(plugin);
        seen.then(|| Denied::from(caller, plugin, self.category))?
    }
}
