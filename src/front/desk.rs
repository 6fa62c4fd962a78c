//! What every MCP front answers, whatever carries the messages.

mod fault;

mod switching;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::background::Supervisor;
use crate::control::Control;
use crate::dispatch::schedule::Schedule;
use crate::dispatch::subject::Subject;
use crate::dispatch::{CallError, Dispatcher};
use crate::front::outgoing::Logs;
use crate::front::rounds::{Dialogue, Rounds, Tasks};
use crate::ledger::Ledger;
use crate::ledger::documents::Documents;
use crate::model::answer::{ResultKind, kind_of};
use crate::model::caller::{Caller, ClientProfile};
use crate::model::fault::FaultKind;
use crate::registry::catalog::page::UnknownCursor;
use crate::registry::{Registry, Viewer};
use crate::runtime::CallContext;
use crate::session::Session;
use crate::wire::error::{
    INVALID_PARAMS, METHOD_NOT_FOUND, MISSING_CLIENT_CAPABILITY, RpcError,
    UNSUPPORTED_PROTOCOL_VERSION,
};
use crate::wire::json::Json;
use crate::wire::level::LogLevel;
use crate::wire::list::ListKind;
use crate::wire::members::Members;
use crate::wire::message::{Notification, Params};
use crate::wire::meta::{self, TASKS};
use crate::wire::method::Method;
use crate::wire::revision::{Era, Revision};

/// How long a modern client may keep what `server/discover` says, in milliseconds.
const DISCOVER_TTL_MS: u64 = 60_000;

/// Answers MCP requests.
pub struct Desk {
    /// Carries calls.
    pub dispatcher: Arc<Dispatcher>,
    /// The life of the plugins.
    pub control: Arc<Control>,
    /// Owns the tasks of requests.
    pub supervisor: Supervisor,
    /// The calls that wait for modern clients.
    pub rounds: Arc<Rounds>,
    /// The calls that go on as tasks.
    pub tasks: Arc<Tasks>,
    /// The tasks of users.
    pub schedule: Arc<Schedule>,
    /// What is kept by kind and key.
    pub documents: Arc<dyn Documents>,
    /// What happened.
    pub ledger: Ledger,
    /// Held while a tool is switched: one after the other.
    pub switching: tokio::sync::Mutex<()>,
    /// The version of the gateway.
    pub version: &'static str,
}

/// What a request came to.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The text of the result.
    Result(Bytes),
    /// A result by which a modern plugin asks a modern client to answer and to call again.
    Asks(Json),
    /// A result that says that the caller lacks this scope.
    Denied(Bytes, Box<str>),
    /// An error.
    Error(RpcError),
    /// Nothing: the client no longer wants an answer.
    Nothing,
}

impl Desk {
    /// The plugins behind it.
    pub fn registry(&self) -> &Arc<Registry> {
        self.dispatcher.registry()
    }

    fn server_info(&self) -> serde_json::Value {
        json!({ "name": "toolgate", "title": "toolgate", "version": self.version })
    }

    /// Reads what `initialize` says of its client (MCP 2025-11-25, lifecycle).
    pub(crate) fn legacy_profile(params: &Params) -> Result<ClientProfile, RpcError> {
        let Some(asked) = params.members.string("protocolVersion") else {
            return Err(RpcError::new(
                INVALID_PARAMS,
                "Invalid params: `/params/protocolVersion` must be a string",
            ));
        };
        let capabilities = params
            .members
            .get("capabilities")
            .filter(|capabilities| capabilities.is_object());
        let Some(capabilities) = capabilities else {
            return Err(RpcError::new(
                INVALID_PARAMS,
                "Invalid params: `/params/capabilities` must be an object",
            ));
        };
        let known = Revision::of(&asked).filter(|revision| revision.era() == Era::Legacy);
        // The message they came in must not stay alive with the session.
        Ok(ClientProfile {
            revision: known.unwrap_or(Revision::NEWEST_LEGACY),
            capabilities: capabilities.detached(),
            info: params.members.get("clientInfo").map(Json::detached),
        })
    }

    /// The result of `initialize` for a client of `revision`. Waits for plugins that are being started as a list would,
    /// because the result says what all of them can do.
    pub(crate) async fn welcome(&self, revision: Revision, caller: &Caller) -> Bytes {
        self.registry().settle().await;
        let catalog = self.registry().catalog();
        let mut result = json!({
            "protocolVersion": revision.as_str(),
            "capabilities": catalog.capabilities(caller, Era::Legacy),
            "serverInfo": self.server_info(),
        });
        if let Some(instructions) = catalog.instructions(caller) {
            result["instructions"] = instructions.into();
        }
        let greeting = catalog.greeting(caller, Era::Legacy);
        with(&Json::of(&result), &greeting).bytes().clone()
    }

