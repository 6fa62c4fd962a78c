//! What a plugin sends: answers to their callers, notifications to whom they are for, questions to the client.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::model::client::Hearer;
use crate::model::fault::{Fault, FaultKind};
use crate::model::offer;
use crate::runtime::client::broken;
use crate::runtime::lines::{Lines, Why};
use crate::wire::error::{INTERNAL_ERROR, METHOD_NOT_FOUND, RpcError};
use crate::wire::json::Json;
use crate::wire::line::{LineDecoder, LineError};
use crate::wire::list::Topic;
use crate::wire::message::{Id, Message, Notification, Params, Reject, Request, write_error};
use crate::wire::meta::SUBSCRIPTION_ID;
use crate::wire::method::Method;
use crate::wire::revision::Era;

/// How many bytes are read in one go.
const CHUNK: usize = 64 << 10;

/// How much of a line that is not a message goes to the log.
const EXCERPT: usize = 200;

/// Reads until the end of the pipe, then tells whoever still waits why it ended.
pub(super) async fn read<R: AsyncRead + Unpin>(lines: Arc<Lines>, mut reader: R, why: Why) {
    let mut decoder = LineDecoder::new(lines.max_message);
    loop {
        let room = decoder.room();
        room.reserve(CHUNK);
        match reader.read_buf(room).await {
            Ok(0) | Err(_) => break,
            Ok(_) => take_lines(&lines, &mut decoder),
        }
        // A plugin that never stops talking must not keep this thread from others.
        tokio::task::yield_now().await;
    }
    if decoder.finish().is_some() {
        lines.counts.garbage.fetch_add(1, Ordering::Relaxed);
    }
    lines.close();
    let fault = why().await;
    lines.end(&fault);
}

fn take_lines(lines: &Arc<Lines>, decoder: &mut LineDecoder) {
    while let Some(line) = decoder.next_line() {
        match line {
            Ok(line) => take(lines, line),
            Err(err) => {
                lines.counts.garbage.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(plugin.id = %lines.plugin, "Dropped output of the plugin: {err}");
                if matches!(err, LineError::TooLong { .. }) {
                    // Nobody can say whose answer it was.
                    let message = format!(
                        "plugin `{}` sent a line that is too long: {err}",
                        lines.plugin
                    );
                    lines.pending.fail_waiting(
                        &Fault::new(FaultKind::Broken, message).because("line_too_large"),
                    );
                }
            }
        }
    }
}

fn take(lines: &Arc<Lines>, line: Bytes) {
    match Message::parse(line.clone()) {
        Ok(message) => given(lines, message),
        Err(reject) => match Message::parse_batch(&line) {
            // Servers of one revision may send several in one line (MCP 2025-03-26).
            Some(Ok(batch)) => batch.into_iter().for_each(|message| match message {
                Ok(message) => given(lines, message),
                Err(reject) => unreadable(lines, &line, &reject),
            }),
            Some(Err(_)) | None => unreadable(lines, &line, &reject),
        },
    }
}

fn given(lines: &Arc<Lines>, message: Message) {
    match message {
        Message::Response(response) => {
            let id = response.id.as_ref().and_then(Id::as_number);
            let taken = match id {
                Some(id) => lines.pending.complete(id, Ok(response.outcome)),
                None => false,
            };
            if !taken {
                lines.counts.late.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(plugin.id = %lines.plugin, "Dropped an answer that nobody waits for");
            }
        }
        Message::Notification(notification) => told(lines, notification),
        Message::Request(request) => asked(lines, request),
    }
}

fn unreadable(lines: &Lines, line: &[u8], reject: &Reject) {
    lines.counts.garbage.fetch_add(1, Ordering::Relaxed);
    let excerpt = String::from_utf8_lossy(&line[..line.len().min(EXCERPT)]).into_owned();
    tracing::warn!(plugin.id = %lines.plugin, excerpt = ?excerpt, "Dropped a line that is no message");
    malformed(lines, line, reject);
}

/// Fails the call that a malformed answer was for: its sender will not send it again. Lines that were not meant to be
/// answers, such as logs in JSON, which some servers write to their output, fail nothing.
fn malformed(lines: &Lines, line: &[u8], reject: &Reject) {
    let has = |word: &str| memchr::memmem::find(line, word.as_bytes()).is_some();
    if !line.starts_with(b"{") || !(has("\"result\"") || has("\"error\"")) {
        return;
    }
    let message = format!(
        "plugin `{}` sent a malformed message: {}",
        lines.plugin, reject.error.message
    );
    let id = reject.id.as_ref().and_then(Id::as_number);
    let id = id.or_else(|| guess_id(line));
    if id.is_some_and(|id| lines.pending.complete(id, Err(broken(message.clone())))) {
        return;
    }
    // One that was asked for once is late. The id of another is not to be trusted.
    let late = id.is_some_and(|id| id < lines.next_id.load(Ordering::Relaxed));
    if late || !has("\"jsonrpc\"") || !lines.pending.fail_oldest(broken(message)) {
        lines.counts.late.fetch_add(1, Ordering::Relaxed);
    }
}

