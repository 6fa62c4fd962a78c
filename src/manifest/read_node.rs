//! serde's view of a document: a `Deserializer` whose errors know their path and never quote a value.

use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::manifest::document::{Entry, Node, Value};
use crate::manifest::problem::nearest;

/// What a hole reads as when a text is wanted; tried one after the other.
pub const HOLE_TEXTS: [&str; 5] = [
    "x",
    "http://localhost/",
    "in_process",
    "127.0.0.1:1",
    "0000000000000000000000000000000000000000000000000000000000000000",
];

/// Why a document does not fit its type.
#[derive(Debug)]
pub struct Fault {
    /// From the innermost step to the outermost.
    steps: Vec<String>,
    pub kind: FaultKind,
}

/// The kinds of mistakes that are mended differently.
#[derive(Debug)]
pub enum FaultKind {
    /// A key that the table does not have.
    UnknownKey {
        key: String,
        valid: &'static [&'static str],
    },
    /// A key of a free table that breaks the rule for its keys.
    BadKey(String, String),
    /// A key that must be there.
    Missing(&'static str),
    /// A value that does not fit.
    Wrong(String),
}

impl Fault {
    fn new(kind: FaultKind) -> Self {
        Self {
            steps: Vec::new(),
            kind,
        }
    }

    fn under(mut self, step: &str) -> Self {
        self.steps.push(step.to_owned());
        self
    }

    /// The path of the key or value at fault.
    pub fn path(&self) -> Vec<String> {
        let last = match &self.kind {
            FaultKind::UnknownKey { key, .. } | FaultKind::BadKey(key, _) => Some(key.clone()),
            FaultKind::Missing(key) => Some((*key).to_owned()),
            FaultKind::Wrong(_) => None,
        };
        self.steps.iter().rev().cloned().chain(last).collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(FaultKind::Wrong(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format!(
            "expected {}, found {}",
            expectation(expected),
            kind_of(&found)
        ))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let number = matches!(
            found,
            Unexpected::Signed(_) | Unexpected::Unsigned(_) | Unexpected::Float(_)
        );
        match (number, number_range(&expected.to_string())) {
            (true, Some(range)) => {
                Self::custom(format!("the number is out of range: {range} is expected"))
            }
            _ => Self::custom(format!("expected {}", expectation(expected))),
        }
    }

    fn invalid_length(length: usize, expected: &dyn de::Expected) -> Self {
        Self::custom(format!(
            "expected {}, found {length} of them",
            expectation(expected)
        ))
    }

    fn unknown_variant(word: &str, valid: &'static [&'static str]) -> Self {
        let quoted: Vec<_> = valid.iter().map(|word| format!("`{word}`")).collect();
        let mut message = format!("`{word}` is not one of {}", quoted.join(", "));
        if let Some(near) = nearest(word, valid.iter().copied()) {
            message.push_str(&format!("; did you mean `{near}`?"));
        }
        Self::custom(message)
    }

    fn unknown_field(key: &str, valid: &'static [&'static str]) -> Self {
        Self::new(FaultKind::UnknownKey {
            key: key.to_owned(),
            valid,
        })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(FaultKind::Missing(key))
    }
}

fn kind_of(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Str(_) | Unexpected::Char(_) => "a text",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a table",
        _ => "nothing",
    }
}

fn expectation(expected: &dyn de::Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "a string" | "str" | "string" => "a text".into(),
        "a boolean" | "bool" => "true or false".into(),
        "a sequence" => "a list".into(),
        "a map" => "a table".into(),
        "f64" | "f32" => "a number".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of 0 or more".into(),
        word if word.starts_with("struct ") => "a table".into(),
        word if word.starts_with("enum ") || word.starts_with("variant ") => "a text".into(),
        _ => text,
    }
}

