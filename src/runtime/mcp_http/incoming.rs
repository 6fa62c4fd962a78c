//! What a remote server says besides answers: notifications go to whom they are for, questions to the client.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::model::client::{Client, Hearer};
use crate::model::offer;
use crate::runtime::given_up::GivenUp;
use crate::runtime::mcp_http::head::Head;
use crate::runtime::mcp_http::link::HttpLink;
use crate::wire::error::{INTERNAL_ERROR, METHOD_NOT_FOUND, RpcError};
use crate::wire::json::Json;
use crate::wire::list::Topic;
use crate::wire::message::{Notification, Params, Request, write_error, write_result};
use crate::wire::meta::SUBSCRIPTION_ID;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// The client behind a request.
#[derive(Clone)]
pub(super) struct Caller {
    /// The request's id, which is also what the server marks its progress with.
    pub(super) id: u64,
    pub(super) client: Arc<dyn Client>,
    /// What the client wants progress to be marked with.
    pub(super) token: Option<Json>,
}

/// On which stream something came, which says whom it is for.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    /// That of a call.
    Call(&'a Caller),
    /// That of a request of the gateway's own. It is no caller's.
    Ourselves,
    /// The standing stream.
    Standing,
}

/// The callers of a legacy session: what comes on its standing stream is for one of those that wait now, or was for one
/// that gave up.
#[derive(Default)]
pub(super) struct Callers(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    callers: Vec<Caller>,
    given_up: GivenUp,
}

impl Callers {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.0.lock().expect("no holder of this lock panics")
    }

    pub(super) fn add(&self, caller: Caller) {
        self.waiting().callers.push(caller);
    }

    /// The caller of that request does not wait any more: it has its answer, or `gave_up`.
    pub(super) fn remove(&self, id: u64, gave_up: bool) {
        let mut waiting = self.waiting();
        let before = waiting.callers.len();
        waiting.callers.retain(|caller| caller.id != id);
        if gave_up && waiting.callers.len() < before {
            waiting.given_up.add(id, Era::Legacy, None);
        }
    }

    /// The request of that id is answered, though nobody waits for it.
    pub(super) fn answered_late(&self, id: u64) {
        self.waiting().given_up.answered(id);
    }

    /// Whether the server may still be at work for a caller who gave up.
    pub(super) fn is_at_work(&self) -> bool {
        self.waiting().given_up.is_at_work()
    }

    fn find(&self, id: u64) -> Option<Caller> {
        self.waiting()
            .callers
            .iter()
            .find(|caller| caller.id == id)
            .cloned()
    }

    /// The one that something without an address can be for.
    fn addressee(&self, one_session: bool) -> Option<Caller> {
        let waiting = self.waiting();
        let callers = waiting.callers.iter().map(|caller| (caller.id, caller));
        waiting.given_up.addressee(callers, one_session).cloned()
    }
}

impl HttpLink {
    /// The caller that something is for which does not say so. What came on a stream of our own is for nobody, unless
    /// all callers belong to one session.
    fn addressee(&self, origin: Origin<'_>) -> Option<Caller> {
        let one_session = self.session().is_some();
        match origin {
            Origin::Call(caller) => Some(caller.clone()),
            Origin::Ourselves if !one_session => None,
            Origin::Ourselves | Origin::Standing => self.callers.addressee(one_session),
        }
    }

    /// Delivers a notification that came on one of the streams.
    pub(super) fn told(&self, told: Notification, origin: Origin<'_>) {
        let Notification { method, mut params } = told;
        match method {
            Method::Progress => {
                let token = params.members.get("progressToken");
                let id =
                    token.and_then(|token| std::str::from_utf8(token.bytes()).ok()?.parse().ok());
                let own = match origin {
                    Origin::Call(caller) => Some(caller).filter(|caller| Some(caller.id) == id),
                    Origin::Ourselves | Origin::Standing => None,
                };
                let caller = own.cloned().or_else(|| self.callers.find(id?));
                if let Some(Caller {
                    client,
                    token: Some(token),
                    ..
                }) = caller
                {
                    params.members.set("progressToken", token);
                    client.notify(&method, &params);
                }
            }
            Method::Cancelled => self.questions.taken_back(&params),
            Method::ListenAcknowledged => self.subscribed.acknowledged(Some(&params)),
            Method::ResourcesUpdated if !self.subscribed.is_news_of_stream(&params) => {}
            Method::ResourcesUpdated => {
                params.meta.remove(SUBSCRIPTION_ID);
                self.host.updates.tell(&method, &params);
            }
            _ => match Topic::of(&method) {
                Some(topic) => self.changed.mark(topic),
                None => self.pass_on(&method, &params, origin),
            },
        }
    }

    /// Passes on a log message or what an extension tells: to the client of the call it must belong to, else to the
    /// session that has the plugin to itself.
    fn pass_on(&self, method: &Method, params: &Params, origin: Origin<'_>) {
        match self.addressee(origin) {
            Some(caller) => caller.client.notify(method, params),
            None => {
                if let Some(session) = self.session() {
                    session.hear(method, params);
                }
            }
        }
    }

    /// Puts a question to the client at once, before whatever the server says next; gives back what is left to do.
    pub(super) fn begin_asking<'a>(
        &'a self,
        question: Request,
        origin: Origin<'a>,
        head: &'a Arc<Head>,
    ) -> Option<BoxFuture<'a, ()>> {
        let mut asking = self.asked(question, origin, head).boxed();
        (&mut asking).now_or_never().is_none().then_some(asking)
    }

    /// Answers a question of the server's with what the client says to it, in the session of `head`. It does not matter
    /// what becomes of the stream on which it came.
    async fn asked(&self, question: Request, origin: Origin<'_>, head: &Arc<Head>) {
        let Request { id, method, params } = question;
        // It knows what it was told of its clients; one that everyone shares was told that they offer nothing.
        let offered = offer::check(&self.host.profile, &method, &params);
        let open = self.questions.begin(&id);
        let caller = self.addressee(origin);
        let outside = || self.session()?.client();
        let client = caller.map(|caller| caller.client).or_else(outside);
        let answer = match (&method, client, &open) {
            (Method::Ping, ..) => Ok(Json::literal("{}")),
            _ if offered.is_err() => offered.map(|()| Json::literal("{}")),
            (_, _, None) => Err(RpcError::new(
                INTERNAL_ERROR,
                "too many questions are open, or one of this `id` is",
            )),
            (_, Some(client), Some(open)) => tokio::select! {
                answer = client.ask_until(method, params, open.farewell.clone()) => answer,
                // What was taken back gets no answer (MCP, cancellation).
                () = open.cancel.cancelled() => return,
            },
            (method, None, _) => Err(RpcError::new(
                METHOD_NOT_FOUND,
                format!("`{method}`: no call is in flight that the question could belong to"),
            )),
        };
        let mut text = Vec::with_capacity(256);
        match answer {
            Ok(result) => write_result(&mut text, &id, &result),
            Err(error) => write_error(&mut text, Some(&id), &error),
        }
        // In the middle of `initialize` its session is not the link's yet.
        let opening = head.revision.is_none().then(|| self.being_opened());
        let head = opening.flatten().unwrap_or_else(|| Arc::clone(head));
        if let Err(fault) = self.tell(Bytes::from(text), &head).await {
            tracing::debug!(plugin.id = %self.endpoint.upstream.plugin, "Could not answer a question of the server: {fault}");
        }
    }
}
