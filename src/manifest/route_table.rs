//! Which of a plugin's `[[routes]]` a request is for.
//!
//! A pattern is a path of which segments may be `{name}`, which stands for one segment, or at its end `{*name}`, which
//! stands for all that follows. Where several fit, what is written out counts before what is not. Paths are compared as
//! they were sent; only what a name stands for is decoded.

use std::collections::BTreeMap;

use http::HeaderValue;
use matchit::Router;
use percent_encoding::percent_decode_str;

use crate::manifest::decode::Report;
use crate::manifest::host::{Method, Route};

/// The routes of one plugin, by method.
#[derive(Debug, Default)]
pub struct RouteTable {
    by_method: BTreeMap<&'static str, Router<usize>>,
    is_empty: bool,
}

/// What a path is to the routes.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The place of the route in the manifest, with what its names stand for.
    Route(usize, Vec<(String, String)>),
    /// The path is one of theirs, under these other methods.
    OtherMethods(Vec<&'static str>),
    /// A name would stand for something that is no text.
    NotText,
    /// None of theirs.
    Nothing,
}

impl RouteTable {
    /// The table of these routes. One whose pattern cannot be used is left out; [`check`] says why.
    pub fn new(routes: &[Route]) -> Self {
        let mut by_method: BTreeMap<&'static str, Router<usize>> = BTreeMap::new();
        for (index, route) in routes.iter().enumerate() {
            let table = by_method.entry(route.method.as_str()).or_default();
            table.insert(&route.path, index).ok();
        }
        Self {
            by_method,
            is_empty: routes.is_empty(),
        }
    }

    /// Whether there are no routes.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// The route for a request. `HEAD` is answered by what answers `GET`.
    pub fn find(&self, method: &http::Method, path: &str) -> Found {
        let method = match *method {
            http::Method::HEAD => Method::Get.as_str(),
            ref method => method.as_str(),
        };
        let found = self
            .by_method
            .get(method)
            .and_then(|table| table.at(path).ok());
        let Some(found) = found else {
            let others = self.by_method.iter();
            let others = others.filter(|(_, table)| table.at(path).is_ok());
            let others: Vec<_> = others.map(|(method, _)| *method).collect();
            return match others.is_empty() {
                true => Found::Nothing,
                false => Found::OtherMethods(others),
            };
        };
        let params = found.params.iter().map(|(name, value)| {
            let value = percent_decode_str(value).decode_utf8().ok()?;
            Some((name.to_owned(), value.into_owned()))
        });
        match params.collect() {
            Some(params) => Found::Route(*found.value, params),
            None => Found::NotText,
        }
    }
}

/// Notes what is wrong with routes: patterns that cannot be read, and those that mean the same paths as others.
pub(crate) fn check(routes: &[Route], report: &mut Report<'_>) {
    let mut tables: BTreeMap<&'static str, Router<usize>> = BTreeMap::new();
    for (index, route) in routes.iter().enumerate() {
        let at = |key: &str| vec!["routes".into(), index.to_string(), key.into()];
        if !route.path.starts_with('/') {
            report.add(&at("path"), "a path begins with `/`");
        } else if route.path.contains(['?', '#', ' ']) || !route.path.is_ascii() {
            report.add(
                &at("path"),
                "a path has no `?`, no `#`, no spaces, and is ASCII",
            );
        } else {
            let table = tables.entry(route.method.as_str()).or_default();
            if let Err(err) = table.insert(&route.path, index) {
                report.add(&at("path"), problem(&err, route.method));
            }
        }
        if route.path == "/health" && route.method == Method::Get {
            let message = "the gateway answers `GET /health` itself, with how the plugin is";
            report.add(&at("path"), message);
        }
        let status = 200..=299;
        if !status.contains(&route.status) {
            report.add(
                &at("status"),
                "the status of an answer that is no error: 200 to 299",
            );
        }
        if let Some(kind) = &route.content_type
            && !is_media_type(kind)
        {
            report.add(
                &at("content_type"),
                "expected a media type such as `text/html`",
            );
        }
        if route.scope.as_ref().is_some_and(|scope| !is_scope(scope)) {
            report.add(&at("scope"), "a scope is one word");
        }
    }
}

fn problem(err: &matchit::InsertError, method: Method) -> String {
    match err {
        matchit::InsertError::Conflict { with } => {
            format!("`{} {with}` means the same paths", method.as_str())
        }
        other => format!("not a pattern such as `/items/{{id}}`: {other}"),
    }
}

fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let parts = essence.split_once('/');
    parts.is_some_and(|(kind, sub)| !kind.is_empty() && !sub.is_empty() && !essence.contains(' '))
        && HeaderValue::try_from(text).is_ok()
}

/// Whether it can stand in a challenge (RFC 6749 section 3.3).
fn is_scope(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b',');
    !text.is_empty() && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: Method, path: &str) -> Route {
        Route {
            method,
            path: path.to_owned(),
            tool: "t".to_owned(),
            scope: None,
            content_type: None,
            status: 200,
        }
    }

    #[test]
    fn what_is_written_out_counts_before_what_is_not() {
        let table = RouteTable::new(&[
            route(Method::Get, "/items/{id}"),
            route(Method::Get, "/items/new"),
            route(Method::Post, "/items"),
            route(Method::Get, "/all/{*rest}"),
        ]);
        let found = |method: http::Method, path: &str| table.find(&method, path);
        let named = |index, name: &str, value: &str| {
            Found::Route(index, vec![(name.to_owned(), value.to_owned())])
        };
        assert_eq!(found(http::Method::GET, "/items/7"), named(0, "id", "7"));
        assert_eq!(
            found(http::Method::HEAD, "/items/a%2Fb"),
            named(0, "id", "a/b")
        );
        assert_eq!(
            found(http::Method::GET, "/items/new"),
            Found::Route(1, vec![])
        );
        assert_eq!(
            found(http::Method::GET, "/all/a/b"),
            named(3, "rest", "a/b")
        );
        assert_eq!(
            found(http::Method::GET, "/items"),
            Found::OtherMethods(vec!["POST"])
        );
        assert_eq!(found(http::Method::GET, "/items/%ff"), Found::NotText);
        assert_eq!(found(http::Method::GET, "/else"), Found::Nothing);
    }
}
