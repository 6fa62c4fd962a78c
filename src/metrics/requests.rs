//! Requests over HTTP, by route: the pattern in the table, never the path that somebody made up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::metrics::durations::Durations;
use crate::metrics::page::Page;

/// The methods that are told apart.
const METHODS: [&str; 8] = [
    "GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "other",
];

/// The classes of status that are told apart.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What stands for paths that no route has.
const NO_ROUTE: &str = "other";

/// Requests over HTTP.
#[derive(Debug)]
pub struct Requests {
    routes: Vec<Route>,
    /// Routes without parameters, by their path.
    fixed: HashMap<&'static str, usize>,
}

#[derive(Debug)]
struct Route {
    pattern: &'static str,
    counts: [[AtomicU64; CLASSES.len()]; METHODS.len()],
    took: Durations,
}

impl Requests {
    /// Counts by these patterns, as the table of routes has them: `{name}` is one segment, `{*rest}` all that follow.
    pub fn new(patterns: impl IntoIterator<Item = &'static str>) -> Self {
        let route = |pattern| Route {
            pattern,
            counts: Default::default(),
            took: Durations::default(),
        };
        let routes: Vec<Route> = patterns.into_iter().chain([NO_ROUTE]).map(route).collect();
        let numbered = routes.iter().enumerate();
        let fixed = numbered.filter(|(_, route)| !route.pattern.contains('{'));
        Self {
            fixed: fixed.map(|(at, route)| (route.pattern, at)).collect(),
            routes,
        }
    }

    /// Which route a path has.
    pub fn route(&self, path: &str) -> usize {
        // Nearly all of them have the first.
        if path == self.routes[0].pattern {
            return 0;
        }
        if let Some(at) = self.fixed.get(path) {
            return *at;
        }
        let mut routes = self.routes.iter();
        let found =
            routes.position(|route| route.pattern.contains('{') && fits(route.pattern, path));
        found.unwrap_or(self.routes.len() - 1)
    }

    /// A request to that route was answered; `took_us` is until the head of the answer was there.
    pub fn add(&self, route: usize, method: &str, status: u16, took_us: u64) {
        let Some(route) = self.routes.get(route) else {
            return;
        };
        let method = METHODS.iter().position(|known| *known == method);
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        route.counts[method.unwrap_or(METHODS.len() - 1)][class].fetch_add(1, Ordering::Relaxed);
        route.took.add(took_us);
    }

    pub(super) fn read(&self, page: &mut Page) {
        for route in &self.routes {
            let mut any = false;
            for (method, classes) in METHODS.iter().zip(&route.counts) {
                for (class, count) in CLASSES.iter().zip(classes) {
                    let count = count.load(Ordering::Relaxed);
                    if count == 0 {
                        continue;
                    }
                    any = true;
                    let labels = [
                        ("route", route.pattern),
                        ("method", method),
                        ("status_class", class),
                    ];
                    let help = "Requests over HTTP that were answered";
                    page.counter("toolgate_http_requests", help, &labels, count);
                }
            }
            if any {
                let name = "toolgate_http_request_duration_seconds";
                let help = "How long it took until the head of an answer was there";
                page.histogram(name, help, &[("route", route.pattern)], route.took.read());
            }
        }
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(rest), Some(_)) if rest.starts_with("{*") => return true,
            (Some(one), Some(segment)) if one.starts_with('{') && !segment.is_empty() => {}
            (Some(one), Some(segment)) if one == segment => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_route_of_the_table() {
        let patterns = ["/mcp", "/api/tools/{name}", "/ext/{id}/{*rest}"];
        let requests = Requests::new(patterns);
        let route = |path| requests.routes[requests.route(path)].pattern;
        for (path, expect) in [
            ("/mcp", "/mcp"),
            ("/api/tools/a", "/api/tools/{name}"),
            ("/api/tools/", "other"),
            ("/api/tools/a/b", "other"),
            ("/ext/a/b/c", "/ext/{id}/{*rest}"),
            ("/ext/a", "other"),
            ("/{name}", "other"),
        ] {
            assert_eq!(route(path), expect, "{path}");
        }
    }

    #[test]
    fn methods_and_statuses_are_bounded() {
        let requests = Requests::new(["/mcp"]);
        for n in 0..100 {
            requests.add(
                requests.route(&format!("/made/up/{n}")),
                &format!("M{n}"),
                404,
                10,
            );
        }
        requests.add(0, "POST", 999, 10);
        let mut page = Page::default();
        requests.read(&mut page);
        let text = page.text();
        let line = "toolgate_http_requests_total{route=\"other\",method=\"other\",status_class=\"4xx\"} 100";
        assert!(text.contains(line), "{text}");
        assert!(text.lines().count() < 40, "{text}");
    }
}