    /// Reads what a modern request says of its client (MCP 2026-07-28, `_meta`). `agrees` checks the revision that is
    /// named there against what carried the request, before it is known whether it is one that is served.
    pub(crate) fn modern_profile(
        params: &Params,
        agrees: impl FnOnce(&str) -> Result<(), RpcError>,
    ) -> Result<ClientProfile, RpcError> {
        let missing = |key: &str, what: &str| {
            RpcError::new(
                INVALID_PARAMS,
                format!("Invalid params: `/params/_meta/{key}` must be {what}"),
            )
        };
        let Some(version) = params.meta.string(meta::PROTOCOL_VERSION) else {
            return Err(missing(
                &meta::PROTOCOL_VERSION.replace('/', "~1"),
                "a string",
            ));
        };
        agrees(&version)?;
        let revision = Revision::of(&version).filter(|revision| revision.era() == Era::Modern);
        let revision = revision.ok_or_else(|| unsupported(&version))?;
        let capabilities = params
            .meta
            .get(meta::CLIENT_CAPABILITIES)
            .filter(|json| json.is_object());
        let Some(capabilities) = capabilities.cloned() else {
            return Err(missing(
                &meta::CLIENT_CAPABILITIES.replace('/', "~1"),
                "an object",
            ));
        };
        Ok(ClientProfile {
            revision,
            capabilities,
            info: params.meta.get(meta::CLIENT_INFO).cloned(),
        })
    }

    /// A new call of a modern client, with what surrounds it.
    pub(crate) fn modern_call(
        &self,
        rounds: &Arc<Rounds>,
        (caller, profile): (&Arc<Caller>, &Arc<ClientProfile>),
        (method, params): (&Method, &Params),
        cancel: CancellationToken,
    ) -> (Arc<Dialogue>, CallContext) {
        let tasks = self.tasks_for(method, params, (caller, profile));
        // A plugin makes no task of what is to become one here.
        let told = match &tasks {
            Some(_) => Arc::new(profile.without_extension(TASKS)),
            None => Arc::clone(profile),
        };
        let dialogue = rounds.begin(caller, profile, (method, params), tasks, &cancel);
        let context = CallContext {
            id: self.dispatcher.next_call(),
            caller: Arc::clone(caller),
            profile: told,
            session: None,
            log_level: Self::modern_logs(params).level(),
            timeout: None,
            cancel,
            farewell: None,
            client: Arc::clone(&dialogue) as _,
        };
        (dialogue, context)
    }

    /// Which log messages a modern request asks for.
    pub(crate) fn modern_logs(params: &Params) -> Logs {
        let level = params
            .meta
            .string(meta::LOG_LEVEL)
            .and_then(|name| LogLevel::of(&name));
        level.map_or(Logs::None, Logs::From)
    }

    /// Which log messages the client of a session gets.
    pub(crate) fn session_logs(session: &Session) -> Logs {
        session.log_level().map_or(Logs::All, Logs::From)
    }

    async fn discover(&self, caller: &Caller) -> Bytes {
        self.registry().settle().await;
        let catalog = self.registry().catalog();
        let mut result = json!({
            "resultType": "complete",
            "supportedVersions": Revision::names(),
            "capabilities": catalog.capabilities(caller, Era::Modern),
        });
        if let Some(instructions) = catalog.instructions(caller) {
            result["instructions"] = instructions.into();
        }
        // What all plugins can do is known when all have started; until then it is soon another thing.
        let settled = self.registry().is_settled();
        let same_for_all = self.registry().is_same_for_all();
        result["ttlMs"] = if settled { DISCOVER_TTL_MS } else { 0 }.into();
        result["cacheScope"] = if same_for_all { "public" } else { "private" }.into();
        let mut greeting = catalog.greeting(caller, Era::Modern);
        let own = greeting.remove("_meta");
        let mut about = own.as_ref().and_then(Members::of).unwrap_or_default();
        about.set(meta::SERVER_INFO, Json::of(&self.server_info()));
        greeting.set("_meta", about.to_json());
        with(&Json::of(&result), &greeting).bytes().clone()
    }

    /// Answers a request that is neither the beginning of a session nor a stream.
    pub(crate) async fn answer(
        &self,
        method: &Method,
        params: Params,
        context: CallContext,
    ) -> Reply {
        let era = context.era();
        if let Some(kind) = ListKind::of(method) {
            return Box::pin(self.list(kind, &params, &context)).await;
        }
        if let Some(reply) = self.about_task(method, &params, &context) {
            return reply;
        }
        match (method, era) {
            (Method::Discover, Era::Modern) => {
                Reply::Result(Box::pin(self.discover(&context.caller)).await)
            }
            (Method::Ping, Era::Legacy) => Reply::Result(Bytes::from_static(b"{}")),
            (Method::SetLevel, Era::Legacy) => Box::pin(self.set_level(&params, context)).await,
            (Method::ResourcesSubscribe | Method::ResourcesUnsubscribe, Era::Legacy) => {
                Box::pin(self.subscribe(method, &params, context)).await
            }
            (
                Method::SetLevel
                | Method::Ping
                | Method::Discover
                | Method::ResourcesSubscribe
                | Method::ResourcesUnsubscribe,
                _,
            ) => Reply::Error(RpcError::new(
                METHOD_NOT_FOUND,
                format!("Method not found: {method}"),
            )),
            _ => self.forward(method, params, context).await,
        }
    }

