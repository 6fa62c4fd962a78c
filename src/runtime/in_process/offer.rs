//! What a plugin in this process offers: what is listed, and what is run.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::manifest::limits::Limits;
use crate::plugin::routes::Routes;
use crate::plugin::{
    Arguments, BuiltPrompt, BuiltResource, BuiltTool, Completers, Place, PromptHandler,
    ResourceRequest,
};
use crate::runtime::in_process::call::Tool;
use crate::runtime::in_process::hooks::Offers;
use crate::runtime::{Listing, Surface};
use crate::schema::Schema;
use crate::wire::json::Json;
use crate::wire::list::ListKind;

/// All of it at one moment. Requests keep what they have found, whatever happens meanwhile.
#[derive(Default)]
pub(super) struct Offer {
    pub(super) tools: HashMap<Arc<str>, Arc<Tool>>,
    pub(super) prompts: HashMap<Arc<str>, Prompt>,
    /// By URI, and the templates in their order.
    resources: HashMap<Arc<str>, BuiltResource>,
    templates: Vec<BuiltResource>,
    pub(super) surface: Arc<Surface>,
    pub(super) routes: Option<Routes>,
    /// Whether the plugin can tell that a resource has changed.
    pub(super) tells: bool,
}

/// A prompt that can be got.
pub(super) struct Prompt {
    pub(super) arguments: Arguments,
    /// What its arguments must fit.
    pub(super) schema: Option<Schema>,
    pub(super) handler: PromptHandler,
    pub(super) completers: Completers,
}

/// The lists while they are made.
struct Lists<'a> {
    lists: [Listing; 4],
    limits: &'a Limits,
}

impl Offer {
    /// What is listed and can be called, and what was left out. Lists that are as in `before` stay the same ones.
    pub(super) fn new(offers: Offers, limits: &Limits, before: &Surface) -> Self {
        let mut lists = Lists {
            lists: Default::default(),
            limits,
        };
        let said = capabilities(&offers);
        let mut offer = Self {
            tells: offers.tells.any(),
            routes: offers.routes.clone(),
            ..Self::default()
        };
        for tool in offers.tools {
            offer.take_tool(tool, &mut lists);
        }
        for prompt in offers.prompts {
            offer.take_prompt(prompt, &mut lists);
        }
        for resource in offers.resources {
            offer.take_resource(resource, &mut lists);
        }
        let mut surface = Surface {
            capabilities: Some(said),
            instructions: offers.instructions,
            ..Surface::default()
        };
        for (kind, list) in ListKind::ALL.into_iter().zip(lists.lists) {
            let known = before.list(kind);
            let list = match **known == list {
                true => Arc::clone(known),
                false => Arc::new(list),
            };
            surface.set(kind, list);
        }
        offer.surface = Arc::new(surface);
        offer
    }

    fn take_tool(&mut self, tool: BuiltTool, lists: &mut Lists<'_>) {
        let listed = lists.take(ListKind::Tools, tool.name, tool.definition);
        if let Some(name) = listed {
            let tool = Tool {
                name: Arc::clone(&name),
                handler: tool.handler,
                timeout: tool.timeout,
                weigh: tool.weigh,
            };
            self.tools.insert(name, Arc::new(tool));
        }
    }

    fn take_prompt(&mut self, prompt: BuiltPrompt, lists: &mut Lists<'_>) {
        let schema = prompt.arguments.schema.as_ref().map(Schema::compile);
        let (definition, schema) = match (prompt.definition, schema.transpose()) {
            (Ok(definition), Ok(schema)) => (Ok(definition), schema),
            (Err(problem), _) => (Err(problem), None),
            (_, Err(problem)) => {
                let problem = format!("its arguments cannot be checked: {problem}");
                (Err(problem), None)
            }
        };
        let listed = lists.take(ListKind::Prompts, prompt.name, definition);
        if let Some(name) = listed {
            let prompt = Prompt {
                arguments: prompt.arguments,
                schema,
                handler: prompt.handler,
                completers: prompt.completers,
            };
            self.prompts.insert(name, prompt);
        }
    }

    fn take_resource(&mut self, mut resource: BuiltResource, lists: &mut Lists<'_>) {
        let kind = match &resource.place {
            Place::Uri(_) => ListKind::Resources,
            Place::Template(_) => ListKind::ResourceTemplates,
        };
        let name = resource.place.as_str().to_owned();
        let name = match name.is_empty() {
            true => format!("a {}", kind.noun()),
            false => name,
        };
        let definition = std::mem::replace(&mut resource.definition, Err(String::new()));
        let Some(key) = lists.take(kind, name, definition) else {
            return;
        };
        match kind {
            ListKind::ResourceTemplates => self.templates.push(resource),
            _ => drop(self.resources.insert(key, resource)),
        }
    }

    /// The resource or template that `uri` belongs to.
    pub(super) fn resource(&self, uri: &str) -> Option<(&BuiltResource, ResourceRequest)> {
        let own = self.resources.get(uri).into_iter();
        let mut places = own.chain(&self.templates);
        places.find_map(|place| Some((place, place.asked_for(uri)?)))
    }

    /// The template, as it is written.
    pub(super) fn template(&self, text: &str) -> Option<&BuiltResource> {
        let mut templates = self.templates.iter();
        templates.find(|template| template.place.as_str() == text)
    }
}

impl Lists<'_> {
    /// Lists a definition, and gives back under which name; or notes why not.
    fn take(
        &mut self,
        kind: ListKind,
        name: String,
        definition: Result<Json, String>,
    ) -> Option<Arc<str>> {
        let list = &mut self.lists[kind as usize];
        match definition {
            Err(problem) => {
                list.omit(name, problem);
                None
            }
            Ok(definition) => {
                let known = list.definitions.len();
                list.add(kind, &definition, self.limits);
                let listed = list.definitions.get(known)?;
                Some(Arc::clone(&listed.name))
            }
        }
    }
}

/// What the plugin can do. One that may tell of other lists later says so, whether or not it has any now.
fn capabilities(offers: &Offers) -> Json {
    let tells = offers.tells;
    let changing = match tells.any() {
        true => json!({ "listChanged": true }),
        false => json!({}),
    };
    let mut said = Map::new();
    let mut say = |name: &str, what: Value| drop(said.insert(name.to_owned(), what));
    say("tools", changing.clone());
    if !offers.prompts.is_empty() || tells.prompts {
        say("prompts", changing.clone());
    }
    if !offers.resources.is_empty() || tells.resources {
        let mut what = changing;
        if tells.any() {
            what["subscribe"] = true.into();
        }
        say("resources", what);
    }
    let prompts = offers.prompts.iter().map(|prompt| &prompt.completers);
    let resources = offers.resources.iter().map(|place| &place.completers);
    if prompts.chain(resources).any(|known| !known.is_empty()) {
        say("completions", json!({}));
    }
    say("logging", json!({}));
    Json::of(&said)
}
