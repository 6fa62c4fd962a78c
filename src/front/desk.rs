//! What every MCP front answers, whatever carries the messages.

mod fault;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use crate::background::Supervisor;
use crate::dispatch::{CallError, Dispatcher};
use crate::front::outgoing::Logs;
use crate::front::rounds::Rounds;
use crate::model::answer::{ResultKind, kind_of};
use crate::model::caller::{Caller, ClientProfile};
use crate::model::fault::FaultKind;
use crate::registry::Registry;
use crate::runtime::CallContext;
use crate::session::Session;
use crate::wire::error::{
    INVALID_PARAMS, METHOD_NOT_FOUND, RpcError, UNSUPPORTED_PROTOCOL_VERSION,
};
use crate::wire::json::Json;
use crate::wire::level::LogLevel;
use crate::wire::message::Params;
use crate::wire::meta;
use crate::wire::method::Method;
use crate::wire::revision::{Era, Revision};

/// How long a modern client may keep what `server/discover` says, in milliseconds.
const DISCOVER_TTL_MS: u64 = 60_000;

/// Answers MCP requests.
pub struct Desk {
    /// Carries calls.
    pub dispatcher: Arc<Dispatcher>,
    /// Owns the tasks of requests.
    pub supervisor: Supervisor,
    /// The calls that wait for modern clients.
    pub rounds: Arc<Rounds>,
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

    /// Answers `initialize` (MCP 2025-11-25, lifecycle): the client's profile for its session, and the result.
    pub(crate) fn initialize(&self, params: &Params) -> Result<(ClientProfile, Bytes), RpcError> {
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
        let revision = known.unwrap_or(Revision::NEWEST_LEGACY);
        // The message they came in must not stay alive with the session.
        let profile = ClientProfile {
            revision,
            capabilities: capabilities.detached(),
            info: params.members.get("clientInfo").map(Json::detached),
        };
        let result = Json::of(&json!({
            "protocolVersion": revision.as_str(),
            "capabilities": { "tools": { "listChanged": true }, "logging": {} },
            "serverInfo": self.server_info(),
        }));
        Ok((profile, result.bytes().clone()))
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

    fn discover(&self) -> Bytes {
        let result = Json::of(&json!({
            "resultType": "complete",
            "supportedVersions": Revision::names(),
            "capabilities": { "tools": { "listChanged": true }, "logging": {} },
            "ttlMs": DISCOVER_TTL_MS,
            "cacheScope": "public",
            "_meta": { meta::SERVER_INFO: self.server_info() },
        }));
        result.bytes().clone()
    }

    /// Answers a request that is neither the beginning of a session nor a stream.
    pub(crate) async fn answer(
        &self,
        method: &Method,
        params: Params,
        context: CallContext,
    ) -> Reply {
        let era = context.era();
        match (method, era) {
            (Method::ToolsCall, _) => self.call(params, context).await,
            (Method::ToolsList, _) => Box::pin(self.list(&params, &context.caller, era)).await,
            (Method::Discover, Era::Modern) => Reply::Result(self.discover()),
            (Method::Ping, Era::Legacy) => Reply::Result(Bytes::from_static(b"{}")),
            (Method::SetLevel, Era::Legacy) => set_level(&params, &context),
            _ => Reply::Error(RpcError::new(
                METHOD_NOT_FOUND,
                format!("Method not found: {method}"),
            )),
        }
    }

    async fn list(&self, params: &Params, caller: &Caller, era: Era) -> Reply {
        if params
            .members
            .get("cursor")
            .is_some_and(|cursor| !cursor.is_null())
        {
            // Lists are whole: there is no cursor that we could have given out.
            return Reply::Error(RpcError::new(
                INVALID_PARAMS,
                "Invalid params: `/params/cursor` is not known",
            ));
        }
        Reply::Result(self.registry().settled_catalog().await.list(caller, era))
    }

    async fn call(&self, params: Params, context: CallContext) -> Reply {
        let era = context.era();
        let Some(name) = params.members.string("name").map(|name| name.into_owned()) else {
            return Reply::Error(RpcError::new(
                INVALID_PARAMS,
                "Invalid params: `/params/name` must be a string",
            ));
        };
        if params
            .members
            .get("arguments")
            .is_some_and(|arguments| !arguments.is_object())
        {
            let error = RpcError::new(
                INVALID_PARAMS,
                "Invalid params: `/params/arguments` must be an object",
            );
            return Reply::Error(error);
        }
        match self.dispatcher.call_tool(&name, params, context).await {
            Ok(reply)
                if era == Era::Modern && kind_of(&reply) == Some(ResultKind::InputRequired) =>
            {
                Reply::Asks(reply.result)
            }
            Ok(reply) => Reply::Result(reply.result.bytes().clone()),
            Err(CallError::Plugin(error)) => Reply::Error(error),
            Err(CallError::Fault(fault)) if fault.kind == FaultKind::Cancelled => Reply::Nothing,
            Err(CallError::Fault(fault)) => fault::told(&fault, era),
        }
    }
}

fn set_level(params: &Params, context: &CallContext) -> Reply {
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
    Reply::Result(Bytes::from_static(b"{}"))
}

/// The error for a revision that is not served.
pub(crate) fn unsupported(version: &str) -> RpcError {
    let data = json!({ "supported": Revision::names(), "requested": version });
    RpcError::new(UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version").with_data(&data)
}
