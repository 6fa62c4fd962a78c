//! What a plugin builds its resources and resource templates with.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::plugin::completion::{Completers, Completing, IntoCompletion};
use crate::plugin::contents::IntoResourceResult;
use crate::plugin::context::ToolContext;
use crate::plugin::failure::{self, RequestError};
use crate::plugin::notifier::{Notifier, Teller};
use crate::plugin::wording::{ContentAnnotations, Icon, Wording, Words};
use crate::wire::json::Json;
use crate::wire::uri_template::{UriTemplate, Values};

/// Reads a resource: gives the text of a `ReadResourceResult`.
pub(crate) type Reader = Arc<
    dyn Fn(ResourceRequest, ToolContext) -> BoxFuture<'static, Result<Json, RequestError>>
        + Send
        + Sync,
>;

/// The resources and templates of a plugin, in the order they were added.
#[derive(Default)]
pub struct Resources {
    resources: Vec<ResourceOptions>,
    teller: Teller,
}

/// A resource or template that has been added, and may be said more about.
pub struct ResourceOptions {
    place: Place,
    definition: Wording,
    mime_type: Option<Arc<str>>,
    reader: Reader,
    completers: Completers,
}

/// Which resources are meant.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// The one of this URI.
    Uri(String),
    /// Those of this template.
    Template(String),
}

/// A request to read a resource.
#[derive(Debug, Clone)]
pub struct ResourceRequest {
    uri: Arc<str>,
    mime_type: Option<Arc<str>>,
    values: Values,
}

/// A resource or template as a runtime takes it.
pub struct BuiltResource {
    /// Its definition, or why it has none.
    pub definition: Result<Json, String>,
    pub(crate) place: Place,
    pub(crate) mime_type: Option<Arc<str>>,
    pub(crate) template: UriTemplate,
    pub(crate) variables: Vec<String>,
    pub(crate) reader: Reader,
    pub(crate) completers: Completers,
}

impl Resources {
    /// Adds the resource `uri`; `name` is one for programs.
    pub fn add<F, W>(
        &mut self,
        uri: impl Into<String>,
        name: impl Into<String>,
        handler: F,
    ) -> &mut ResourceOptions
    where
        F: Fn(ToolContext) -> W + Send + Sync + 'static,
        W: Future<Output: IntoResourceResult> + Send + 'static,
    {
        let uri = uri.into();
        let words = Words {
            uri: Some(uri.clone()),
            name: name.into(),
            ..Words::default()
        };
        let place = Place::Uri(uri);
        self.push(place, Wording::of(words), move |_, context| {
            handler(context)
        })
    }

    /// Adds the resources that `uri_template` stands for (RFC 6570). `{name}` is at least one character and no slash,
    /// `{+name}` anything; the handler gets the values of these. Other expressions are anything and give no value. A
    /// resource of the same plugin that is added by itself goes first, and then the template that was added first.
    pub fn template<F, W>(
        &mut self,
        uri_template: impl Into<String>,
        name: impl Into<String>,
        handler: F,
    ) -> &mut ResourceOptions
    where
        F: Fn(ResourceRequest, ToolContext) -> W + Send + Sync + 'static,
        W: Future<Output: IntoResourceResult> + Send + 'static,
    {
        let template = uri_template.into();
        let words = Words {
            uri_template: Some(template.clone()),
            name: name.into(),
            ..Words::default()
        };
        self.push(Place::Template(template), Wording::of(words), handler)
    }

    /// Adds a resource or template whose definition stays the text it is: a whole `ResourceTemplate` object if it has a
    /// `uriTemplate`, else a whole `Resource`. Of the options only completion has an effect.
    pub fn raw<F, W>(&mut self, definition: Json, handler: F) -> &mut ResourceOptions
    where
        F: Fn(ResourceRequest, ToolContext) -> W + Send + Sync + 'static,
        W: Future<Output: IntoResourceResult> + Send + 'static,
    {
        let text = |key| Wording::raw_string(&definition, key);
        let place = text("uriTemplate").map(Place::Template);
        let place = place.unwrap_or_else(|| Place::Uri(text("uri").unwrap_or_default()));
        let mime_type = text("mimeType").map(Into::into);
        let added = self.push(place, Wording::Raw(definition), handler);
        added.mime_type = mime_type;
        added
    }

    /// The handle to tell clients that resources or lists have changed. A plugin that takes it, from here or elsewhere,
    /// says thereby that it tells of updates: its resources can be watched.
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

    /// The resources and templates, ready to be read.
    pub fn build(self) -> Vec<BuiltResource> {
        let resources = self.resources.into_iter();
        resources.map(ResourceOptions::build).collect()
    }

