//! Requests to one remote server: one POST each, answered by JSON or by events.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::model::client::Farewell;
use crate::model::fault::{Fault, FaultKind};
use crate::runtime::changed::Changed;
use crate::runtime::client::{Peer, initialize};
use crate::runtime::link::Link;
use crate::runtime::mcp_http::changes::Pace;
use crate::runtime::mcp_http::endpoint::Endpoint;
use crate::runtime::mcp_http::head::{Head, SESSION_ID, session_id};
use crate::runtime::mcp_http::incoming::{Caller, Callers};
use crate::runtime::mcp_http::mirror::Mirrors;
use crate::runtime::questions::Questions;
use crate::runtime::subscribed::Subscribed;
use crate::runtime::{CallContext, Host};
use crate::session::Session;
use crate::wire::json::Json;
use crate::wire::message::{Outcome, Params, write_notification, write_request};
use crate::wire::meta;
use crate::wire::method::Method;
use crate::wire::revision::{Era, Revision};

/// How long a farewell may take: that a call is not wanted any more, that a session is not needed any more.
const FAREWELL: Duration = Duration::from_secs(2);

/// The requests to one remote server, in one upstream session where it has sessions.
pub(super) struct HttpLink {
    me: Weak<Self>,
    pub(super) endpoint: Endpoint,
    /// Without its session, which may become another.
    pub(super) host: Host,
    /// The session that all callers belong to, where they do.
    session: Mutex<Option<Arc<Session>>>,
    pub(super) head: ArcSwap<Head>,
    /// A session that `initialize` is opening.
    opening: Mutex<Option<Arc<Head>>>,
    /// Held while a lost session is opened again.
    renewing: tokio::sync::Mutex<()>,
    /// How long opening a session again may take.
    pub(super) start_timeout: Duration,
    /// How often things are done again, and how long they may take.
    pub(super) pace: Pace,
    next_id: AtomicU64,
    pub(super) callers: Callers,
    pub(super) mirrors: ArcSwap<Mirrors>,
    /// Which lists the server says are others now, or may have said so unheard.
    pub(super) changed: Changed,
    /// What a modern server is asked to tell of.
    pub(super) subscribed: Subscribed,
    /// Its questions that are being answered.
    pub(super) questions: Questions,
    /// Cancelled when nothing more is asked.
    pub(super) closed: CancellationToken,
    /// Cancelled when the upstream session is lost for good.
    pub(super) ended: CancellationToken,
    last_words: Mutex<Option<String>>,
    last_heard: Mutex<Option<Instant>>,
}

/// One request on its way.
pub(super) struct Turn<'a> {
    pub(super) id: u64,
    pub(super) method: &'a Method,
    pub(super) params: &'a Params,
    /// Whose it is; the gateway's own if nobody's.
    pub(super) caller: Option<&'a Caller>,
    pub(super) body: Bytes,
    pub(super) head: Arc<Head>,
}

/// Why an exchange brought no answer.
pub(super) enum Failure {
    /// The server no longer knows the session. It has not carried out the request.
    SessionLost,
    /// Anything else.
    Other(Fault),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Other(fault)
    }
}

