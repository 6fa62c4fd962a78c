//! The rules of the kinds: in which order plugins of a kind are asked, and what becomes of what they say.
//!
//! | kind | who is meant | |
//! |---|---|---|
//! | tool, provider, handler | one plugin | the others are not asked |
//! | filter | all, one after the other | each gets what the one before made; one can stop, one can refuse |
//! | notifier | all | nobody waits for them, and what they fail at is nobody else's |

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::manifest::kinds::OnFailure;
use crate::manifest::{Kind, Manifest};
use crate::model::plugin_id::PluginId;

/// What a filter says of what it was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<V> {
    /// It may go on as it is.
    Unchanged,
    /// It goes on as this.
    Changed(V),
    /// It goes on as it is, and the filters after this one are not asked.
    Stop,
    /// The call is refused, in this sentence.
    Refuse(String),
}

/// What follows on that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<V, E> {
    /// The next filter is asked, about this.
    Next(V),
    /// No other filter is asked; this is what came out.
    Stop(V),
    /// The call is refused, because the filter said so.
    Refused(String),
    /// The call is refused, because the filter failed.
    Failed(E),
}

/// What follows on what a filter said about `before`. One that failed may be passed over, where it is declared so.
pub fn step<V, E>(before: V, said: Result<Verdict<V>, E>, on_failure: OnFailure) -> Step<V, E> {
    match (said, on_failure) {
        (Ok(Verdict::Unchanged), _) | (Err(_), OnFailure::Pass) => Step::Next(before),
        (Ok(Verdict::Changed(value)), _) => Step::Next(value),
        (Ok(Verdict::Stop), _) => Step::Stop(before),
        (Ok(Verdict::Refuse(why)), _) => Step::Refused(why),
        (Err(error), OnFailure::Refuse) => Step::Failed(error),
    }
}

/// Those of `members` that are of this kind, as they are asked: the higher priority first, then the smaller id.
pub fn in_order<'a, T: 'a>(
    members: impl IntoIterator<Item = &'a T>,
    kind: Kind,
    manifest: impl Fn(&T) -> &Manifest,
) -> Vec<&'a T> {
    let members = members.into_iter();
    let mut chosen: Vec<&T> = members
        .filter(|member| manifest(member).kind == kind)
        .collect();
    chosen.sort_by(|one, other| {
        let rank = |member| {
            let manifest: &Manifest = manifest(member);
            (Reverse(manifest.priority), &manifest.id)
        };
        rank(one).cmp(&rank(other))
    });
    chosen
}

/// Why one plugin was not found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// There is none of that kind and name.
    #[error("there is no such plugin")]
    Unknown,
    /// There are several of that kind, and none was named.
    #[error("there are several plugins of this kind; name one of them")]
    Ambiguous,
}

/// The one plugin of these that is meant: the one of that name, or the only one.
pub fn only<T>(
    mut members: impl Iterator<Item = T>,
    is_named: Option<impl Fn(&T) -> bool>,
) -> Result<T, NotFound> {
    if let Some(is_named) = is_named {
        return members.find(is_named).ok_or(NotFound::Unknown);
    }
    let first = members.next().ok_or(NotFound::Unknown)?;
    match members.next() {
        None => Ok(first),
        Some(_) => Err(NotFound::Ambiguous),
    }
}

/// Why `manifest` cannot be handed what it requires, where `all` are the plugins there are.
pub fn lacks(manifest: &Manifest, all: &[&Manifest]) -> Option<String> {
    manifest.resources.required_providers().find_map(|name| {
        let known = all.iter().find(|known| known.id == *name);
        match known.map(|known| known.kind) {
            Some(Kind::Provider) => None,
            Some(kind) => Some(format!(
                "it needs the resource `{name}`, but the plugin of that name is a {}, not a provider",
                kind.as_str()
            )),
            None => Some(format!(
                "it needs the resource `{name}`, and there is no provider of that name"
            )),
        }
    })
}

/// The plugins that filters and notifiers may need before they can be asked: they themselves, and what is handed to them.
/// Filters are not asked about what these call while they start, else each would wait for the other.
pub fn behind_filters(all: &[&Manifest]) -> BTreeSet<PluginId> {
    let is_asked = |known: &&&Manifest| matches!(known.kind, Kind::Filter | Kind::Notifier);
    let mut found = BTreeSet::new();
    let mut open: Vec<&Manifest> = all.iter().filter(is_asked).copied().collect();
    while let Some(manifest) = open.pop() {
        if found.insert(manifest.id.clone()) {
            let handed = |known: &&&Manifest| manifest.resources.all().any(|id| *id == known.id);
            open.extend(all.iter().filter(handed));
        }
    }
    found
}

/// Why clients are not shown this tool of the plugin, where its kind says so.
pub fn hides(manifest: &Manifest, tool: &str) -> Option<String> {
    match manifest.kind {
        Kind::Filter => Some("its plugin is a filter, which only the gateway asks".to_owned()),
        Kind::Notifier if manifest.notifier.tool == tool => {
            Some("its plugin is a notifier, which only the gateway tells of events".to_owned())
        }
        Kind::Notifier | Kind::Tool | Kind::Provider | Kind::Handler => None,
    }
}

#[cfg(test)]
mod tests;
