//! What a plugin builds its prompts with.

mod arguments;

use std::sync::Arc;

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::plugin::completion::{Completers, Completing, IntoCompletion};
use crate::plugin::context::ToolContext;
use crate::plugin::failure::{RequestError, bad_arguments};
use crate::plugin::message::IntoPromptResult;
use crate::plugin::notifier::{Notifier, Teller};
use crate::plugin::wording::{Icon, Wording, Words};
use crate::wire::json::Json;

pub(crate) use arguments::Arguments;

/// Gives a prompt: from the text of the arguments to the text of a `GetPromptResult`.
pub(crate) type PromptHandler =
    Arc<dyn Fn(Json, ToolContext) -> BoxFuture<'static, Result<Json, RequestError>> + Send + Sync>;

/// The prompts of a plugin, in the order they were added.
#[derive(Default)]
pub struct Prompts {
    prompts: Vec<PromptOptions>,
    teller: Teller,
}

/// A prompt that has been added, and may be said more about.
pub struct PromptOptions {
    name: String,
    definition: Wording,
    arguments: Arguments,
    handler: PromptHandler,
    completers: Completers,
}

/// A prompt as a runtime takes it.
pub struct BuiltPrompt {
    /// Its name, or what stands for one where its definition has none.
    pub name: String,
    /// Its definition, or why it has none.
    pub definition: Result<Json, String>,
    pub(crate) arguments: Arguments,
    pub(crate) handler: PromptHandler,
    pub(crate) completers: Completers,
}

impl Prompts {
    /// Adds a prompt whose arguments are read into `A`: an object whose members are the arguments, described by their doc
    /// comments and required where they are in the type. Clients send texts; where a member is a number or a boolean, what
    /// is written in the text is taken. A prompt whose type is no object is not listed, and the gateway says why.
    pub fn add<A, F, W>(
        &mut self,
        name: impl Into<String>,
        description: impl Into<String>,
        handler: F,
    ) -> &mut PromptOptions
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        F: Fn(A, ToolContext) -> W + Send + Sync + 'static,
        W: Future<Output: IntoPromptResult> + Send + 'static,
    {
        let name = name.into();
        let handler = Arc::new(handler);
        let handler: PromptHandler = Arc::new(move |arguments: Json, context: ToolContext| {
            let handler = Arc::clone(&handler);
            Box::pin(async move {
                let arguments = arguments.parse().map_err(bad_arguments)?;
                handler(arguments, context).await.into_prompt_result()
            })
        });
        let described = Arguments::of::<A>();
        let described =
            described.map_err(|problem| format!("its arguments cannot be described: {problem}"));
        let (arguments, definition) = match described {
            Err(problem) => (Arguments::default(), Wording::Typed(Err(problem))),
            Ok((arguments, listed)) => {
                let definition = Wording::of(Words {
                    name: name.clone(),
                    description: Some(description.into()),
                    arguments: listed,
                    ..Words::default()
                });
                (arguments, definition)
            }
        };
        self.push(PromptOptions {
            name,
            definition,
            arguments,
            handler,
            completers: Completers::default(),
        })
    }

    /// Adds a prompt whose definition stays the text it is, a whole `Prompt` object; of the options only completion has an
    /// effect. The handler gets the arguments as the client sent them, an object; those that the definition requires are
    /// there.
    pub fn raw<F, W>(&mut self, definition: Json, handler: F) -> &mut PromptOptions
    where
        F: Fn(Json, ToolContext) -> W + Send + Sync + 'static,
        W: Future<Output: IntoPromptResult> + Send + 'static,
    {
        let name = Wording::raw_string(&definition, "name");
        self.push(PromptOptions {
            name: name.unwrap_or_else(|| "a prompt without a name".to_owned()),
            arguments: Arguments::named(&definition),
            definition: Wording::Raw(definition),
            handler: Arc::new(move |arguments, context| {
                let work = handler(arguments, context);
                Box::pin(async move { work.await.into_prompt_result() })
            }),
            completers: Completers::default(),
        })
    }

    /// The handle to tell clients that resources or lists have changed.
    pub fn notifier(&mut self) -> Notifier {
        self.teller.notifier()
    }

    pub(crate) fn told_by(notifier: &Notifier) -> Self {
        Self {
            teller: Teller::of(notifier),
            ..Self::default()
        }
    }

    /// Whether the plugin has taken the handle.
    pub(crate) fn tells(&self) -> bool {
        self.teller.is_taken()
    }

    /// The prompts, ready to be got.
    pub fn build(self) -> Vec<BuiltPrompt> {
        self.prompts.into_iter().map(PromptOptions::build).collect()
    }

    fn push(&mut self, prompt: PromptOptions) -> &mut PromptOptions {
        self.prompts.push(prompt);
        self.prompts.last_mut().expect("one was just added")
    }
}

impl PromptOptions {
    /// A name for people.
    pub fn title(&mut self, title: impl Into<String>) -> &mut Self {
        self.definition
            .word(|words| words.title = Some(title.into()));
        self
    }

    /// A picture that stands for it; each adds one.
    pub fn icon(&mut self, icon: Icon) -> &mut Self {
        self.definition.word(|words| words.icons.push(icon));
        self
    }

    /// A member of its `_meta`.
    pub fn meta(&mut self, key: impl Into<String>, value: impl Into<Value>) -> &mut Self {
        self.definition
            .word(|words| drop(words.meta.insert(key.into(), value.into())));
        self
    }

    /// Completes the argument of that name: `complete` gets what has been typed of it.
    pub fn complete<F, W>(&mut self, argument: impl Into<String>, complete: F) -> &mut Self
    where
        F: Fn(String, Completing) -> W + Send + Sync + 'static,
        W: Future<Output: IntoCompletion> + Send + 'static,
    {
        self.completers.add(argument.into(), complete);
        self
    }

    fn build(self) -> BuiltPrompt {
        let definition = self.definition.build();
        let misfit = self.completers.misfit(&self.arguments.names);
        BuiltPrompt {
            name: self.name,
            definition: definition.and_then(|text| misfit.map_or(Ok(text), Err)),
            arguments: self.arguments,
            handler: self.handler,
            completers: self.completers,
        }
    }
}

impl BuiltPrompt {
    /// Gets it outside of any gateway, for tests of prompts. The arguments are not checked against the schema before.
    pub fn get(
        &self,
        arguments: &Json,
        context: ToolContext,
    ) -> BoxFuture<'static, Result<Json, RequestError>> {
        (self.handler)(self.arguments.read(arguments), context)
    }
}

#[cfg(test)]
mod tests;
