//! Names in the configuration that lead nowhere.

use crate::config::resolve::{DEPENDS_ON, ResolvedPlugin, Resolving, settings};
use crate::manifest::decode::{in_list, path};
use crate::manifest::problem::{Problem, nearest};
use crate::model::caller::{ADMIN, READ};
use crate::model::plugin_id::PluginId;

impl Resolving<'_> {
    /// Says which of them there are, when all plugins are known.
    pub(super) fn finish(&mut self) {
        let plugins = &self.result.plugins;
        let mut notes: Vec<_> = plugins
            .iter()
            .flat_map(|plugin| self.of_plugin(plugin))
            .collect();
        for (id, place) in self.loaded.from_env.ids() {
            if self.is_unknown(id) {
                let message = format!("there is no plugin `{id}`{}", self.hint(id.as_str()));
                notes.push(Problem::at(place, &path([id.as_str()]), message));
            }
        }
        notes.extend(settings::unmatched(&self.loaded.env, self.known.iter()));
        let nowhere = self.of_tokens().into_iter().chain(self.of_approvals());
        let nowhere: Vec<_> = nowhere.collect();
        self.result.notes.0.extend(notes);
        self.result.nowhere.0.extend(nowhere);
    }

    fn of_plugin(&self, plugin: &ResolvedPlugin) -> Vec<Problem> {
        let manifest = &plugin.manifest;
        let note = |path: &str, message: String| Problem {
            file: plugin.folder.clone().or_else(|| self.loaded.file.clone()),
            path: path.to_owned(),
            ..Problem::new(message)
        };
        let unknown = manifest.depends_on.iter().filter(|id| self.is_unknown(id));
        let mut notes: Vec<_> = unknown
            .map(|id| {
                let hint = self.hint(id.as_str());
                let message = format!(
                    "plugin `{}` depends on `{id}`, which does not exist{hint}",
                    manifest.id
                );
                note(DEPENDS_ON, message)
            })
            .collect();
        if let Some(files) = manifest.static_files.as_ref().filter(|_| plugin.enabled)
            && let Some(folder) = &plugin.folder
            && !folder.join(&files.dir).is_dir()
        {
            let message = format!(
                "plugin `{}` has no directory `{}`, so it has no files to give out",
                manifest.id,
                files.dir.display()
            );
            notes.push(note("/static/dir", message));
        }
        notes
    }

    fn of_tokens(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, token) in self.loaded.config.auth.tokens.iter().enumerate() {
            let (name, list) = (&token.name, ["auth", "tokens"]);
            let unknown = token.plugins.iter().flatten();
            for id in unknown.filter(|id| self.is_unknown(id)) {
                let message = format!(
                    "the token `{name}` names the plugin `{id}`, which does not exist{}",
                    self.hint(id.as_str())
                );
                problems.push(self.in_file(&in_list(&list, index, &["plugins"]), message));
            }
            for (at, scope) in token.scopes.iter().enumerate() {
                if let Some(why) = self.opens_nothing(scope) {
                    let message = format!("the token `{name}` has the scope `{scope}`: {why}");
                    let at = in_list(&list, index, &["scopes", &at.to_string()]);
                    problems.push(self.in_file(&at, message));
                }
            }
        }
        problems
    }

    fn of_approvals(&self) -> Vec<Problem> {
        let patterns = self.loaded.config.policy.approval.plugins.iter();
        let fits_nothing = patterns.enumerate().filter(|(_, pattern)| {
            let mut known = self.known.iter();
            !known.any(|id| pattern.matches(id.as_str()))
        });
        let problems = fits_nothing.map(|(at, pattern)| {
            let text = pattern.as_str();
            let message = format!("no plugin has an id like `{text}`{}", self.hint(text));
            self.in_file(
                &in_list(&["policy", "approval", "plugins"], at, &[]),
                message,
            )
        });
        problems.collect()
    }

    /// Why the scope opens nothing, if it does not.
    fn opens_nothing(&self, scope: &str) -> Option<String> {
        if [ADMIN, READ].contains(&scope) {
            return None;
        }
        let of_plugin = scope
            .strip_prefix("ext:")
            .and_then(|rest| rest.rsplit_once(':'));
        if let Some((id, "tools" | "routes")) = of_plugin {
            let is_known = id == "*" || self.known.iter().any(|known| known.as_str() == id);
            let message = || format!("there is no plugin `{id}`{}", self.hint(id));
            return (!is_known).then(message);
        }
        let routes = self
            .result
            .plugins
            .iter()
            .flat_map(|plugin| &plugin.manifest.routes);
        let mut of_routes = routes.filter_map(|route| route.scope.as_deref());
        let message = "nothing asks for it; there are `admin`, `read`, `ext:ID:tools`, `ext:ID:routes`, and those that routes name";
        (!of_routes.any(|of_route| of_route == scope)).then(|| message.to_owned())
    }

    fn is_unknown(&self, id: &PluginId) -> bool {
        !self.known.contains(id)
    }

    fn hint(&self, word: &str) -> String {
        let near = nearest(word, self.known.iter().map(PluginId::as_str));
        near.map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default()
    }

    fn in_file(&self, path: &[String], message: String) -> Problem {
        let document = self.loaded.document.as_ref();
        let place = document.map(|document| document.place_of(path).clone());
        Problem::at(&place.unwrap_or_default(), path, message)
    }
}
