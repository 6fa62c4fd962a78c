//! One request about a prompt, a resource or a completion in this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::model::answer::Answer;
use crate::model::fault::{Fault, FaultKind};
use crate::plugin::{
    Completers, Completing, Completion, RequestError, ToolContext, bad_argument, no_resource,
};
use crate::runtime::in_process::call::{guarded, surroundings};
use crate::runtime::in_process::hooks::Life;
use crate::runtime::in_process::offer::Offer;
use crate::runtime::own_thread::panic_text;
use crate::runtime::{CallContext, Request};
use crate::wire::error::{INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, RpcError};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::Params;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// One request, ready to run where its plugin runs.
pub(super) struct Ask {
    life: Arc<Life>,
    about: About,
    pub(super) context: ToolContext,
}

/// What is asked.
struct About {
    /// What it is about, for people.
    subject: String,
    work: Work,
}

type Work = Box<dyn FnOnce(ToolContext) -> BoxFuture<'static, Result<Json, RequestError>> + Send>;

impl Ask {
    /// Finds what is asked for; the error is the answer where there is nothing to run.
    pub(super) fn new(
        life: &Arc<Life>,
        offer: &Offer,
        request: Request,
        context: &CallContext,
    ) -> Result<Self, RpcError> {
        let params = &request.params;
        let about = match request.method {
            Method::PromptsGet => prompt(offer, params),
            Method::ResourcesRead => resource(offer, params),
            Method::Complete => completion(offer, params),
            other => {
                let message = format!("plugin `{}` has no method `{other}`", life.id);
                Err(RpcError::new(METHOD_NOT_FOUND, message))
            }
        }?;
        Ok(Self {
            life: Arc::clone(life),
            about,
            context: surroundings(life, request.params.meta, context),
        })
    }

    /// Carries it out. A panic is an answer of the plugin, like any other failure of it.
    pub(super) async fn run(self) -> Result<Answer, Fault> {
        let Self {
            life,
            about: About { subject, work },
            context,
        } = self;
        match guarded(|| work(context)).await {
            Ok(Ok(result)) if result.is_object() => Ok(Answer::result(result, Era::Legacy)),
            Ok(Ok(_)) => {
                let message = format!("{subject} gave a result that is no object");
                Err(Fault::new(FaultKind::Broken, message))
            }
            Ok(Err(error)) => Ok(Answer::error(error.into_rpc(), Era::Legacy)),
            Err(panic) => {
                let why = panic_text(&*panic);
                let message = format!("{subject} panicked");
                let fault = Fault::new(FaultKind::Broken, message.clone())
                    .because("panic")
                    .caused_by(why.as_str());
                let handled = life.tell(&fault).await;
                tracing::warn!(plugin.id = %life.id, handled, "In `{}` {message}: {why}", life.id);
                let error = RpcError::new(INTERNAL_ERROR, message);
                Ok(Answer::error(error, Era::Legacy))
            }
        }
    }
}

/// Getting a prompt: the arguments must fit what its type takes.
fn prompt(offer: &Offer, params: &Params) -> Result<About, RpcError> {
    let name = params.members.string("name").unwrap_or_default();
    let Some(prompt) = offer.prompts.get(&*name) else {
        return Err(unknown("prompt", &name));
    };
    let given = params.members.get("arguments").cloned();
    let given = given.unwrap_or_else(|| Json::literal("{}"));
    let arguments = prompt.arguments.read(&given);
    let members = Members::of(&arguments).unwrap_or_default();
    if let Some(missing) = prompt.arguments.missing(&members) {
        return Err(bad_argument(missing, "is missing"));
    }
    if let Some(stray) = prompt.arguments.stray(&members) {
        return Err(bad_argument(&stray, "there is no such argument"));
    }
    if let Some(schema) = &prompt.schema {
        schema.check(&arguments).map_err(|violation| {
            let place = violation.pointer.trim_start_matches('/');
            bad_argument(place, violation.message)
        })?;
    }
    let handler = Arc::clone(&prompt.handler);
    Ok(About {
        subject: format!("the prompt `{name}`"),
        work: Box::new(move |context| handler(arguments, context)),
    })
}

fn resource(offer: &Offer, params: &Params) -> Result<About, RpcError> {
    let uri = params.members.string("uri").unwrap_or_default();
    let Some((resource, request)) = offer.resource(&uri) else {
        return Err(no_resource(&uri));
    };
    let reader = Arc::clone(&resource.reader);
    Ok(About {
        subject: format!("the resource `{uri}`"),
        work: Box::new(move |context| reader(request, context)),
    })
}

/// Completing an argument. One that is there and has no completer may be anything.
fn completion(offer: &Offer, params: &Params) -> Result<About, RpcError> {
    let object = |key: &str| params.members.get(key).and_then(Members::of);
    let reference = object("ref").unwrap_or_default();
    let name = reference.string("name").or(reference.string("uri"));
    let name = name.unwrap_or_default();
    let (noun, found) = match reference.string("type").as_deref() {
        Some("ref/prompt") => ("prompt", completed_prompt(offer, &name)),
        _ => ("resource template", completed_template(offer, &name)),
    };
    let (known, completers) = found.ok_or_else(|| unknown(noun, &name))?;
    let argument = object("argument").unwrap_or_default();
    let Some((wanted, typed)) = argument.string("name").zip(argument.string("value")) else {
        let message = "Invalid params: `/params/argument` must have the strings `name` and `value`";
        return Err(RpcError::new(INVALID_PARAMS, message));
    };
    if !known.iter().any(|name| *name == *wanted) {
        let message =
            format!("Invalid params: `/params/argument/name`: the {noun} has no `{wanted}`");
        return Err(RpcError::new(INVALID_PARAMS, message));
    }
    let (completer, typed) = (completers.find(&wanted).cloned(), typed.into_owned());
    let arguments = decided(params);
    Ok(About {
        subject: format!("the completion of `{wanted}`"),
        work: match completer {
            None => Box::new(|_| {
                let nothing = Completion::default().to_result();
                Box::pin(std::future::ready(Ok(nothing)))
            }),
            Some(completer) => {
                Box::new(move |call| completer(typed, Completing { call, arguments }))
            }
        },
    })
}

type Completed<'a> = Option<(&'a [String], &'a Completers)>;

fn completed_prompt<'a>(offer: &'a Offer, name: &str) -> Completed<'a> {
    let prompt = offer.prompts.get(name)?;
    Some((&prompt.arguments.names, &prompt.completers))
}

fn completed_template<'a>(offer: &'a Offer, template: &str) -> Completed<'a> {
    let resource = offer.template(template)?;
    Some((&resource.variables, &resource.completers))
}

/// The arguments that are decided already. What is no text is left out.
fn decided(params: &Params) -> BTreeMap<String, String> {
    let context = params.members.get("context").and_then(Members::of);
    let arguments = context.and_then(|context| context.get("arguments").cloned());
    let arguments = arguments.and_then(|known| known.parse::<BTreeMap<String, Json>>().ok());
    let texts = arguments.into_iter().flatten();
    let texts = texts.filter_map(|(name, value)| Some((name, value.string()?.into_owned())));
    texts.collect()
}

fn unknown(noun: &str, name: &str) -> RpcError {
    RpcError::new(INVALID_PARAMS, format!("Unknown {noun}: {name}"))
}
