//! What a plugin builds its tools with.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::model::category::Category;
pub use crate::model::risk::Risk;
use crate::plugin::context::ToolContext;
use crate::plugin::failure::ToolError;
use crate::plugin::notifier::{Notifier, Teller};
use crate::plugin::result::IntoToolResult;
use crate::plugin::schema::{Direction, object_schema};
use crate::plugin::weight::{Weigh, Weight};
use crate::wire::json::Json;

/// Carries out one call: from the text of the arguments to the text of a `CallToolResult`.
pub(crate) type Handler =
    Arc<dyn Fn(Json, ToolContext) -> BoxFuture<'static, Result<Json, ToolError>> + Send + Sync>;

/// The key of a definition's `_meta` that holds its [`Category`].
const CATEGORY: &str = "toolgate/category";

/// The key of a definition's `_meta` that holds how long a call may take, in milliseconds.
const TIMEOUT_MS: &str = "toolgate/timeout_ms";

/// The keys that say how much harm a call can do, what it touches, and that a person must agree to it.
const RISK: &str = "toolgate/risk";
const BLAST_RADIUS: &str = "toolgate/blast_radius";
const REQUIRES_APPROVAL: &str = "toolgate/requires_approval";

/// The tools of a plugin, in the order they were added.
#[derive(Default)]
pub struct Tools {
    tools: Vec<ToolOptions>,
    teller: Teller,
}

/// A tool that takes no arguments takes these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}

/// What clients may assume of a tool (MCP 2025-11-25, `ToolAnnotations`). `None` says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Annotations {
    /// It changes nothing.
    #[serde(rename = "readOnlyHint", skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// What it changes may be lost.
    #[serde(rename = "destructiveHint", skip_serializing_if = "Option::is_none")]
    pub destructive: Option<bool>,
    /// Calling it again with the same arguments changes nothing more.
    #[serde(rename = "idempotentHint", skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    /// It reaches things outside of this machine.
    #[serde(rename = "openWorldHint", skip_serializing_if = "Option::is_none")]
    pub open_world: Option<bool>,
}

/// A tool that has been added, and may be said more about.
pub struct ToolOptions {
    name: String,
    definition: Wording,
    handler: Handler,
    timeout: Option<Duration>,
    weigh: Option<Weigh>,
}

/// How a tool is defined.
enum Wording {
    /// By its author, to the letter.
    Raw(Json),
    /// By us, from types and options.
    Typed(Box<Result<Typed, String>>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    description: String,
    input_schema: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Annotations>,
    #[serde(rename = "_meta", skip_serializing_if = "Map::is_empty")]
    meta: Map<String, Value>,
}

/// A tool as a runtime takes it.
pub struct BuiltTool {
    /// Its name, or what stands for one where its definition has none.
    pub name: String,
    /// Its definition, or why it has none.
    pub definition: Result<Json, String>,
    pub(crate) handler: Handler,
    pub(crate) timeout: Option<Duration>,
    pub(crate) weigh: Option<Weigh>,
}

impl Tools {
    /// Adds a tool whose arguments are read into `A`. The schemas come from the types: `A` must be an object there, and
    /// so must what a [`Structured`](crate::plugin::Structured) result holds; a tool where that is not so is not listed,
    /// and the gateway says why.
    pub fn add<A, F, W>(
        &mut self,
        name: impl Into<String>,
        description: impl Into<String>,
        handler: F,
    ) -> &mut ToolOptions
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        F: Fn(A, ToolContext) -> W + Send + Sync + 'static,
        W: Future<Output: IntoToolResult> + Send + 'static,
    {
        let name = name.into();
        let handler = Arc::new(handler);
        let handler: Handler = Arc::new(move |arguments: Json, context: ToolContext| {
            let handler = Arc::clone(&handler);
            Box::pin(async move {
                let arguments = arguments.parse().map_err(|err| {
                    ToolError::new(format!("the arguments do not fit the tool: {err}"))
                })?;
                handler(arguments, context).await.into_tool_result()
            })
        });
        let definition = Typed::of::<A, W::Output>(name.clone(), description.into());
        self.push(ToolOptions {
            name,
            definition: Wording::Typed(Box::new(definition)),
            handler,
            timeout: None,
            weigh: None,
        })
    }

