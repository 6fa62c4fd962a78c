//! Paths below `/ext`: whose they are, and which file they could mean.

use percent_encoding::percent_decode_str;

/// A path below `/ext`, taken apart. Both parts are as they were sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// The plugin's id.
    pub(super) id: &'a str,
    /// What follows, with its slash; empty where nothing does.
    pub(super) rest: &'a str,
}

impl<'a> Place<'a> {
    pub(super) fn of(path: &'a str) -> Self {
        let below = path.strip_prefix("/ext/").unwrap_or_default();
        let end = below.find('/').unwrap_or(below.len());
        let (id, rest) = below.split_at(end);
        Self { id, rest }
    }
}

/// Where a file lies by what a client sent of its path: the names of directories, then its own. `None` where a part is
/// no plain name: what points upwards or elsewhere, what is hidden, what holds a separator of any system, what is no
/// text. The last part is empty for a directory.
pub(super) fn parts(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut parts = Vec::new();
    let mut sent = path.split('/').peekable();
    while let Some(part) = sent.next() {
        let part = percent_decode_str(part).decode_utf8().ok()?;
        let is_last = sent.peek().is_none();
        let is_plain = !part.starts_with('.')
            && !part.contains(['/', '\\', ':'])
            && !part.contains(char::is_control);
        if !is_plain || (part.is_empty() && !is_last) {
            return None;
        }
        parts.push(part.into_owned());
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_whose_it_is() {
        let place = |path| {
            let Place { id, rest } = Place::of(path);
            (id, rest)
        };
        assert_eq!(place("/ext/a/b/c"), ("a", "/b/c"));
        assert_eq!(place("/ext/a/"), ("a", "/"));
        assert_eq!(place("/ext/a"), ("a", ""));
        assert_eq!(place("/ext/"), ("", ""));
        assert_eq!(place("/ext/a%2fb/c"), ("a%2fb", "/c"));
    }

    /// S29: only plain names lead to files.
    #[test]
    fn only_plain_names_lead_to_files() {
        let check = |path: &str, expect: Option<&[&str]>| {
            let got = parts(path);
            let got = got.as_ref().map(|parts| parts.iter().map(String::as_str));
            assert_eq!(
                got.map(Iterator::collect),
                expect.map(<[&str]>::to_vec),
                "{path}"
            );
        };
        check("/", Some(&[""]));
        check("/style.css", Some(&["style.css"]));
        check("/a/b%20c.js", Some(&["a", "b c.js"]));
        check("/a/", Some(&["a", ""]));
        for bad in [
            "/..",
            "/../x",
            "/%2e%2e/x",
            "/..%2fx",
            "/a/..%2f..%2fx",
            "/..\\x",
            "/..%5cx",
            "/a//b",
            "//etc/passwd",
            "/%2fetc/passwd",
            "/a%00.css",
            "/.env",
            "/a/.git/config",
            "/%2egit",
            "/c:/x",
            "/%ff",
            "/./x",
            "/a%0ab",
        ] {
            check(bad, None);
        }
    }
}