fn number_range(name: &str) -> Option<String> {
    let range = |low: String, high: String| Some(format!("a whole number from {low} to {high}"));
    match name {
        "u8" => range("0".into(), u8::MAX.to_string()),
        "u16" => range("0".into(), u16::MAX.to_string()),
        "u32" => range("0".into(), u32::MAX.to_string()),
        "u64" | "usize" => range("0".into(), i64::MAX.to_string()),
        "i32" => range(i32::MIN.to_string(), i32::MAX.to_string()),
        "i64" => range(i64::MIN.to_string(), i64::MAX.to_string()),
        _ => None,
    }
}

macro_rules! holes_read_as {
    ($($method:ident: $visit:ident($value:expr);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.value {
                Value::Hole(_) => visitor.$visit($value),
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (_, _, Some(number)) => visitor.visit_f64(number),
                _ => Err(de::Error::custom("the number is out of range")),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visitor.visit_seq(Items {
                items: items.iter(),
                next: 0,
            }),
            Value::Table(table) => visitor.visit_map(Keys {
                entries: table.iter(),
                value: None,
            }),
            Value::Hole(turn) => visitor.visit_str(HOLE_TEXTS[*turn]),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null | Value::Hole(_) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value {
            // A list would be taken for the fields in their order.
            Value::Array(_) => Err(de::Error::invalid_type(Unexpected::Seq, &visitor)),
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.value {
            Value::String(word) => visitor.visit_enum(Word(word)),
            Value::Hole(_) => visitor.visit_enum(Word(words.first().copied().unwrap_or_default())),
            _ => self.deserialize_any(visitor),
        }
    }

    holes_read_as! {
        deserialize_bool: visit_bool(false);
        deserialize_u8: visit_u64(1);
        deserialize_u16: visit_u64(1);
        deserialize_u32: visit_u64(1);
        deserialize_u64: visit_u64(1);
        deserialize_i8: visit_u64(1);
        deserialize_i16: visit_u64(1);
        deserialize_i32: visit_u64(1);
        deserialize_i64: visit_u64(1);
        deserialize_f32: visit_f64(1.0);
        deserialize_f64: visit_f64(1.0);
        deserialize_seq: visit_seq(Items { items: [].iter(), next: 0 });
        deserialize_map: visit_map(Keys { entries: EMPTY.iter(), value: None });
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

static EMPTY: std::sync::LazyLock<crate::manifest::document::Table> =
    std::sync::LazyLock::new(Default::default);

struct Items<'de> {
    items: std::slice::Iter<'de, Node>,
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.items.next() else {
            return Ok(None);
        };
        let index = self.next;
        self.next += 1;
        seed.deserialize(item)
            .map(Some)
            .map_err(|fault| fault.under(&index.to_string()))
    }
}

struct Keys<'de> {
    entries: indexmap::map::Iter<'de, String, Entry>,
    value: Option<(&'de str, &'de Node)>,
}

impl<'de> MapAccess<'de> for Keys<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((key, entry)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some((key, &entry.node));
        let read = seed.deserialize(IntoDeserializer::<Fault>::into_deserializer(key.as_str()));
        read.map(Some).map_err(|fault| match fault.kind {
            FaultKind::Wrong(message) => Fault::new(FaultKind::BadKey(key.clone(), message)),
            _ => fault,
        })
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let (key, node) = self
            .value
            .take()
            .ok_or_else(|| Fault::new(FaultKind::Wrong("a value without a key".into())))?;
        seed.deserialize(node).map_err(|fault| fault.under(key))
    }
}

/// A text that names a variant without content.
struct Word<'de>(&'de str);

impl<'de> EnumAccess<'de> for Word<'de> {
    type Error = Fault;
    type Variant = Unit;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Unit), Fault> {
        let variant = seed.deserialize(IntoDeserializer::<Fault>::into_deserializer(self.0))?;
        Ok((variant, Unit))
    }
}

struct Unit;

impl<'de> de::VariantAccess<'de> for Unit {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Fault> {
        Err(de::Error::custom("this word needs a value"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(de::Error::custom("this word needs values"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fault> {
        Err(de::Error::custom("this word needs values"))
    }
}
