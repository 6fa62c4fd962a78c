//! The members of one JSON object, in order, with values that stay the text they came in.

use std::borrow::Cow;

use bytes::Bytes;

use crate::wire::json::{Index, Json, Member, Slot};

/// An object taken apart one level deep. Writing it gives the members in the order they came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members(Vec<(Bytes, Json)>);

impl Members {
    /// Takes `json` apart; `None` when it is not an object.
    pub fn of(json: &Json) -> Option<Self> {
        json.is_object()
            .then(|| Self::under(json.bytes(), &json.members(), Index::ROOT))
    }

    /// The members noted under `parent`.
    pub(crate) fn under(text: &Bytes, index: &Index, parent: u32) -> Self {
        let of_parent = || {
            index
                .members
                .iter()
                .filter(|member| member.parent == parent)
        };
        let mut members = Vec::with_capacity(of_parent().count());
        members.extend(
            of_parent().map(|member| (key_of(text, member.key), Json::part(text, member.value))),
        );
        Self(members)
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.0
            .iter()
            .find(|(name, _)| name == key.as_bytes())
            .map(|(_, value)| value)
    }

    /// The value of `key` where that is a string.
    pub fn string(&self, key: &str) -> Option<Cow<'_, str>> {
        self.get(key).and_then(Json::string)
    }

    /// Puts `value` in the place of the member `key`, or at the end.
    pub fn set(&mut self, key: &'static str, value: Json) {
        match self.0.iter_mut().find(|(name, _)| name == key.as_bytes()) {
            Some((_, place)) => *place = value,
            None => self.0.push((Bytes::from_static(key.as_bytes()), value)),
        }
    }

    /// Puts `value` in the place of the member `key`, if it is there.
    pub fn replace(&mut self, key: &str, value: Json) {
        let mut members = self.0.iter_mut();
        if let Some((_, place)) = members.find(|(name, _)| name == key.as_bytes()) {
            *place = value;
        }
    }

    /// Adds the members of `others` at the end, except those whose keys are there.
    pub fn append(&mut self, others: &Self) {
        for (name, value) in &others.0 {
            if !self.0.iter().any(|(known, _)| known == name) {
                self.0.push((name.clone(), value.clone()));
            }
        }
    }

    /// Takes the member `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Json> {
        let at = self.0.iter().position(|(name, _)| name == key.as_bytes())?;
        Some(self.0.remove(at).1)
    }

    /// Keeps the members whose key (as it is written in the text) fits.
    pub fn retain(&mut self, mut fits: impl FnMut(&[u8]) -> bool) {
        self.0.retain(|(name, _)| fits(name));
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members in order; keys as they are written between their quotes.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Json)> {
        self.0.iter().map(|(name, value)| (&name[..], value))
    }

    /// The members in order, to be kept without copying their texts.
    pub fn shared(&self) -> impl Iterator<Item = (&Bytes, &Json)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Writes the object.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_with(out, |_, value, out| out.extend_from_slice(value.bytes()));
    }

    /// Writes the object, each value by `write_value`.
    pub(crate) fn write_with(
        &self,
        out: &mut Vec<u8>,
        write_value: impl Fn(&[u8], &Json, &mut Vec<u8>),
    ) {
        out.push(b'{');
        for (at, (name, value)) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.push(b'"');
            out.extend_from_slice(name);
            out.extend_from_slice(b"\":");
            write_value(name, value, out);
        }
        out.push(b'}');
    }

    /// The object as text.
    pub fn to_json(&self) -> Json {
        let mut out = Vec::with_capacity(
            64 + self
                .0
                .iter()
                .map(|(name, value)| name.len() + value.bytes().len() + 4)
                .sum::<usize>(),
        );
        self.write(&mut out);
        Json::assembled(out)
    }
}

/// The text of a key, written in the one way we write it, so that every reader takes it for the same name.
fn key_of(text: &Bytes, key: Slot) -> Bytes {
    let raw = text.slice(key.start as usize..key.end as usize);
    if !raw.contains(&b'\\') {
        return raw;
    }
    let mut quoted = Vec::with_capacity(raw.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(&raw);
    quoted.push(b'"');
    let name: String = serde_json::from_slice(&quoted).expect("a scanned key has sound escapes");
    let written = Json::of(&name);
    written.bytes().slice(1..written.bytes().len() - 1)
}

/// The name of a member, its escapes resolved.
pub(crate) fn name_of<'a>(text: &'a Bytes, member: &Member) -> Cow<'a, [u8]> {
    let raw = member.key.of(text);
    if raw.contains(&b'\\') {
        Cow::Owned(key_of(text, member.key).to_vec())
    } else {
        Cow::Borrowed(raw)
    }
}

/// The number of the member `key` under `parent`.
pub(crate) fn position(text: &Bytes, index: &Index, parent: u32, key: &str) -> Option<u32> {
    let same =
        |member: &Member| member.parent == parent && *name_of(text, member) == *key.as_bytes();
    index.members.iter().position(same).map(|at| at as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &'static str) -> Members {
        Members::of(&Json::literal(text)).expect("an object")
    }

    #[test]
    fn order_and_texts_survive() {
        let m = members(r#"{ "z": 12345678901234567890123456789, "a" : {"y":1,  "x":[1 , 2]} }"#);
        assert_eq!(
            m.to_json().as_str(),
            r#"{"z":12345678901234567890123456789,"a":{"y":1,  "x":[1 , 2]}}"#
        );
    }

    #[test]
    fn a_key_is_found_however_it_is_escaped() {
        let m = members(r#"{"n\u0061me":"x\n"}"#);
        assert_eq!(m.string("name").as_deref(), Some("x\n"));
        assert_eq!(m.to_json().as_str(), r#"{"name":"x\n"}"#);
    }

    #[test]
    fn members_are_set_in_place_and_removed() {
        let mut m = members(r#"{"a":1,"b":2}"#);
        m.set("a", Json::literal("3"));
        m.set("c", Json::literal("4"));
        m.remove("b");
        assert_eq!(m.to_json().as_str(), r#"{"a":3,"c":4}"#);
    }
}
