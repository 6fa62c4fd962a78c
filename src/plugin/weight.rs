//! What one call would do, said before it is made: by tools whose calls differ in that.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Serialize;

use crate::plugin::ToolError;
use crate::wire::json::Json;

/// What one call would do, as far as its tool says that beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weight {
    /// It looks, and changes nothing; as things are, there may be nothing to change.
    Looks,
    /// It changes something.
    Changes(Change),
    /// It is not going to be made, for this reason.
    Refused(ToolError),
}

/// What a call would change. Two of them are equal where a yes to one is a yes to the other.
#[derive(Debug, Clone)]
pub struct Change {
    effect: String,
    /// What is agreed to, where that is not the words themselves.
    identity: Option<Json>,
}

/// Weighs a call by its arguments, and by what it finds out. Changes nothing.
pub(crate) type Weigh = Arc<dyn Fn(Json) -> BoxFuture<'static, Weight> + Send + Sync>;

impl Weight {
    /// What the call must do if it is made: `null` for nothing. `None` where the arguments say all of it.
    pub(crate) fn pin(&self) -> Option<Json> {
        match self {
            Self::Looks => Some(Json::literal("null")),
            Self::Changes(change) => change.identity.clone(),
            Self::Refused(_) => None,
        }
    }
}

impl Change {
    /// A change that these words say: ``runs `..` ``. A yes is to the words.
    pub fn new(effect: impl Into<String>) -> Self {
        Self {
            effect: effect.into(),
            identity: None,
        }
    }

    /// Says what the yes is to instead, so that the words may tell what goes on changing, such as times. The call finds it
    /// again by [`ToolContext::hold_to`](crate::plugin::ToolContext).
    #[must_use]
    pub fn of<T: Serialize + ?Sized>(mut self, identity: &T) -> Self {
        self.identity = Some(Json::of(identity));
        self
    }

    /// The words.
    pub fn effect(&self) -> &str {
        &self.effect
    }

    /// What a yes is to, under its name.
    pub(crate) fn agreed(&self) -> (&'static str, Json) {
        match &self.identity {
            Some(identity) => ("identity", identity.clone()),
            None => ("effect", Json::of(&self.effect)),
        }
    }
}

impl PartialEq for Change {
    fn eq(&self, other: &Self) -> bool {
        self.agreed() == other.agreed()
    }
}

impl Eq for Change {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_is_to_the_words_or_to_what_they_are_about() {
        let words = |words: &str| Weight::Changes(Change::new(words));
        assert_eq!(words("runs `a`"), words("runs `a`"));
        assert_ne!(words("runs `a`"), words("runs `b`"));
        let about = |words: &str, pid: i32| Weight::Changes(Change::new(words).of(&pid));
        assert_eq!(about("for 1 s", 7), about("for 2 s", 7));
        assert_ne!(about("for 1 s", 7), about("for 1 s", 8));
        assert_ne!(about("for 1 s", 7), words("for 1 s"));
        assert_eq!(about("for 1 s", 7).pin(), Some(Json::literal("7")));
        assert_eq!(words("runs `a`").pin(), None);
        assert_eq!(Weight::Looks.pin(), Some(Json::literal("null")));
    }
}
