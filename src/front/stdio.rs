//! The stdio front: one client on standard input and output, both eras (MCP 2026-07-28 and 2025-11-25, stdio).
//!
//! Standard output belongs to the protocol. The end of the input ends everything: calls are cancelled, the gateway
//! stops.

mod modern;

mod writer;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::front::desk::{Desk, Reply};
use crate::front::outgoing::Logs;
use crate::front::rounds::Rounds;
use crate::front::session_client::{AtEnd, SessionClient, Way};
use crate::front::stdio::writer::Writer;
use crate::model::caller::{Caller, ClientProfile};
use crate::model::client::{Client, Deaf};
use crate::registry::Viewer;
use crate::registry::changes::Changes;
use crate::registry::pool::Who;
use crate::runtime::CallContext;
use crate::session::table::new_id;
use crate::session::{InFlight, Session};
use crate::wire::error::{INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR, RpcError};
use crate::wire::line::{LineDecoder, LineError};
use crate::wire::message::{
    Id, Message, Notification, Params, Reject, Request, write_error, write_notification,
    write_result_head,
};
use crate::wire::meta;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// The most requests in flight, those whose answers wait for a client that does not read included.
const MAX_ANSWERING: usize = 1024;

/// How many bytes are read in one go.
const CHUNK: usize = 64 << 10;

/// How long calls may take to end after the gateway was told to stop.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The client on the other end of the pipe.
struct Pipe {
    desk: Arc<Desk>,
    caller: Arc<Caller>,
    writer: Arc<Writer>,
    /// The calls that wait for its client.
    rounds: Arc<Rounds>,
    /// How many requests are being answered.
    answering: watch::Sender<usize>,
    /// Cancelled when the gateway is told to stop while the client is still there.
    stopping: CancellationToken,
    /// Holds what is in flight, whatever its era: ids are unique on a pipe.
    process: Arc<Session>,
    /// The session that `initialize` opened.
    session: OnceLock<Arc<Session>>,
}

/// Serves the client until its input ends or `stop` is cancelled.
pub async fn serve<R, W>(
    desk: Arc<Desk>,
    caller: Arc<Caller>,
    max_message: usize,
    (reader, output): (R, W),
    stop: CancellationToken,
) where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let writer = Writer::start(output, &desk.supervisor);
    let process = Session::new(
        new_id(),
        Arc::clone(&caller.principal),
        Arc::new(ClientProfile::bare()),
    );
    let pipe = Arc::new(Pipe {
        rounds: desk.rounds.alike(),
        desk,
        caller,
        writer,
        answering: watch::Sender::new(0),
        stopping: CancellationToken::new(),
        process,
        session: OnceLock::new(),
    });
    tokio::select! {
        () = pipe.read(reader, max_message) => {}
        () = stop.cancelled() => pipe.say_goodbye().await,
        () = pipe.writer.broken() => {}
    }
    pipe.rounds.close();
    pipe.process.end();
    if let Some(session) = pipe.session.get() {
        session.end();
    }
    pipe.writer.close().await;
}

