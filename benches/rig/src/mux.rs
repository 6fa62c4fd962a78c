//! The raw multiplexer: HTTP in front of one child on stdio. Ids are made anew, everything else is passed unread.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};

use crate::Problem;
use crate::args::Args;
use crate::envelope::{self, Answer, Passing};
use crate::serve::{Always, Place, bare, json};

/// Lines waiting to be written; above it, callers wait.
const QUEUE_LINES: usize = 1024;
const BUFFER_BYTES: usize = 64 * 1024;

/// Who waits for an answer of the child, and the id they know it by.
struct Waiter {
    id: String,
    answer: oneshot::Sender<Vec<u8>>,
}

struct Mux {
    lines: mpsc::Sender<Vec<u8>>,
    waiters: Mutex<HashMap<u64, Waiter>>,
    next_id: AtomicU64,
}

pub(crate) fn run(mut args: Args) -> Result<(), Problem> {
    let place = Place::from_args(&mut args)?;
    let command = args.command()?;
    args.done()?;
    place.runtime()?.block_on(async {
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take().ok_or("the child has no stdin")?;
        let stdout = child.stdout.take().ok_or("the child has no stdout")?;
        let (lines, queue) = mpsc::channel(QUEUE_LINES);
        let mux = Arc::new(Mux {
            lines,
            waiters: Mutex::default(),
            next_id: AtomicU64::new(1),
        });
        tokio::spawn(write_lines(queue, stdin));
        tokio::spawn(read_lines(Arc::clone(&mux), stdout));
        place.serve(mux, handle).await
    })
}

async fn handle(mux: Arc<Mux>, request: Request<Incoming>) -> Always {
    let Ok(body) = request.into_body().collect().await else {
        return Ok(bare(StatusCode::BAD_REQUEST));
    };
    Ok(match mux.pass(body.to_bytes()).await {
        Ok(Some(answer)) => json(answer),
        Ok(None) => bare(StatusCode::ACCEPTED),
        Err(_) => bare(StatusCode::BAD_GATEWAY),
    })
}

impl Mux {
    /// Passes one message to the child; its answer, unless it was a notification.
    async fn pass(&self, body: Bytes) -> Result<Option<Vec<u8>>, Problem> {
        let message: Passing<'_> = serde_json::from_str(std::str::from_utf8(&body)?)?;
        let params = message.params.map_or("{}", |raw| raw.get());
        let Some(id) = message.id else {
            self.lines.send(line("", &message.method, params)).await?;
            return Ok(None);
        };
        let ours = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiters
            .lock()
            .expect("no holder of this lock panics")
            .insert(
                ours,
                Waiter {
                    id: id.get().to_owned(),
                    answer: sender,
                },
            );
        let head = format!("\"id\":{ours},");
        self.lines
            .send(line(&head, &message.method, params))
            .await?;
        Ok(Some(answer.await?))
    }

    /// Hands a line of the child to whoever waits for it.
    fn deliver(&self, line: &[u8]) -> Result<(), Problem> {
        let answer: Answer<'_> = serde_json::from_str(std::str::from_utf8(line)?)?;
        let waiter = answer.id.and_then(|id| {
            self.waiters
                .lock()
                .expect("no holder of this lock panics")
                .remove(&id)
        });
        let Some(waiter) = waiter else {
            return Ok(());
        };
        let bytes = match (answer.result, answer.error) {
            (Some(result), _) => envelope::answer(&waiter.id, "result", result.get()),
            (None, Some(error)) => envelope::answer(&waiter.id, "error", error.get()),
            (None, None) => return Err("an answer without a result".into()),
        };
        // Whoever stopped waiting is owed nothing.
        let _ = waiter.answer.send(bytes);
        Ok(())
    }
}

fn line(id: &str, method: &str, params: &str) -> Vec<u8> {
    let pieces = [
        r#"{"jsonrpc":"2.0","#,
        id,
        r#""method":""#,
        method,
        r#"","params":"#,
        params,
        "}\n",
    ];
    pieces.concat().into_bytes()
}

/// Writes what has gathered since the last write in one go.
async fn write_lines(
    mut queue: mpsc::Receiver<Vec<u8>>,
    mut stdin: ChildStdin,
) -> std::io::Result<()> {
    let mut lines = Vec::with_capacity(QUEUE_LINES);
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    while queue.recv_many(&mut lines, QUEUE_LINES).await > 0 {
        buffer.clear();
        for line in lines.drain(..) {
            buffer.extend_from_slice(&line);
        }
        stdin.write_all(&buffer).await?;
    }
    Ok(())
}

async fn read_lines(mux: Arc<Mux>, mut stdout: ChildStdout) -> Result<(), Problem> {
    let mut buffer = BytesMut::with_capacity(BUFFER_BYTES);
    while stdout.read_buf(&mut buffer).await? > 0 {
        while let Some(end) = memchr::memchr(b'\n', &buffer) {
            let line = buffer.split_to(end + 1);
            mux.deliver(&line)?;
        }
        buffer.reserve(BUFFER_BYTES);
    }
    Ok(())
}
