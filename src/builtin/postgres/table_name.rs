//! The name of a table as a caller gives it, and the table it names in the catalog.

use serde::Deserialize;

use crate::builtin::postgres::session::{Session, question};
use crate::plugin::ToolError;

/// The most other schemas that are named.
const MAX_ELSEWHERE: i64 = 5;

/// A table that the catalog knows.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    pub(super) oid: i64,
    /// With its schema, in the catalog's own quotes.
    pub(super) name: String,
    /// As `pg_class.relkind` has it.
    kind: String,
    /// Whether the role may vacuum it: else the server only warns, and does nothing.
    may_vacuum: bool,
    owner: String,
}

#[derive(Deserialize)]
struct Elsewhere {
    name: String,
}

/// Finds the table. `name` is its name as it is, or as SQL writes it, with or without a schema; the name as it is counts
/// first.
pub(super) async fn find(
    session: &mut Session,
    schema: Option<&str>,
    name: &str,
) -> Result<Found, ToolError> {
    let usual = schema.unwrap_or("public");
    let mut found = look_up(session, usual, name).await?;
    if found.is_none() {
        found = match (as_written(name).as_deref(), schema) {
            (Some([table]), _) => look_up(session, usual, table).await?,
            (Some([schema, table]), None) => look_up(session, schema, table).await?,
            _ => None,
        };
    }
    let Some(found) = found else {
        return Err(unknown(session, usual, name).await?);
    };
    if !matches!(found.kind.as_str(), "r" | "m" | "p") {
        return Err(ToolError::new(format!(
            "{} is no table: only tables and materialized views are vacuumed",
            found.name
        )));
    }
    match found.may_vacuum {
        true => Ok(found),
        false => Err(ToolError::new(format!(
            "the role `{}` may not vacuum {}, which belongs to `{}`: the owners of the table and of the database may; from version 17 on also whom GRANT MAINTAIN ON {} allows it",
            session.server.role, found.name, found.owner, found.name
        ))),
    }
}

async fn look_up(
    session: &mut Session,
    schema: &str,
    table: &str,
) -> Result<Option<Found>, ToolError> {
    // The privilege came with version 17; before, asking for it is an error.
    let maintain = match session.server.version >= 170_000 {
        true => "OR has_table_privilege(c.oid, 'MAINTAIN')",
        false => "",
    };
    let sql = format!(
        "SELECT c.oid::int8 AS oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, c.relkind AS kind,
                pg_get_userbyid(c.relowner) AS owner,
                pg_has_role(c.relowner, 'USAGE') OR (NOT c.relisshared AND pg_has_role(d.datdba, 'USAGE')) {maintain} AS may_vacuum
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_database d ON d.datname = current_database()
         WHERE n.nspname = $1 AND c.relname = $2"
    );
    let asked = question(&sql).bind(schema).bind(table);
    Ok(session.rows(asked).await?.pop())
}

async fn unknown(session: &mut Session, schema: &str, name: &str) -> Result<ToolError, ToolError> {
    let written = as_written(name).and_then(|parts| parts.last().cloned());
    let asked = question(
        "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relname IN ($1, $2) AND c.relkind IN ('r', 'm', 'p') ORDER BY 1 LIMIT $3",
    );
    let asked = asked.bind(name).bind(written).bind(MAX_ELSEWHERE);
    let elsewhere: Vec<Elsewhere> = session.rows(asked).await?;
    let names: Vec<_> = elsewhere
        .iter()
        .map(|found| format!("`{}`", found.name))
        .collect();
    let mut words = format!(
        "there is no table `{name}` in the schema `{schema}` of the database `{}`",
        session.server.database
    );
    match names.is_empty() {
        true => words.push_str("; `table_bloat` lists tables"),
        false => words.push_str(&format!("; there is {}", names.join(", "))),
    }
    Ok(ToolError::new(words))
}

/// The parts of a name as SQL reads it: what is not in quotes is in small letters. `None` where it is no name.
fn as_written(name: &str) -> Option<Vec<String>> {
    let (mut parts, mut rest) = (Vec::new(), name.trim());
    loop {
        let part;
        (part, rest) = match rest.strip_prefix('"') {
            Some(quoted) => in_quotes(quoted)?,
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                let (bare, rest) = rest.split_at(end);
                let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$');
                if !bare.chars().all(fits) {
                    return None;
                }
                (bare.to_lowercase(), rest)
            }
        };
        if part.is_empty() {
            return None;
        }
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(next) => rest = next,
            None => return rest.is_empty().then_some(parts),
        }
    }
}

/// What stands in quotes, `""` for one quote, and what follows it.
fn in_quotes(text: &str) -> Option<(String, &str)> {
    let (mut part, mut rest) = (String::new(), text);
    loop {
        let (before, after) = rest.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_sql_reads_them() {
        for (name, expect) in [
            ("Orders", Some(vec!["orders"])),
            ("public.orders", Some(vec!["public", "orders"])),
            (
                "\"My \"\"Shop\"\"\".\"a.b\"",
                Some(vec!["My \"Shop\"", "a.b"]),
            ),
            ("\"Orders\"", Some(vec!["Orders"])),
            ("x\"; DROP TABLE y; --", None),
            ("\"x\"; DROP TABLE y; --", None),
            ("a b", None),
            ("a.", None),
            (".a", None),
            ("\"a", None),
            ("\"\"", None),
            ("", None),
        ] {
            let expect =
                expect.map(|parts| parts.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(as_written(name), expect, "{name}");
        }
    }
}
