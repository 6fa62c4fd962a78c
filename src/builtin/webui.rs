//! `webui`: a page for operators, at `/ext/webui/`. All it shows it asks for over the gateway's own routes, with the token
//! of whoever looks at it; itself it is but files.

use include_dir::{Dir, include_dir};

use crate::plugin::Plugin;

/// The page. Nothing is made of it: what lies in the folder is what a browser gets.
static PAGE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/plugins/webui/static");

/// The plugin.
pub(super) struct WebUi;

impl Plugin for WebUi {
    fn files(&self) -> Option<&'static Dir<'static>> {
        Some(&PAGE)
    }

    fn cooperative(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Every file of the page, as its path and its text.
    fn files() -> Vec<(&'static Path, &'static str)> {
        fn add(dir: &'static Dir<'static>, all: &mut Vec<(&'static Path, &'static str)>) {
            for file in dir.files() {
                let text = file.contents_utf8().expect("the page is text");
                all.push((file.path(), text));
            }
            dir.dirs().for_each(|dir| add(dir, all));
        }
        let mut all = Vec::new();
        add(&PAGE, &mut all);
        all
    }

    fn has_ending(path: &Path, ending: &str) -> bool {
        path.extension().is_some_and(|found| found == ending)
    }

    /// What stands between `before` and the next quote.
    fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
        let rest = text.split(before).skip(1);
        rest.filter_map(|rest| rest.split(['"', '\'']).next())
            .collect()
    }

    /// S36: there is no way from text to markup or to a script, and nothing that the page's policy forbids.
    #[test]
    fn no_text_becomes_markup() {
        let forbidden = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "DOMParser",
            "createContextualFragment",
            "eval(",
            "new Function",
            "srcdoc",
            "document.cookie",
            "'style',",
        ];
        for (path, text) in files() {
            for word in forbidden {
                assert!(!text.contains(word), "{}: {word}", path.display());
            }
        }
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for (path, text) in files() {
            let namespace = text.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !namespace.contains("http://") && !namespace.contains("https://"),
                "{} names another place",
                path.display()
            );
        }
        let page = PAGE
            .get_file("index.html")
            .and_then(include_dir::File::contents_utf8);
        let page = page.expect("there is a page");
        assert!(!page.contains("<style") && !page.contains(" style="));
        let scripts = page.matches("<script").count();
        assert_eq!(
            scripts,
            page.matches("<script src=").count()
                + page.matches("<script type=\"module\" src=").count()
        );
    }

    #[test]
    fn what_is_named_is_there() {
        for (path, text) in files() {
            let folder = path.parent().unwrap_or(Path::new(""));
            let named = match () {
                () if has_ending(path, "js") => quoted(text, " from '"),
                () if has_ending(path, "html") => {
                    let mut named = quoted(text, "<script src=\"");
                    named.extend(quoted(text, "module\" src=\""));
                    named.extend(quoted(text, "stylesheet\" href=\""));
                    named
                }
                () => Vec::new(),
            };
            for name in named {
                let mut whole = folder.to_path_buf();
                for part in Path::new(name).components() {
                    match part {
                        std::path::Component::ParentDir => drop(whole.pop()),
                        std::path::Component::CurDir => {}
                        part => whole.push(part),
                    }
                }
                assert!(
                    PAGE.get_file(&whole).is_some(),
                    "{} names {name}",
                    path.display()
                );
            }
        }
    }

    #[test]
    fn each_file_is_small_and_says_what_it_is_for() {
        for (path, text) in files() {
            let shown = path.display();
            let (begins, most) = match () {
                () if has_ending(path, "js") => ("// ", 300),
                () if has_ending(path, "css") => ("/* ", 400),
                () => continue,
            };
            assert!(text.starts_with(begins), "{shown} begins without a comment");
            assert!(text.lines().count() <= most, "{shown} is too long");
        }
    }
}
