//! What a plugin may do on the host, and why it may not do more.

use std::collections::BTreeMap;

use crate::manifest::Grant;
use crate::registry::plugin::{Plugin, Source};

impl Plugin {
    /// Whether it may do this: it asks for it, and the operator lets it.
    pub fn may(&self, grant: Grant) -> bool {
        self.grants.contains(&grant)
    }

    /// Why nothing that it offers to clients is listed though it may run, if so: the words that follow a `but`.
    pub fn withheld(&self) -> Option<&'static str> {
        (!self.may(Grant::Tools)).then_some("it is not granted TOOLS")
    }

    /// What it asks for and does not get, each with why, and what to do about it.
    pub fn denied(&self) -> BTreeMap<Grant, String> {
        let requested = self.manifest.requests.iter().copied();
        let denied = requested.filter(|grant| !self.may(*grant));
        denied
            .map(|grant| (grant, self.why_denied(grant)))
            .collect()
    }

    /// Why it does not have `grant`, in a sentence with what to do about it.
    pub fn why_denied(&self, grant: Grant) -> String {
        let id = self.id();
        if !self.manifest.requests.contains(&grant) {
            return format!("its manifest does not ask for it: add `{grant}` to `requests`");
        }
        match (self.grants_chosen, &self.source) {
            (false, Source::Folder(_)) => format!(
                "the operator has not granted it: a plugin from a folder gets TOOLS only, until `plugins.{id}.grants` in the configuration names `{grant}` too"
            ),
            _ => format!(
                "the operator has not granted it: `plugins.{id}.grants` in the configuration does not name `{grant}`"
            ),
        }
    }
}
