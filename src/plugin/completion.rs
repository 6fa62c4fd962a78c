//! Completion: what an argument of a prompt or a variable of a URI template may be, as far as it has been typed.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Serialize;

use crate::plugin::context::ToolContext;
use crate::plugin::failure::RequestError;
use crate::wire::json::Json;

/// The most values of one answer (MCP 2025-11-25, completion).
pub const MAX_VALUES: usize = 100;

/// Completes one argument: from what has been typed to the text of a `CompleteResult`.
pub(crate) type Completer =
    Arc<dyn Fn(String, Completing) -> BoxFuture<'static, Result<Json, RequestError>> + Send + Sync>;

/// What surrounds a completion.
#[derive(Debug, Clone)]
pub struct Completing {
    pub(crate) call: ToolContext,
    pub(crate) arguments: BTreeMap<String, String>,
}

/// What an argument may be. Values beyond the first [`MAX_VALUES`] are not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completion {
    values: Vec<String>,
    total: Option<u64>,
    has_more: Option<bool>,
}

/// Becomes the answer to a completion.
pub trait IntoCompletion {
    /// The values, or why there are none.
    fn into_completion(self) -> Result<Completion, RequestError>;
}

/// The completers of one prompt or template, by argument.
#[derive(Default)]
pub(crate) struct Completers(Vec<(String, Completer)>);

#[derive(Serialize)]
struct CompleteResult<'a> {
    completion: CompletionWords<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CompletionWords<'a> {
    values: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_more: Option<bool>,
}

impl Completing {
    /// What another argument was decided to be already, if the client says.
    pub fn argument(&self, name: &str) -> Option<&str> {
        self.arguments.get(name).map(String::as_str)
    }

    /// The call: who asks, the session, whether the answer is still wanted.
    pub fn call(&self) -> &ToolContext {
        &self.call
    }
}

impl Completion {
    /// All the values there are.
    pub fn of<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Self {
        Self {
            values: values.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Those of `candidates` that begin with what has been typed, whatever the case of its ASCII letters.
    pub fn starting_with<T: AsRef<str>>(
        typed: &str,
        candidates: impl IntoIterator<Item = T>,
    ) -> Self {
        let begins = |candidate: &T| {
            let head = candidate.as_ref().as_bytes().get(..typed.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(typed.as_bytes()))
        };
        let fitting = candidates.into_iter().filter(begins);
        Self::of(fitting.map(|candidate| candidate.as_ref().to_owned()))
    }

    /// How many values there are in all, where more are known than are here.
    #[must_use]
    pub fn total(mut self, total: u64) -> Self {
        self.total = Some(total);
        self
    }

    /// Whether there are more, where their number is not known.
    #[must_use]
    pub fn has_more(mut self, has_more: bool) -> Self {
        self.has_more = Some(has_more);
        self
    }

    /// The text of the result.
    pub(crate) fn to_result(&self) -> Json {
        let known = self.values.len();
        let is_cut = known > MAX_VALUES;
        Json::of(&CompleteResult {
            completion: CompletionWords {
                values: &self.values[..known.min(MAX_VALUES)],
                total: self.total.or(is_cut.then_some(known as u64)),
                has_more: if is_cut { Some(true) } else { self.has_more },
            },
        })
    }
}

impl IntoCompletion for Completion {
    fn into_completion(self) -> Result<Completion, RequestError> {
        Ok(self)
    }
}

impl<T: Into<String>> IntoCompletion for Vec<T> {
    fn into_completion(self) -> Result<Completion, RequestError> {
        Ok(Completion::of(self))
    }
}

impl<T: IntoCompletion> IntoCompletion for Result<T, RequestError> {
    fn into_completion(self) -> Result<Completion, RequestError> {
        self.and_then(IntoCompletion::into_completion)
    }
}

impl Completers {
    /// Adds one. A second one of the same argument takes its place.
    pub(crate) fn add<F, W>(&mut self, argument: String, complete: F)
    where
        F: Fn(String, Completing) -> W + Send + Sync + 'static,
        W: Future<Output: IntoCompletion> + Send + 'static,
    {
        let completer: Completer = Arc::new(move |value, context| {
            let work = complete(value, context);
            Box::pin(async move { Ok(work.await.into_completion()?.to_result()) })
        });
        self.0.retain(|(known, _)| *known != argument);
        self.0.push((argument, completer));
    }

    /// The one of `argument`.
    pub(crate) fn find(&self, argument: &str) -> Option<&Completer> {
        let mut all = self.0.iter();
        all.find(|(known, _)| known == argument)
            .map(|(_, completer)| completer)
    }

    /// Why they do not belong to something with these arguments, if so.
    pub(crate) fn misfit(&self, arguments: &[String]) -> Option<String> {
        let mut names = self.0.iter().map(|(name, _)| name);
        let stray = names.find(|name| !arguments.contains(name))?;
        Some(format!(
            "it completes `{stray}`, which is no argument of it"
        ))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(completion: impl IntoCompletion, expect: &str) {
        let completion = completion.into_completion().expect("values");
        assert_eq!(completion.to_result().as_str(), expect);
    }

    #[test]
    fn values_become_one_object() {
        check(vec!["a", "b"], r#"{"completion":{"values":["a","b"]}}"#);
        check(Vec::<String>::new(), r#"{"completion":{"values":[]}}"#);
        check(
            Ok::<_, RequestError>(Completion::of(["a"]).total(7).has_more(true)),
            r#"{"completion":{"values":["a"],"total":7,"hasMore":true}}"#,
        );
        check(
            Completion::starting_with("gÖ", ["göt", "GÖT", "Gö"]),
            r#"{"completion":{"values":["GÖT"]}}"#,
        );
    }

    #[test]
    fn at_most_a_hundred_values_are_sent_and_the_rest_is_counted() {
        let many = Completion::of((0..101).map(|number| number.to_string()));
        let text = many.to_result();
        let text = text.as_str();
        assert!(
            text.ends_with(r#""98","99"],"total":101,"hasMore":true}}"#),
            "{text}"
        );
    }
}