    async fn list(&self, kind: ListKind, params: &Params, context: &CallContext) -> Reply {
        let unknown = || {
            let message = "Invalid params: `/params/cursor` is not known";
            Reply::Error(RpcError::new(INVALID_PARAMS, message))
        };
        let cursor = params.members.get("cursor");
        let cursor = match cursor.filter(|cursor| !cursor.is_null()).map(Json::string) {
            None => None,
            Some(Some(cursor)) => Some(cursor),
            Some(None) => return unknown(),
        };
        let viewer = Viewer::of(context);
        match self.registry().page(&viewer, kind, cursor.as_deref()).await {
            Ok(page) => Reply::Result(page),
            Err(UnknownCursor) => unknown(),
        }
    }

    /// Carries a request to the plugin it is for.
    async fn forward(&self, method: &Method, params: Params, context: CallContext) -> Reply {
        let era = context.era();
        let subject = match Subject::of(method, &params, era) {
            Ok(subject) => subject,
            Err(error) => return Reply::Error(error),
        };
        if let Some(extension) = subject.extension()
            && era == Era::Modern
            && !context.profile.declares(extension)
        {
            return Reply::Error(undeclared(extension));
        }
        let called = self
            .dispatcher
            .request(method.clone(), &subject, params, context);
        match called.await {
            Ok(reply)
                if era == Era::Modern && kind_of(&reply) == Some(ResultKind::InputRequired) =>
            {
                Reply::Asks(reply.result)
            }
            Ok(reply) => Reply::Result(reply.result.bytes().clone()),
            Err(CallError::Plugin(error)) => Reply::Error(error),
            Err(CallError::Fault(fault)) if fault.kind == FaultKind::Cancelled => Reply::Nothing,
            Err(CallError::Fault(fault)) => fault::told(&fault, &subject, era),
        }
    }

    async fn subscribe(&self, method: &Method, params: &Params, context: CallContext) -> Reply {
        let era = context.era();
        let subject = match Subject::of(method, params, era) {
            Ok(subject) => subject,
            Err(error) => return Reply::Error(error),
        };
        let uri = subject.name();
        let answered = match method {
            Method::ResourcesUnsubscribe => self.dispatcher.unsubscribe(uri, context).await,
            _ => self.dispatcher.subscribe(uri, context).await,
        };
        match answered {
            Ok(reply) => Reply::Result(reply.result.bytes().clone()),
            Err(CallError::Plugin(error)) => Reply::Error(error),
            Err(CallError::Fault(fault)) => fault::told(&fault, &subject, era),
        }
    }

    async fn set_level(&self, params: &Params, mut context: CallContext) -> Reply {
        let level = params
            .members
            .string("level")
            .and_then(|name| LogLevel::of(&name));
        let Some(level) = level else {
            let message = "Invalid params: `/params/level` must be one of debug, info, notice, warning, error, critical, alert, emergency";
            return Reply::Error(RpcError::new(INVALID_PARAMS, message));
        };
        if let Some(session) = &context.session {
            session.set_log_level(level);
        }
        context.log_level = Some(level);
        self.dispatcher.set_level(params, &context).await;
        Reply::Result(Bytes::from_static(b"{}"))
    }

    /// Takes note of what the client of a session tells besides its requests.
    pub(crate) fn told(&self, session: &Arc<Session>, notification: Notification) {
        let Notification { method, params } = notification;
        match method {
            // Known here, and not for plugins: they were told when they started.
            Method::Initialized | Method::Cancelled => {}
            Method::RootsListChanged | Method::Other(_) => {
                let (dispatcher, session) = (Arc::clone(&self.dispatcher), Arc::clone(session));
                drop(self.supervisor.spawn_request(async move {
                    dispatcher.tell(&session, &method, &params).await;
                }));
            }
            method => tracing::debug!("Dropped a `{method}` of a client"),
        }
    }
}

/// `result` and behind its members those of `rest`.
fn with(result: &Json, rest: &Members) -> Json {
    let mut members = Members::of(result).unwrap_or_default();
    members.append(rest);
    members.to_json()
}

/// The error for a request that needs an extension which its client did not declare (MCP 2026-07-28, extensions).
pub(crate) fn undeclared(extension: &str) -> RpcError {
    let message =
        format!("This request needs the extension `{extension}` among the client's capabilities");
    let data = json!({ "requiredCapabilities": { "extensions": { extension: {} } } });
    RpcError::new(MISSING_CLIENT_CAPABILITY, message).with_data(&data)
}

/// The error for a revision that is not served.
pub(crate) fn unsupported(version: &str) -> RpcError {
    let data = json!({ "supported": Revision::names(), "requested": version });
    RpcError::new(UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version").with_data(&data)
}