impl HttpLink {
    /// A link that has said nothing yet. A session is opened again within `start_timeout`.
    pub(super) fn new(
        endpoint: Endpoint,
        host: Host,
        start_timeout: Duration,
        pace: Pace,
    ) -> Arc<Self> {
        let head = Head::new(endpoint.headers(), None, None, 0);
        let mut host = host;
        let session = host.session.take();
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            endpoint,
            host,
            session: Mutex::new(session),
            head: ArcSwap::from_pointee(head),
            opening: Mutex::default(),
            renewing: tokio::sync::Mutex::default(),
            start_timeout,
            pace,
            next_id: AtomicU64::new(1),
            callers: Callers::default(),
            mirrors: ArcSwap::default(),
            changed: Changed::default(),
            subscribed: Subscribed::default(),
            questions: Questions::default(),
            closed: CancellationToken::new(),
            ended: CancellationToken::new(),
            last_words: Mutex::default(),
            last_heard: Mutex::default(),
        })
    }

    /// From now on `peer` is spoken to as was agreed.
    pub(super) fn adopt(&self, peer: &Peer) {
        match peer.era() {
            Era::Modern => self.adopt_modern(peer.revision),
            Era::Legacy => self.adopt_session(),
        }
    }

    /// Says which session alone the callers to come belong to; `None`: they may belong to several.
    pub(super) fn serve(&self, session: Option<Arc<Session>>) {
        *self.session.lock().expect("no holder of this lock panics") = session;
    }

    /// The session that all callers belong to, where they do.
    pub(super) fn session(&self) -> Option<Arc<Session>> {
        let session = self.session.lock();
        session.expect("no holder of this lock panics").clone()
    }

    /// The host as the server is told of it when hands are shaken.
    pub(super) fn greeting_host(&self) -> Host {
        Host {
            session: self.session(),
            ..self.host.clone()
        }
    }

    /// From now on the modern era is spoken, in `revision`, for whoever comes.
    fn adopt_modern(&self, revision: Revision) {
        self.serve(None);
        let head = Head::new(self.endpoint.headers(), Some(revision), None, 0);
        self.head.store(Arc::new(head));
    }

    /// From now on the session is used that `initialize` has opened.
    pub(super) fn adopt_session(&self) {
        if let Some(head) = self.opening().take() {
            self.head.store(head);
        }
    }

    /// The session that `initialize` is opening, if it does.
    pub(super) fn being_opened(&self) -> Option<Arc<Head>> {
        self.opening().clone()
    }

    fn opening(&self) -> std::sync::MutexGuard<'_, Option<Arc<Head>>> {
        self.opening.lock().expect("no holder of this lock panics")
    }

    /// An id that no request has had.
    pub(super) fn new_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends a request and waits for its answer. One that finds the session lost opens it again, once, and is sent
    /// again: a server that does not know the session has not carried it out.
    pub(super) async fn ask(
        &self,
        method: &Method,
        mut params: Params,
        call: Option<&CallContext>,
    ) -> Result<Outcome, Fault> {
        let id = self.new_id();
        let caller = call.map(|call| Caller {
            id,
            client: Arc::clone(&call.client),
            token: params.progress_token().cloned(),
        });
        if caller.as_ref().is_some_and(|caller| caller.token.is_some()) {
            params.meta.set(meta::PROGRESS_TOKEN, Json::of(&id));
        }
        let mut turn = Turn {
            id,
            method,
            params: &params,
            caller: caller.as_ref(),
            body: written(&params, |out| write_request(out, id, method, &params)),
            head: self.head_for(method),
        };
        let mut waiting = Waiting::new(self, &turn, call.and_then(|call| call.farewell.clone()));
        let outcome = tokio::select! {
            biased;
            outcome = self.ask_twice(&mut turn) => outcome,
            () = self.closed.cancelled() => Err(self.why_closed()),
        };
        waiting.tell = false;
        outcome
    }

    async fn ask_twice(&self, turn: &mut Turn<'_>) -> Result<Outcome, Fault> {
        match self.exchange(turn).await {
            Ok(outcome) => return Ok(outcome),
            Err(Failure::Other(fault)) => return Err(fault),
            Err(Failure::SessionLost) => self.renew(turn.head.generation).await?,
        }
        turn.head = self.head.load_full();
        match self.exchange(turn).await {
            Ok(outcome) => Ok(outcome),
            Err(Failure::Other(fault)) => Err(fault),
            Err(Failure::SessionLost) => {
                let fault = self.endpoint.upstream.fault(
                    FaultKind::Unavailable,
                    "session_lost",
                    "it forgot the session as soon as it had been opened again",
                );
                self.end(&fault);
                Err(fault)
            }
        }
    }

    /// The head a request of `method` is sent with.
    fn head_for(&self, method: &Method) -> Arc<Head> {
        let fresh = |revision| Arc::new(Head::new(self.endpoint.headers(), revision, None, 0));
        match method {
            Method::Initialize => fresh(None),
            Method::Discover if self.head.load().revision.is_none() => {
                fresh(Some(Revision::NEWEST))
            }
            _ => self.head.load_full(),
        }
    }

    /// Notes the session id that came with the answer to `initialize`.
    pub(super) fn note_session(&self, headers: &HeaderMap) -> Result<(), Fault> {
        let session = match headers.get(SESSION_ID) {
            None => None,
            Some(value) => Some(session_id(value).ok_or_else(|| {
                let upstream = &self.endpoint.upstream;
                upstream.broken("protocol_error", "its session id is not visible ASCII")
            })?),
        };
        self.open_with(None, session);
        Ok(())
    }

    fn open_with(&self, revision: Option<Revision>, session: Option<HeaderValue>) {
        let generation = self.head.load().generation + 1;
        let head = Head::new(self.endpoint.headers(), revision, session, generation);
        *self.opening() = Some(Arc::new(head));
    }

    /// Opens the session again, unless somebody else has. Goes on when its caller goes away: half an opening is of no
    /// use to anybody.
    async fn renew(&self, lost: u64) -> Result<(), Fault> {
        let Some(me) = self.me.upgrade() else {
            return Err(self.why_closed());
        };
        let work = async move {
            let _only_one = me.renewing.lock().await;
            if me.head.load().generation != lost {
                return Ok(());
            }
            let plugin = &me.endpoint.upstream.plugin;
            tracing::info!(plugin.id = %plugin, "`{plugin}` forgot its session; opens another");
            initialize(&*me, &me.greeting_host(), me.start_timeout)
                .await
                .map_err(|fault| me.endpoint.upstream.named(fault))?;
            me.adopt_session();
            // The server may be another by now, with other lists.
            me.changed.mark_all();
            let watching = Arc::clone(&me);
            let again = async move { watching.watch_again().await };
            drop(me.host.supervisor.spawn_request(again));
            Ok(())
        };
        let done = self.host.supervisor.spawn_request(work).await;
        done.unwrap_or_else(|_| Err(self.why_closed()))
    }

    /// The session is lost for good.
    pub(super) fn end(&self, fault: &Fault) {
        let mut last_words = self
            .last_words
            .lock()
            .expect("no holder of this lock panics");
        last_words.get_or_insert_with(|| fault.message.clone());
        drop(last_words);
        self.ended.cancel();
    }

    /// Notes that the server has just answered, or a part of an answer has come.
    pub(super) fn heard(&self) {
        *self.last_heard_at() = Some(Instant::now());
    }

    /// When that was.
    pub(super) fn last_heard(&self) -> Option<Instant> {
        *self.last_heard_at()
    }

    fn last_heard_at(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        let at = self.last_heard.lock();
        at.expect("no holder of this lock panics")
    }

    /// Why it ended by itself.
    pub(super) fn last_words(&self) -> Option<String> {
        let last_words = self
            .last_words
            .lock()
            .expect("no holder of this lock panics");
        last_words.clone()
    }

    fn why_closed(&self) -> Fault {
        self.endpoint
            .upstream
            .fault(FaultKind::Unavailable, "stopping", "it is being stopped")
    }

    /// Sends something that is not answered. Bounded, as a session is opened again only when the server has taken it.
    pub(super) async fn tell(&self, body: Bytes, head: &Head) -> Result<(), Fault> {
        let headers = || head.headers().clone();
        let endpoint = &self.endpoint;
        let sending = endpoint.send(&http::Method::POST, &body, &headers);
        let bound = self.pace.telling;
        let sent = tokio::time::timeout(bound, sending).await;
        let answer = sent.unwrap_or_else(|_| {
            let bound = bound.as_millis();
            let what = format_args!("it did not accept a message within {bound} ms");
            Err(endpoint
                .upstream
                .fault(FaultKind::Timeout, "tell_timeout", what))
        })?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(endpoint.upstream.status(answer.status(), answer.headers()))
    }

    /// Ends the upstream session, if there is one. Bounded; a server may not know how.
    pub(super) async fn say_goodbye(&self) {
        let opening = self.opening().take();
        for head in [Some(self.head.load_full()), opening].into_iter().flatten() {
            if head.session.is_none() {
                continue;
            }
            let headers = || {
                let mut headers = head.headers().clone();
                headers.remove(CONTENT_TYPE);
                headers
            };
            let empty = Bytes::new();
            let saying = self.endpoint.send(&http::Method::DELETE, &empty, &headers);
            if !matches!(tokio::time::timeout(FAREWELL, saying).await, Ok(Ok(_))) {
                tracing::debug!(plugin.id = %self.endpoint.upstream.plugin, "Could not end the upstream session");
            }
        }
    }
}

