//! What the operator says of the databases: where they are, how long they are waited for, what is shown of them.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserialize;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use crate::plugin::ToolError;

/// What sessions of this plugin are called on the server, so that it knows them again and never ends one.
pub(super) const APPLICATION: &str = "toolgate";

/// Parameters of a URL that are understood. Others would be left out without a word, and be logged with their values.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "options",
    "application_name",
    "statement-cache-capacity",
];

/// The plugin's settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// The databases, by the names that callers use.
    #[serde(default)]
    pub(super) connections: BTreeMap<String, Connection>,
    /// Whether the texts of queries are shown: what stands in them may be personal data.
    #[serde(default = "yes")]
    pub(super) show_query_text: bool,
}

/// How one database is reached. No `Debug`: it holds a password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connection {
    /// `postgres://user:password@host:5432/database?sslmode=require`
    url: String,
    /// Instead of one in the URL, where it would have to be encoded.
    #[serde(default)]
    password: Option<String>,
    /// Milliseconds that one statement of the tools that look may take.
    #[serde(default = "statement_timeout_ms")]
    pub(super) statement_timeout_ms: u32,
    /// Instead of the plugin's, for this database.
    #[serde(default)]
    pub(super) show_query_text: Option<bool>,
}

impl Connection {
    /// How to connect. The mistake names its setting, and never quotes it: it may hold a password.
    pub(super) fn options(&self, name: &str) -> Result<PgConnectOptions, ToolError> {
        let wrong = |what: &str| ToolError::new(format!("`connections.{name}.url` {what}"));
        let (scheme, rest) = self.url.split_once("://").unwrap_or_default();
        if !matches!(scheme, "postgres" | "postgresql") {
            return Err(wrong(
                "must be an address such as `postgres://user@host/database`",
            ));
        }
        let query = rest.split_once('?').map_or("", |(_, query)| query);
        for (key, _) in form_urlencoded::parse(query.as_bytes()) {
            let is_known = PARAMETERS.contains(&&*key) || key.starts_with("options[");
            if !is_known {
                return Err(wrong(&format!(
                    "has the parameter `{key}`, which is not understood"
                )));
            }
        }
        let options = PgConnectOptions::from_str(&self.url).map_err(|_| {
            wrong("cannot be read: is everything in it encoded, such as `%40` for `@`? A password may stand in `password` instead")
        })?;
        let options = match &self.password {
            Some(password) => options.password(password),
            None => options,
        };
        // Statements without names: a pooler may stand between.
        let options = options.statement_cache_capacity(0);
        Ok(options
            .application_name(APPLICATION)
            .disable_statement_logging())
    }
}

fn statement_timeout_ms() -> u32 {
    5_000
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expect: Result<(), &str>) {
        let connection = Connection {
            url: url.to_owned(),
            password: None,
            statement_timeout_ms: 1,
            show_query_text: None,
        };
        let got = connection.options("shop");
        match (got, expect) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(part)) => {
                let said = error.message();
                assert!(said.contains(part) && !said.contains("hunter2"), "{said}");
            }
            (got, expect) => panic!("{url}: {:?} instead of {expect:?}", got.is_ok()),
        }
    }

    #[test]
    fn a_wrong_address_is_named_and_not_quoted() {
        check("postgres://a:hunter2@h:5433/d?sslmode=require", Ok(()));
        check("postgresql:///d?host=/run/postgresql", Ok(()));
        check(
            "mysql://a:hunter2@h/d",
            Err("`connections.shop.url` must be"),
        );
        check("h:hunter2", Err("must be an address"));
        check("postgres://a:hunter2@h:port/d", Err("cannot be read"));
        check(
            "postgres://a@h/d?connect_timeout=hunter2",
            Err("the parameter `connect_timeout`"),
        );
        check("postgres://a@h/d?sslmode=hunter2", Err("cannot be read"));
    }
}