    fn push<F, W>(&mut self, place: Place, definition: Wording, handler: F) -> &mut ResourceOptions
    where
        F: Fn(ResourceRequest, ToolContext) -> W + Send + Sync + 'static,
        W: Future<Output: IntoResourceResult> + Send + 'static,
    {
        let reader: Reader = Arc::new(move |request, context| {
            let work = handler(request.clone(), context);
            Box::pin(async move { work.await.into_resource_result(&request) })
        });
        self.resources.push(ResourceOptions {
            place,
            definition,
            mime_type: None,
            reader,
            completers: Completers::default(),
        });
        self.resources.last_mut().expect("one was just added")
    }
}

impl ResourceOptions {
    /// A name for people.
    pub fn title(&mut self, title: impl Into<String>) -> &mut Self {
        self.word(|words| words.title = Some(title.into()))
    }

    /// What it is, for people and models.
    pub fn description(&mut self, description: impl Into<String>) -> &mut Self {
        self.word(|words| words.description = Some(description.into()))
    }

    /// The MIME type of its contents; those that do not say their own are of this one.
    pub fn mime_type(&mut self, mime_type: impl Into<String>) -> &mut Self {
        let mime_type = mime_type.into();
        let known = mime_type.as_str().into();
        self.word(|words| {
            words.mime_type = Some(mime_type);
        });
        if matches!(self.definition, Wording::Typed(_)) {
            self.mime_type = Some(known);
        }
        self
    }

    /// How large its contents are, in bytes, before any base64. For resources, not for templates.
    pub fn size(&mut self, size: u64) -> &mut Self {
        self.word(|words| words.size = Some(size))
    }

    /// What clients may make of it.
    pub fn annotations(&mut self, annotations: ContentAnnotations) -> &mut Self {
        self.word(|words| words.annotations = Some(annotations))
    }

    /// A picture that stands for it; each adds one.
    pub fn icon(&mut self, icon: Icon) -> &mut Self {
        self.word(|words| words.icons.push(icon))
    }

    /// A member of its `_meta`.
    pub fn meta(&mut self, key: impl Into<String>, value: impl Into<Value>) -> &mut Self {
        self.word(|words| drop(words.meta.insert(key.into(), value.into())))
    }

    /// Completes the variable of that name of a template: `complete` gets what has been typed of it.
    pub fn complete<F, W>(&mut self, variable: impl Into<String>, complete: F) -> &mut Self
    where
        F: Fn(String, Completing) -> W + Send + Sync + 'static,
        W: Future<Output: IntoCompletion> + Send + 'static,
    {
        self.completers.add(variable.into(), complete);
        self
    }

    fn word(&mut self, change: impl FnOnce(&mut Words)) -> &mut Self {
        self.definition.word(change);
        self
    }

    fn build(self) -> BuiltResource {
        let variables = match &self.place {
            Place::Uri(_) => Vec::new(),
            Place::Template(template) => UriTemplate::variables(template),
        };
        let definition = self.definition.build();
        let misfit = self.completers.misfit(&variables);
        BuiltResource {
            definition: definition.and_then(|text| misfit.map_or(Ok(text), Err)),
            template: UriTemplate::new(self.place.as_str()),
            place: self.place,
            mime_type: self.mime_type,
            variables,
            reader: self.reader,
            completers: self.completers,
        }
    }
}

impl Place {
    /// The URI or template as it is written.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Uri(text) | Self::Template(text) => text,
        }
    }
}

impl ResourceRequest {
    /// A request for the resource `uri` that is listed with this MIME type.
    #[cfg(test)]
    pub(crate) fn new(uri: &str, mime_type: Option<&str>) -> Self {
        Self {
            uri: uri.into(),
            mime_type: mime_type.map(Into::into),
            values: Values::new(),
        }
    }

    /// The URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The MIME type that the resource is listed with.
    pub fn mime_type(&self) -> Option<&str> {
        self.mime_type.as_deref()
    }

    /// What the variable of that name of the template stands for. The value of `{name}` is decoded and may hold anything
    /// after that, also slashes and dots: it is a text of the client's, no path. That of `{+name}` is as it stands.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.values.iter();
        values
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The error that says that there is no such resource.
    pub fn not_found(&self) -> RequestError {
        RequestError::from(failure::no_resource(&self.uri))
    }
}

impl BuiltResource {
    /// The request for `uri` if it is this resource, or one of this template.
    pub(crate) fn asked_for(&self, uri: &str) -> Option<ResourceRequest> {
        let values = match &self.place {
            Place::Uri(own) => (own == uri).then(Values::new),
            Place::Template(_) => self.template.values(uri),
        };
        Some(ResourceRequest {
            uri: uri.into(),
            mime_type: self.mime_type.clone(),
            values: values?,
        })
    }

    /// Reads `uri` outside of any gateway, for tests of resources.
    pub fn read(
        &self,
        uri: &str,
        context: ToolContext,
    ) -> BoxFuture<'static, Result<Json, RequestError>> {
        match self.asked_for(uri) {
            Some(request) => (self.reader)(request, context),
            None => Box::pin(std::future::ready(Err(RequestError::no_resource(uri)))),
        }
    }
}

#[cfg(test)]
mod tests;