impl Pipe {
    async fn read<R: AsyncRead + Unpin>(self: &Arc<Self>, mut reader: R, max_message: usize) {
        let mut decoder = LineDecoder::new(max_message);
        loop {
            let room = decoder.room();
            room.reserve(CHUNK);
            match reader.read_buf(room).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(err) => return tracing::warn!("Could not read standard input: {err}"),
            }
            while let Some(line) = decoder.next_line() {
                match line {
                    Ok(line) => self.line(line).await,
                    Err(err @ LineError::TooLong { .. }) => {
                        let error = RpcError::new(PARSE_ERROR, format!("Parse error: {err}"));
                        self.refuse(None, &error).await;
                    }
                    Err(LineError::Unfinished(_)) => return,
                }
            }
        }
    }

    /// Ends what runs, each with an answer.
    async fn say_goodbye(&self) {
        self.stopping.cancel();
        self.rounds.close();
        self.desk.dispatcher.close();
        let mut answering = self.answering.subscribe();
        let quiet = answering.wait_for(|count| *count == 0);
        tokio::time::timeout(LAST_WORDS, quiet).await.ok();
    }

    async fn line(self: &Arc<Self>, line: Bytes) {
        if let Some(batch) = Message::parse_batch(&line) {
            return match batch {
                Err(reject) => self.reject(&reject).await,
                Ok(_) if !self.has_batches() => {
                    let text =
                        "Invalid request: this revision has no batches; send one message per line";
                    self.refuse(None, &RpcError::new(INVALID_REQUEST, text))
                        .await;
                }
                Ok(batch) => {
                    // Each is answered by itself: a batch of answers is allowed, not owed (JSON-RPC 2.0 section 6).
                    for message in batch {
                        self.message(message).await;
                    }
                }
            };
        }
        self.message(Message::parse(line)).await;
    }

    fn has_batches(&self) -> bool {
        self.session
            .get()
            .is_some_and(|session| session.profile.revision.has_batches())
    }

    async fn message(self: &Arc<Self>, message: Result<Message, Reject>) {
        match message {
            Ok(Message::Request(request)) => self.request(request).await,
            Ok(Message::Notification(notification)) => self.told(notification),
            Ok(Message::Response(response)) => {
                let session = self.session.get();
                if !session.is_some_and(|session| session.answered(response)) {
                    tracing::debug!("Dropped an answer to nothing");
                }
            }
            Err(reject) => self.reject(&reject).await,
        }
    }

    fn told(&self, notification: Notification) {
        if notification.method != Method::Cancelled {
            if let Some(session) = self.session.get() {
                self.desk.told(session, notification);
            }
            return;
        }
        self.process.cancel(&notification.params);
    }

    async fn request(self: &Arc<Self>, request: Request) {
        let Some(in_flight) = self.process.begin(&request.id) else {
            let error = RpcError::new(
                INVALID_REQUEST,
                "Invalid request: a request of this `id` is in flight",
            );
            return self.refuse(Some(&request.id), &error).await;
        };
        let modern = request.params.meta.get(meta::PROTOCOL_VERSION).is_some();
        if request.method == Method::Initialize && !modern {
            return self.initialize(&request).await;
        }
        let known = if modern || request.method == Method::Discover {
            Desk::modern_profile(&request.params, |_| Ok(()))
                .map(|profile| (Arc::new(profile), None))
                .inspect(|(profile, _)| {
                    self.desk.registry().meet(&Who {
                        principal: Arc::clone(&self.caller.principal),
                        profile: Arc::clone(profile),
                        session: None,
                    });
                })
        } else {
            self.legacy(&request.method)
        };
        let (profile, session) = match known {
            Ok(known) => known,
            Err(error) => return self.refuse(Some(&request.id), &error).await,
        };
        if *self.answering.borrow() >= MAX_ANSWERING {
            let text = format!(
                "{MAX_ANSWERING} requests are in flight or wait for their answers to be read"
            );
            return self
                .refuse(Some(&request.id), &RpcError::new(INTERNAL_ERROR, text))
                .await;
        }
        let answering = Answering::begin(self);
        self.desk.supervisor.spawn_request(async move {
            let pipe = Arc::clone(&answering.0);
            pipe.answer(request, (profile, session), in_flight, answering)
                .await;
        });
    }

    /// The profile and session of a legacy request.
    fn legacy(
        &self,
        method: &Method,
    ) -> Result<(Arc<ClientProfile>, Option<Arc<Session>>), RpcError> {
        match self.session.get() {
            Some(session) => Ok((Arc::clone(&session.profile), Some(Arc::clone(session)))),
            None if *method == Method::Ping => Ok((
                Arc::new(ClientProfile {
                    revision: crate::wire::revision::Revision::NEWEST_LEGACY,
                    ..ClientProfile::bare()
                }),
                None,
            )),
            None => {
                let text = format!(
                    "Invalid request: `{method}` before `initialize`, and without `_meta` of revision 2026-07-28"
                );
                Err(RpcError::new(INVALID_REQUEST, text))
            }
        }
    }

    async fn initialize(self: &Arc<Self>, request: &Request) {
        let profile = match Desk::legacy_profile(&request.params) {
            Ok(profile) => Arc::new(profile),
            Err(error) => return self.refuse(Some(&request.id), &error).await,
        };
        let revision = profile.revision;
        let session = Session::new(new_id(), Arc::clone(&self.caller.principal), profile);
        let opened = self.reach(&session);
        let viewer = Viewer::of_session(&self.caller, &session);
        if self.session.set(session).is_err() {
            let error = RpcError::new(
                INVALID_REQUEST,
                "Invalid request: this session is initialized already",
            );
            return self.refuse(Some(&request.id), &error).await;
        }
        // The plugins are started for this client.
        self.desk.registry().meet(&viewer.who);
        let result = self.desk.welcome(revision, &self.caller).await;
        let changes = self.desk.registry().changes(viewer);
        self.result(&request.id, &result).await;
        // Nothing stands before the answer that opens the session.
        opened.cancel();
        self.tell_changes(changes);
    }

    /// Says how the client of the session is reached outside of calls, once the token that is given back is cancelled.
    fn reach(&self, session: &Session) -> CancellationToken {
        let opened = CancellationToken::new();
        let way = Outside {
            writer: Arc::clone(&self.writer),
            opened: opened.clone(),
        };
        let asking = way.clone();
        session.reach_by(move |message| way.offer(message));
        session.ask_by(move |session| SessionClient::outside(session, asking.clone()));
        opened
    }

    async fn answer(
        self: Arc<Self>,
        request: Request,
        (profile, session): (Arc<ClientProfile>, Option<Arc<Session>>),
        in_flight: InFlight,
        answering: Answering,
    ) {
        let Request { id, method, params } = request;
        if method == Method::Listen && profile.era() == Era::Modern {
            return self.listen(&id, &params, profile, &in_flight).await;
        }
        if profile.era() == Era::Modern {
            return self
                .modern((id, method, params), profile, in_flight, answering)
                .await;
        }
        let logs = match &session {
            Some(session) => Desk::session_logs(session),
            None => Logs::None,
        };
        let call = self.desk.dispatcher.next_call();
        let (client, at_end) = self.client(call, session.as_ref(), logs);
        let context = CallContext {
            id: call,
            caller: Arc::clone(&self.caller),
            profile,
            session,
            log_level: logs.level(),
            timeout: None,
            cancel: in_flight.cancel.clone(),
            farewell: Some(in_flight.farewell.clone()),
            client,
        };
        let reply = self.desk.answer(&method, params, context).await;
        drop(at_end);
        self.end(&id, in_flight, reply).await;
    }

    /// Answers a request. What was cancelled gets no answer (MCP, cancellation).
    async fn end(&self, id: &Id, in_flight: InFlight, reply: Reply) {
        let cancelled = in_flight.cancel.is_cancelled();
        drop(in_flight);
        match reply {
            _ if cancelled => {}
            Reply::Nothing => {}
            Reply::Result(result) | Reply::Denied(result, _) => self.result(id, &result).await,
            Reply::Asks(result) => self.result(id, result.bytes()).await,
            Reply::Error(error) => self.refuse(Some(id), &error).await,
        }
    }

    /// The way back to the client of a call, and what ends it.
    fn client(
        &self,
        call: u64,
        session: Option<&Arc<Session>>,
        logs: Logs,
    ) -> (Arc<dyn Client>, Option<AtEnd<Arc<Writer>>>) {
        let writer = Arc::clone(&self.writer);
        let Some(session) = session else {
            // Before `initialize` there is only `ping`.
            return (Arc::new(Deaf), None);
        };
        let client = SessionClient::new(session, call, logs, writer);
        let at_end = client.at_end();
        (client, Some(at_end))
    }

    /// Tells a legacy client of changes for as long as it is there.
    fn tell_changes(self: &Arc<Self>, mut changes: Changes) {
        let pipe = Arc::clone(self);
        self.desk
            .supervisor
            .spawn("stdio changes", |stop| async move {
                loop {
                    tokio::select! {
                        topics = changes.next() => topics
                            .into_iter()
                            .for_each(|topic| pipe.notify(&topic.changed(), &Params::default())),
                        () = pipe.process.ended().cancelled() => return,
                        () = stop.cancelled() => return,
                    }
                }
            });
    }

    fn notify(&self, method: &Method, params: &Params) {
        let mut out = Vec::with_capacity(160);
        write_notification(&mut out, method, params);
        self.writer.offer(out.into());
    }

    async fn result(&self, id: &Id, result: &Bytes) {
        let mut out = Vec::with_capacity(result.len() + 64);
        write_result_head(&mut out, id);
        out.extend_from_slice(result);
        out.push(b'}');
        self.writer.send(out.into()).await;
    }

    async fn refuse(&self, id: Option<&Id>, error: &RpcError) {
        let mut out = Vec::with_capacity(256);
        write_error(&mut out, id, error);
        self.writer.send(out.into()).await;
    }

    async fn reject(&self, reject: &Reject) {
        self.refuse(reject.id.as_ref(), &reject.error).await;
    }
}

/// The way to the client outside of calls, from the moment on at which its session is open.
#[derive(Clone)]
struct Outside {
    writer: Arc<Writer>,
    opened: CancellationToken,
}

impl Way for Outside {
    fn offer(&self, message: Bytes) {
        if self.opened.is_cancelled() {
            self.writer.offer(message);
        }
    }

    async fn send(&self, message: Bytes) -> bool {
        self.opened.cancelled().await;
        Way::send(&self.writer, message).await
    }
}

/// A request while it is being answered.
struct Answering(Arc<Pipe>);

impl Answering {
    fn begin(pipe: &Arc<Pipe>) -> Self {
        pipe.answering.send_modify(|count| *count += 1);
        Self(Arc::clone(pipe))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.send_modify(|count| *count -= 1);
    }
}

impl Way for Arc<Writer> {
    fn offer(&self, message: Bytes) {
        Writer::offer(self, message);
    }

    async fn send(&self, message: Bytes) -> bool {
        Writer::send(self, message).await;
        true
    }
}
