//! Names in the configuration that lead nowhere.

use crate::config::resolve::{DEPENDS_ON, Resolving, settings};
use crate::manifest::decode::{in_list, path};
use crate::manifest::problem::{Problem, nearest};
use crate::model::plugin_id::PluginId;

impl Resolving<'_> {
    /// Says which of them there are, when all plugins are known.
    pub(super) fn finish(&mut self) {
        let unknown = |id: &PluginId| !self.known.contains(id);
        let hint = |id: &PluginId| {
            let near = nearest(id.as_str(), self.known.iter().map(PluginId::as_str));
            near.map(|near| format!("; did you mean `{near}`?"))
                .unwrap_or_default()
        };
        let (mut notes, mut nowhere) = (Vec::new(), Vec::new());
        for plugin in &self.result.plugins {
            for id in plugin.manifest.depends_on.iter().filter(|id| unknown(id)) {
                let message = format!(
                    "plugin `{}` depends on `{id}`, which does not exist{}",
                    plugin.manifest.id,
                    hint(id)
                );
                let file = plugin.folder.clone().or_else(|| self.loaded.file.clone());
                notes.push(Problem {
                    file,
                    path: DEPENDS_ON.to_owned(),
                    ..Problem::new(message)
                });
            }
        }
        for (index, token) in self.loaded.config.auth.tokens.iter().enumerate() {
            for id in token.plugins.iter().flatten().filter(|id| unknown(id)) {
                let message = format!(
                    "the token `{}` names the plugin `{id}`, which does not exist{}",
                    token.name,
                    hint(id)
                );
                let path = in_list(&["auth", "tokens"], index, &["plugins"]);
                let document = self.loaded.document.as_ref();
                let place = document.map(|document| document.place_of(&path).clone());
                nowhere.push(Problem::at(&place.unwrap_or_default(), &path, message));
            }
        }
        for (id, place) in self.loaded.from_env.ids() {
            if unknown(id) {
                let message = format!("there is no plugin `{id}`{}", hint(id));
                notes.push(Problem::at(place, &path([id.as_str()]), message));
            }
        }
        notes.extend(settings::unmatched(&self.loaded.env, self.known.iter()));
        self.result.notes.0.extend(notes);
        self.result.nowhere.0.extend(nowhere);
    }
}