impl Link for HttpLink {
    fn request<'a>(
        &'a self,
        method: &'a Method,
        params: Params,
        call: Option<&'a CallContext>,
    ) -> BoxFuture<'a, Result<Outcome, Fault>> {
        Box::pin(self.ask(method, params, call))
    }

    fn notify<'a>(
        &'a self,
        method: &'a Method,
        params: Params,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        let opening = self.opening().clone();
        let head = opening.filter(|_| *method == Method::Initialized);
        let head = head.unwrap_or_else(|| self.head.load_full());
        Box::pin(async move {
            let body = written(&params, |out| write_notification(out, method, &params));
            self.tell(body, &head).await
        })
    }

    fn agreed(&self, revision: Revision) {
        let session = self.opening().take().and_then(|head| head.session.clone());
        self.open_with(Some(revision), session);
    }
}

/// A message as bytes.
fn written(params: &Params, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let members = params.members.iter().chain(params.meta.iter());
    let length: usize = members
        .map(|(name, value)| name.len() + value.bytes().len() + 4)
        .sum();
    let mut out = Vec::with_capacity(length + 128);
    write(&mut out);
    out.into()
}

/// A request that waits. When its caller goes away it is forgotten, and a legacy server is told; a modern one sees the
/// stream close.
struct Waiting<'a> {
    link: &'a HttpLink,
    id: u64,
    legacy: bool,
    tell: bool,
    farewell: Option<Farewell>,
}

impl<'a> Waiting<'a> {
    fn new(link: &'a HttpLink, turn: &Turn<'a>, farewell: Option<Farewell>) -> Self {
        let legacy = turn.head.era() == Some(Era::Legacy);
        if let Some(caller) = turn.caller.filter(|_| legacy) {
            link.callers.add(caller.clone());
        }
        Self {
            link,
            id: turn.id,
            legacy,
            tell: legacy,
            farewell,
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.legacy {
            self.link.callers.remove(self.id, self.tell);
        }
        let Some(link) = self.link.me.upgrade().filter(|_| self.tell) else {
            return;
        };
        let params = Farewell::params(self.farewell.as_ref(), self.id);
        let supervisor = link.host.supervisor.clone();
        drop(supervisor.spawn_request(async move {
            let telling = link.notify(&Method::Cancelled, params);
            if !matches!(tokio::time::timeout(FAREWELL, telling).await, Ok(Ok(()))) {
                tracing::debug!(plugin.id = %link.endpoint.upstream.plugin, "Could not cancel a request");
            }
        }));
    }
}