    /// Adds a tool whose definition, arguments and results stay the texts they are: `definition` is a whole `Tool`
    /// object, the handler's answer a whole and complete `CallToolResult` object, without a `resultType`. No option changes
    /// a byte of the definition.
    pub fn raw<F, W>(&mut self, definition: Json, handler: F) -> &mut ToolOptions
    where
        F: Fn(Json, ToolContext) -> W + Send + Sync + 'static,
        W: Future<Output = Result<Json, ToolError>> + Send + 'static,
    {
        let name = crate::wire::members::Members::of(&definition)
            .and_then(|members| members.string("name").map(|name| name.into_owned()))
            .unwrap_or_else(|| "a tool without a name".to_owned());
        self.push(ToolOptions {
            name,
            definition: Wording::Raw(definition),
            handler: Arc::new(move |arguments, context| Box::pin(handler(arguments, context))),
            timeout: None,
            weigh: None,
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

    /// The tools, ready to be called.
    pub fn build(self) -> Vec<BuiltTool> {
        self.tools.into_iter().map(ToolOptions::build).collect()
    }

    fn push(&mut self, tool: ToolOptions) -> &mut ToolOptions {
        self.tools.push(tool);
        self.tools.last_mut().expect("one was just added")
    }
}

impl Typed {
    fn of<A: JsonSchema, R: IntoToolResult>(
        name: String,
        description: String,
    ) -> Result<Self, String> {
        let input_schema = object_schema::<A>(Direction::In)
            .map_err(|problem| format!("its arguments cannot be described: {problem}"))?;
        let output_schema = R::output_schema()
            .map_err(|problem| format!("its result cannot be described: {problem}"))?;
        Ok(Self {
            name,
            title: None,
            description,
            input_schema,
            output_schema,
            annotations: None,
            meta: Map::new(),
        })
    }
}

impl ToolOptions {
    /// A name for people.
    pub fn title(&mut self, title: impl Into<String>) -> &mut Self {
        self.word(|typed| typed.title = Some(title.into()))
    }

    /// What clients may assume of it.
    pub fn annotations(&mut self, annotations: Annotations) -> &mut Self {
        self.word(|typed| typed.annotations = Some(annotations))
    }

    /// Says that it changes nothing and reaches nothing outside.
    pub fn read_only(&mut self) -> &mut Self {
        self.annotations(Annotations {
            read_only: Some(true),
            open_world: Some(false),
            ..Annotations::default()
        })
    }

    /// What kind of work it does; stands in the definition's `_meta` as `toolgate/category`.
    pub fn category(&mut self, category: Category) -> &mut Self {
        self.word(|typed| {
            let word = category.as_str().into();
            typed.meta.insert(CATEGORY.to_owned(), word);
        })
    }

    /// Says that it changes something: the category, and the annotations that say so to clients.
    pub fn remediation(&mut self) -> &mut Self {
        self.category(Category::Remediation).word(|typed| {
            let annotations = typed.annotations.get_or_insert_default();
            annotations.read_only = Some(false);
            annotations.destructive.get_or_insert(true);
        })
    }

    /// How much harm a call can do; stands in the definition's `_meta` as `toolgate/risk`.
    pub fn risk(&mut self, risk: Risk) -> &mut Self {
        self.word(|typed| drop(typed.meta.insert(RISK.to_owned(), risk.as_str().into())))
    }

    /// What a call touches, in words for who must agree to it; stands in the definition's `_meta` as
    /// `toolgate/blast_radius`.
    pub fn touches(&mut self, what: impl Into<String>) -> &mut Self {
        let what = what.into();
        self.word(|typed| drop(typed.meta.insert(BLAST_RADIUS.to_owned(), what.into())))
    }

    /// A person must agree to each call; stands in the definition's `_meta` as `toolgate/requires_approval`.
    pub fn requires_approval(&mut self) -> &mut Self {
        self.word(|typed| drop(typed.meta.insert(REQUIRES_APPROVAL.to_owned(), true.into())))
    }

    /// How long a call may take, at the most; stands in the definition's `_meta` as `toolgate/timeout_ms`. The
    /// gateway's own limits stay.
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.timeout = Some(timeout);
        let ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        self.word(|typed| drop(typed.meta.insert(TIMEOUT_MS.to_owned(), ms.into())))
    }

    /// Says beforehand what a call would do that a person may have to agree to; it may find that out, within the call's
    /// deadline and ten seconds. One that only looks needs no approval then, unless the operator wants one; who is asked is
    /// told what the call would do; one that is refused is not made.
    pub(crate) fn weigh<W>(
        &mut self,
        weigh: impl Fn(Json) -> W + Send + Sync + 'static,
    ) -> &mut Self
    where
        W: Future<Output = Weight> + Send + 'static,
    {
        self.weigh = Some(Arc::new(move |arguments| Box::pin(weigh(arguments))));
        self
    }

    /// Says something more of one argument than its type does: a keyword of its schema, such as `maximum`.
    pub(crate) fn argument(&mut self, name: &str, keyword: &str, value: Value) -> &mut Self {
        self.word(|typed| {
            let arguments = typed.input_schema.get_mut("properties");
            let argument = arguments.and_then(|arguments| arguments.get_mut(name));
            if let Some(argument) = argument.and_then(Value::as_object_mut) {
                argument.insert(keyword.to_owned(), value);
            }
        })
    }

    fn word(&mut self, change: impl FnOnce(&mut Typed)) -> &mut Self {
        if let Wording::Typed(typed) = &mut self.definition
            && let Ok(typed) = typed.as_mut()
        {
            change(typed);
        }
        self
    }

    fn build(self) -> BuiltTool {
        let definition = match self.definition {
            Wording::Raw(text) => Ok(text),
            Wording::Typed(typed) => typed.map(|typed| Json::of(&typed)),
        };
        BuiltTool {
            name: self.name,
            definition,
            handler: self.handler,
            timeout: self.timeout,
            weigh: self.weigh,
        }
    }
}

impl BuiltTool {
    /// Calls it outside of any gateway, for tests of tools.
    pub fn call(
        &self,
        arguments: Json,
        context: ToolContext,
    ) -> BoxFuture<'static, Result<Json, ToolError>> {
        (self.handler)(arguments, context)
    }
}

#[cfg(test)]
mod tests;