/// The number behind the first `"id":` of a text that is no JSON.
fn guess_id(line: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(line, b"\"id\"")?;
    let rest = line[at + 4..]
        .trim_ascii_start()
        .strip_prefix(b":")?
        .trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

fn told(lines: &Arc<Lines>, notification: Notification) {
    let Notification { method, mut params } = notification;
    let delivered = match method {
        Method::Progress => {
            let token = params.members.get("progressToken");
            let id = token.and_then(|token| std::str::from_utf8(token.bytes()).ok()?.parse().ok());
            match id.and_then(|id| lines.pending.caller(id)) {
                Some(caller) => caller.token.is_some_and(|token| {
                    params.members.set("progressToken", token);
                    caller.client.notify(&method, &params);
                    true
                }),
                None => false,
            }
        }
        Method::Cancelled => {
            if !ends_subscription(lines, &params) {
                lines.questions.taken_back(&params);
            }
            true
        }
        Method::ListenAcknowledged => {
            lines.subscribed.acknowledged(Some(&params));
            true
        }
        // During a replacement each of both subscriptions tells of it.
        Method::ResourcesUpdated if !lines.subscribed.is_news(&params) => true,
        Method::ResourcesUpdated => {
            params.meta.remove(SUBSCRIPTION_ID);
            lines.host.updates.tell(&method, &params) > 0
        }
        _ => match Topic::of(&method) {
            Some(topic) => {
                lines.changed.mark(topic);
                true
            }
            None => pass_on(lines, &method, &params),
        },
    };
    if !delivered {
        lines.counts.strays.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether a modern plugin ends our subscription by this `notifications/cancelled` (MCP 2026-07-28, subscriptions): it
/// need not answer the request then.
fn ends_subscription(lines: &Lines, params: &Params) -> bool {
    let id = params.members.get("requestId").and_then(Id::of);
    let id = id.as_ref().and_then(Id::as_number);
    lines.era() == Era::Modern && id.is_some_and(|id| lines.pending.end_subscription(id))
}

/// Passes on a log message or what an extension tells: to the client of the call it must belong to, else to the session
/// that has the plugin to itself.
fn pass_on(lines: &Lines, method: &Method, params: &Params) -> bool {
    if let Some(caller) = lines.hearer(method) {
        caller.client.notify(method, params);
        return true;
    }
    let Some(session) = lines.session() else {
        return false;
    };
    session.hear(method, params);
    true
}

fn asked(lines: &Arc<Lines>, request: Request) {
    if request.method == Method::Ping {
        return lines.answer(&request.id, &Json::literal("{}"));
    }
    // It knows what it was told of its clients; one that everyone shares was told that they offer nothing.
    if let Err(error) = offer::check(&lines.host.profile, &request.method, &request.params) {
        return refuse(lines, &request.id, &error);
    }
    let caller = lines.addressee().map(|caller| caller.client);
    // Outside of calls the session that has the plugin to itself is asked, if it can be reached there.
    let outside = || lines.session()?.client();
    let Some(client) = caller.or_else(outside) else {
        let text = format!(
            "`{}`: no call is in flight that the question could belong to",
            request.method
        );
        return refuse(lines, &request.id, &RpcError::new(METHOD_NOT_FOUND, text));
    };
    let Some(question) = lines.questions.begin(&request.id) else {
        let text = "too many questions are open, or one of this `id` is";
        return refuse(lines, &request.id, &RpcError::new(INTERNAL_ERROR, text));
    };
    let (asking, farewell) = (Arc::clone(lines), question.farewell.clone());
    let mut work = Box::pin(async move {
        let answer = tokio::select! {
            answer = client.ask_until(request.method, request.params, farewell) => answer,
            () = asking.ended.cancelled() => return,
            // What was taken back gets no answer (MCP, cancellation).
            () = question.cancel.cancelled() => return,
        };
        match answer {
            Ok(result) => asking.answer(&request.id, &result),
            Err(error) => refuse(&asking, &request.id, &error),
        }
    });
    // It is put at once, before whatever the plugin says next.
    if (&mut work).now_or_never().is_none() {
        lines.host.supervisor.spawn_request(work);
    }
}

fn refuse(lines: &Lines, id: &Id, error: &RpcError) {
    if lines
        .send_message(|out| write_error(out, Some(id), error))
        .is_err()
    {
        tracing::debug!(plugin.id = %lines.plugin, "Could not refuse a request of the plugin");
    }
}
