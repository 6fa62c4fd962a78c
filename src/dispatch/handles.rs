//! Handles: sessions for clients of the modern era, which has none. A client that needs a legacy server to remember its
//! calls opens one by a tool of the gateway, and names it in each of them.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use memchr::memmem::Finder;
use serde_json::json;

use crate::dispatch::Dispatcher;
use crate::dispatch::subject::Subject;
use crate::manifest::Handles as Choice;
use crate::model::answer::Answer;
use crate::model::fault::{Fault, FaultKind};
use crate::registry::handle_tools::{ARGUMENT, CLOSE, META, OPEN};
use crate::registry::plugin::Plugin;
use crate::runtime::{CallContext, Request};
use crate::session::table::{Bounds, Sessions};
use crate::session::{InFlight, Session};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::{Id, Params};
use crate::wire::revision::Era;

/// How often handles are looked through for those whose time is up.
const SWEEP: Duration = Duration::from_secs(5);

/// The open handles.
#[derive(Debug)]
pub(super) struct Handles {
    sessions: Arc<Sessions>,
    sweeping: OnceLock<()>,
}

impl Handles {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            sessions: Arc::new(Sessions::new(bounds)),
            sweeping: OnceLock::new(),
        }
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn close_all(&self) {
        self.sessions.close_all();
    }
}

impl Dispatcher {
    /// Answers a call of one of the gateway's own tools; `None` when `subject` is none of them.
    pub(super) fn own_tool(
        &self,
        subject: &Subject,
        request: &Request,
        context: &CallContext,
    ) -> Option<Result<Answer, Fault>> {
        match subject {
            Subject::Tool(name) if name == OPEN => Some(self.open_handle(context)),
            Subject::Tool(name) if name == CLOSE => Some(self.close_handle(request, context)),
            _ => None,
        }
    }

    fn open_handle(&self, context: &CallContext) -> Result<Answer, Fault> {
        let profile = Arc::new(context.profile.detached());
        let Some(session) = self.handles.sessions.open(&context.caller, profile) else {
            let message = "too many sessions are open (`server.sessions`); close one";
            return Err(Fault::new(FaultKind::Busy, message)
                .because("overloaded")
                .retry_after(Duration::from_secs(1)));
        };
        self.handles.sweeping.get_or_init(|| self.sweep_handles());
        let id = &*session.id;
        let text = format!(
            "Opened the session {id}. Pass it as `{ARGUMENT}` in the calls that belong to it."
        );
        Ok(told(&text, &json!({ ARGUMENT: id })))
    }

    fn close_handle(&self, request: &Request, context: &CallContext) -> Result<Answer, Fault> {
        let arguments = request.params.members.get("arguments");
        let named = arguments
            .and_then(Members::of)
            .and_then(|arguments| arguments.string(ARGUMENT).map(Cow::into_owned));
        let Some(id) = named else {
            let message =
                format!("the arguments of `{CLOSE}` do not fit: `/{ARGUMENT}` must be a string");
            return Err(Fault::new(FaultKind::BadInput, message));
        };
        let session = self.handle(&id, context)?;
        self.handles.sessions.close(&session);
        Ok(told("Closed the session.", &json!({})))
    }

    fn sweep_handles(&self) {
        let sessions = Arc::clone(&self.handles.sessions);
        self.supervisor.spawn("handles", |stop| async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(SWEEP) => sessions.sweep(),
                    () = stop.cancelled() => return,
                }
            }
        });
    }

    /// The context of a call to `plugin` within the session that the caller names, if it names one; that session does
    /// not end for want of use while the call runs. The name is ours and does not go on to the plugin.
    pub(super) fn bound<'a>(
        &self,
        plugin: &Plugin,
        params: &mut Params,
        context: &'a CallContext,
    ) -> Result<(Cow<'a, CallContext>, Option<InFlight>), Fault> {
        let is_taken = context.era() == Era::Modern && context.session.is_none();
        if !is_taken || plugin.manifest.handles == Choice::Off {
            return Ok((Cow::Borrowed(context), None));
        }
        let id = match params.meta.remove(META) {
            Some(id) => Some(id.string().map(Cow::into_owned).unwrap_or_default()),
            None => taken_out(params),
        };
        let Some(id) = id else {
            return Ok((Cow::Borrowed(context), None));
        };
        let session = self.handle(&id, context)?;
        let in_flight = session.begin(&Id::number(context.id));
        let context = CallContext {
            session: Some(session),
            ..context.clone()
        };
        Ok((Cow::Owned(context), in_flight))
    }

    /// The session that the params of a subscription name in their `_meta`, if they name one.
    pub fn named_session(
        &self,
        params: &Params,
        context: &CallContext,
    ) -> Result<Option<Arc<Session>>, Fault> {
        let Some(id) = params.meta.get(META) else {
            return Ok(None);
        };
        let id = id.string().unwrap_or_default();
        self.handle(&id, context).map(Some)
    }

    fn handle(&self, id: &str, context: &CallContext) -> Result<Arc<Session>, Fault> {
        let session = self.handles.sessions.get(id, &context.caller);
        let session = session.inspect(|session| session.touch());
        session.ok_or_else(|| {
            let message =
                format!("there is no such session: it may have ended; `{OPEN}` opens another");
            Fault::new(FaultKind::BadInput, message).because("unknown_session")
        })
    }
}

/// Finds the argument's name. Made once: making it costs more than the search in most arguments.
static NAMED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(ARGUMENT));

/// Takes the handle out of the arguments.
fn taken_out(params: &mut Params) -> Option<String> {
    let arguments = params.members.get("arguments")?;
    NAMED.find(arguments.bytes())?;
    let mut arguments = Members::of(arguments)?;
    let id = arguments.string(ARGUMENT)?.into_owned();
    arguments.remove(ARGUMENT);
    params.members.set("arguments", arguments.to_json());
    Some(id)
}

fn told(text: &str, structured: &serde_json::Value) -> Answer {
    let result = json!({
        "content": [{ "type": "text", "text": text }],
        "structuredContent": structured,
    });
    Answer::result(Json::of(&result), Era::Legacy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handle_is_taken_out_of_the_arguments_and_nothing_else_is() {
        let mut params = Params::of(&json!({
            "name": "t",
            "arguments": { "b": 1, "toolgate_session": "x", "a": "toolgate_session" },
        }));
        assert_eq!(taken_out(&mut params).as_deref(), Some("x"));
        let arguments = params.members.get("arguments").map(Json::as_str);
        assert_eq!(arguments, Some(r#"{"b":1,"a":"toolgate_session"}"#));
        assert_eq!(taken_out(&mut params), None);
    }
}
