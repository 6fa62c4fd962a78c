//! The defaults that a schema gives for members of an object, to be filled in where they are missing.
//!
//! What is there stays the text it is, and so do the defaults: numbers are not read. A default of `null` says nothing.

use crate::wire::json::Json;
use crate::wire::members::Members;

/// How deep objects in objects are looked into.
const MAX_DEPTH: usize = 8;

/// The defaults of one object, and of objects in it.
#[derive(Debug, Default)]
pub struct Defaults {
    /// Of its own members.
    own: Members,
    /// Of the members that are objects, by name.
    nested: Vec<(Box<str>, Self)>,
}

impl Defaults {
    /// The defaults in a schema, if there are any.
    pub fn of(schema: &Json) -> Option<Self> {
        memchr::memmem::find(schema.bytes(), b"\"default\"")?;
        let root = Members::of(schema)?;
        let definitions = root.get("$defs").and_then(Members::of).unwrap_or_default();
        Self::within(&root, &definitions, 0)
    }

    fn within(schema: &Members, definitions: &Members, depth: usize) -> Option<Self> {
        let properties = schema.get("properties").and_then(Members::of)?;
        let mut found = Self::default();
        let mut own = vec![b'{'];
        for (name, property) in properties.iter() {
            let Some(property) = Members::of(property) else {
                continue;
            };
            if let Some(default) = property.get("default").filter(|default| !default.is_null()) {
                if own.len() > 1 {
                    own.push(b',');
                }
                own.push(b'"');
                own.extend_from_slice(name);
                own.extend_from_slice(b"\":");
                own.extend_from_slice(default.bytes());
            }
            let referred = property
                .string("$ref")
                .and_then(|path| Members::of(definitions.get(path.strip_prefix("#/$defs/")?)?));
            let property = referred.as_ref().unwrap_or(&property);
            let name = std::str::from_utf8(name).ok();
            if depth < MAX_DEPTH
                && let Some(name) = name
                && let Some(nested) = Self::within(property, definitions, depth + 1)
            {
                found.nested.push((name.into(), nested));
            }
        }
        own.push(b'}');
        found.own = Members::of(&Json::assembled(own)).unwrap_or_default();
        (!found.own.is_empty() || !found.nested.is_empty()).then_some(found)
    }

    /// The object with what is missing in it, at the end of each object; `None` where nothing is.
    pub fn fill(&self, object: &Json) -> Option<Json> {
        let mut members = Members::of(object)?;
        let mut is_changed = false;
        for (name, nested) in &self.nested {
            let filled = members.get(name).and_then(|value| nested.fill(value));
            if let Some(filled) = filled {
                members.replace(name, filled);
                is_changed = true;
            }
        }
        let is_there = |name: &[u8]| members.iter().any(|(known, _)| known == name);
        if !self.own.iter().all(|(name, _)| is_there(name)) {
            members.append(&self.own);
            is_changed = true;
        }
        is_changed.then(|| members.to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &'static str, object: &'static str, expect: Option<&str>) {
        let defaults = Defaults::of(&Json::literal(schema));
        let filled = defaults.and_then(|defaults| defaults.fill(&Json::literal(object)));
        assert_eq!(filled.as_ref().map(Json::as_str), expect, "{object}");
    }

    #[test]
    fn what_is_missing_is_filled_in_and_nothing_else_is_touched() {
        let schema = r##"{"type":"object","properties":{
            "namespace":{"type":"string","default":"default"},
            "count":{"default":12345678901234567890123},
            "none":{"default":null},
            "where":{"type":"object","properties":{"zone":{"default":[ 1 ]}}},
            "how":{"$ref":"#/$defs/how"}},
            "$defs":{"how":{"properties":{"fast":{"default":true}}}}}"##;
        check(
            schema,
            "{}",
            Some(r#"{"namespace":"default","count":12345678901234567890123}"#),
        );
        check(schema, r#"{"count" : 1.50, "namespace":null}"#, None);
        check(
            schema,
            r#"{"z":1.50,"where":{ },"how":{"a":1},"count":1,"namespace":"\u0061"}"#,
            Some(
                r#"{"z":1.50,"where":{"zone":[ 1 ]},"how":{"a":1,"fast":true},"count":1,"namespace":"\u0061"}"#,
            ),
        );
        check(schema, r#"{"where":7,"count":1,"namespace":""}"#, None);
        check(r#"{"type":"object","properties":{"a":{}}}"#, "{}", None);
    }

    #[test]
    fn a_schema_that_holds_itself_has_an_end() {
        let schema = r##"{"properties":{"next":{"$ref":"#/$defs/node"}},
            "$defs":{"node":{"properties":{"v":{"default":1},"next":{"$ref":"#/$defs/node"}}}}}"##;
        check(
            schema,
            r#"{"next":{"v":2,"next":{}}}"#,
            Some(r#"{"next":{"v":2,"next":{"v":1}}}"#),
        );
    }
}
