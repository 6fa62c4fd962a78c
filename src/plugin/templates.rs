//! Pages made from templates, in the language of minijinja (Jinja2). What is put in is escaped for HTML.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use crate::plugin::routes::Html;

/// The directory in a plugin's folder.
const DIRECTORY: &str = "templates";

/// The most templates of one plugin.
const MAX_TEMPLATES: usize = 1_000;

/// The most bytes of one of them.
const MAX_BYTES: u64 = 1 << 20;

/// How deep directories of templates may lie in each other.
const MAX_DEPTH: usize = 8;

/// The templates of a plugin. Cheap to clone.
///
/// ```
/// use toolgate::plugin::Templates;
///
/// let templates = Templates::of([("page.html", "<p>Hello, {{ name }}!</p>")]).expect("sound templates");
/// let page = templates.render("page.html", &serde_json::json!({ "name": "<Ada>" }));
/// assert_eq!(page.expect("it is there").0, "<p>Hello, &lt;Ada&gt;!</p>");
/// ```
#[derive(Debug, Clone)]
pub struct Templates(Arc<Environment<'static>>);

/// A template that cannot be used: which, where, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError(String);

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TemplateError {}

impl TemplateError {
    fn of(err: &minijinja::Error) -> Self {
        let place = match (err.name(), err.line()) {
            (Some(name), Some(line)) => format!("template `{name}`, line {line}: "),
            (Some(name), None) => format!("template `{name}`: "),
            (None, _) => String::new(),
        };
        let detail = err.detail().map(|detail| format!(": {detail}"));
        Self(format!(
            "{place}{}{}",
            err.kind(),
            detail.unwrap_or_default()
        ))
    }

    fn io(what: &Path, err: &std::io::Error) -> Self {
        Self(format!("`{}` cannot be read: {err}", what.display()))
    }
}

impl Templates {
    /// These templates, by name: what is compiled in.
    pub fn of<N, T>(sources: impl IntoIterator<Item = (N, T)>) -> Result<Self, TemplateError>
    where
        N: Into<String>,
        T: Into<String>,
    {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        // A name that is not there is a mistake of the page.
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        for (name, source) in sources {
            environment
                .add_template_owned(name.into(), source.into())
                .map_err(|err| TemplateError::of(&err))?;
        }
        Ok(Self(Arc::new(environment)))
    }

    /// Those in the directory `templates` of a plugin's folder, by their path in it; `None` where there is none. Links that
    /// lead out of it are not followed. Blocks.
    pub(crate) fn in_folder(folder: &Path) -> Result<Option<Self>, TemplateError> {
        let root = Dir::open_ambient_dir(folder, ambient_authority());
        let Ok(root) = root.and_then(|folder| folder.open_dir(DIRECTORY)) else {
            return Ok(None);
        };
        let mut sources = Vec::new();
        gather(&root, Path::new(""), 0, &mut sources)?;
        Self::of(sources).map(Some)
    }

    /// Makes a page of the template `name`. Every value is escaped for HTML unless the template says `|safe`.
    pub fn render<T: Serialize + ?Sized>(
        &self,
        name: &str,
        values: &T,
    ) -> Result<Html<String>, TemplateError> {
        let rendered = self
            .0
            .get_template(name)
            .and_then(|template| template.render(Value::from(Serde(values))));
        rendered.map(Html).map_err(|err| TemplateError::of(&err))
    }
}

fn gather(
    dir: &Dir,
    at: &Path,
    depth: usize,
    sources: &mut Vec<(String, String)>,
) -> Result<(), TemplateError> {
    let entries = dir.entries().map_err(|err| TemplateError::io(at, &err))?;
    let mut names: Vec<PathBuf> = entries
        .filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name())))
        .collect();
    names.sort();
    for name in names {
        let path = at.join(&name);
        let failed = |err: std::io::Error| TemplateError::io(&path, &err);
        let Some(text) = path.to_str().map(|path| path.replace('\\', "/")) else {
            continue;
        };
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        let metadata = dir.metadata(&name).map_err(failed)?;
        if metadata.is_dir() && depth < MAX_DEPTH {
            let below = dir.open_dir(&name).map_err(failed)?;
            gather(&below, &path, depth + 1, sources)?;
        } else if metadata.is_file() {
            if metadata.len() > MAX_BYTES || sources.len() >= MAX_TEMPLATES {
                let bounds = format!("{MAX_TEMPLATES} templates of {MAX_BYTES} bytes");
                return Err(TemplateError(format!(
                    "`{text}` is too much: at most {bounds}"
                )));
            }
            let mut source = String::new();
            let file = dir.open(&name).map_err(failed)?;
            file.take(MAX_BYTES)
                .read_to_string(&mut source)
                .map_err(failed)?;
            sources.push((text, source));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_folder_gives_its_templates_and_mistakes_have_a_place() {
        let temp = tempfile::tempdir().expect("a directory");
        let at = |name: &str| temp.path().join(name);
        assert!(
            Templates::in_folder(temp.path())
                .expect("none is no mistake")
                .is_none()
        );
        std::fs::create_dir_all(at("templates/parts")).expect("it can be made");
        let write =
            |name: &str, text: &str| std::fs::write(at(name), text).expect("it can be written");
        write("templates/page.html", "{% include 'parts/list.html' %}");
        write(
            "templates/parts/list.html",
            "{% for x in xs %}<i>{{ x }}</i>{% endfor %}",
        );
        let templates = Templates::in_folder(temp.path())
            .expect("sound")
            .expect("there are some");
        let page = templates.render("page.html", &json!({ "xs": ["a", "<b>"] }));
        assert_eq!(page.expect("it renders").0, "<i>a</i><i>&lt;b&gt;</i>");
        let missing = templates
            .render("page.html", &json!({}))
            .expect_err("no xs");
        assert!(
            missing.to_string().contains("page.html") || missing.to_string().contains("list.html"),
            "{missing}"
        );
        write("templates/bad.html", "ok\n{% for %}");
        let bad = Templates::in_folder(temp.path()).expect_err("no template");
        assert!(bad.to_string().contains("`bad.html`, line 2"), "{bad}");
    }
}
