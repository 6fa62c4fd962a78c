//! `rig listen`: many open streams of one server, then something happens that all of them are to be told of.

use std::time::{Duration, Instant};

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Problem;
use crate::actor::WATCHED;
use crate::args::Args;
use crate::link::Link;
use crate::prepared::{Asked, Era, Prepared, Target};
use crate::process::Process;

/// How long a message may take to reach a stream.
const PATIENCE: Duration = Duration::from_secs(30);
/// The gateway tells of changes at most once a second; what it would wait for is no cost.
const PAUSE: Duration = Duration::from_millis(1200);
/// Streams that are opened before memory is measured.
const N_FIRST: usize = 16;

/// One open stream, and what has come on it that was not yet looked for.
struct Stream {
    socket: TcpStream,
    unseen: Vec<u8>,
}

/// What an event cost until all streams had it.
struct Told {
    took: Duration,
    cpu_ns: u64,
}

pub(crate) fn run(mut args: Args) -> Result<(), Problem> {
    let target: Target = args.need("url")?;
    let n_streams: usize = args.get_or("streams", 1000)?;
    let n_rounds: usize = args.get_or("rounds", 5)?;
    let tool: String = args.need("tool")?;
    let watch = args.get_or("watch", "no".to_owned())? == "yes";
    let process = Process(args.need("pid")?);
    args.done()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (filter, event) = match watch {
            true => (
                format!(r#""resourceSubscriptions":["{WATCHED}"]"#),
                "notifications/resources/updated",
            ),
            false => (
                r#""toolsListChanged":true"#.to_owned(),
                "notifications/tools/list_changed",
            ),
        };
        let params = format!(r#""notifications":{{{filter}}}"#);
        let listen = Asked::of("subscriptions/listen", params);
        let request = Prepared::request(&target, &Era::Modern, &listen);
        let mut streams = Vec::new();
        while streams.len() < N_FIRST {
            streams.push(Stream::open(&target, request.bytes()).await?);
        }
        let (before, opened) = (process.resident_kib()?, Instant::now());
        while streams.len() < n_streams {
            streams.push(Stream::open(&target, request.bytes()).await?);
        }
        let opened = opened.elapsed();
        let grown = process.resident_kib()?.saturating_sub(before);
        let call = Asked::call(&tool, "{}");
        let trigger = Prepared::request(&target, &Era::Modern, &call);
        let mut rounds = Vec::new();
        for _ in 0..n_rounds {
            tokio::time::sleep(PAUSE).await;
            rounds.push(tell(&target, &trigger, &mut streams, event.as_bytes(), process).await?);
        }
        let middle = |mut values: Vec<f64>| {
            values.sort_unstable_by(f64::total_cmp);
            values[values.len() / 2]
        };
        println!(
            r#"{{"streams":{n_streams},"open_us":{:.1},"bytes_each":{},"told_ms":{:.2},"cpu_ms":{:.3},"rss_kib":{}}}"#,
            opened.as_secs_f64() * 1e6 / (n_streams - N_FIRST).max(1) as f64,
            grown * 1024 / (n_streams - N_FIRST).max(1) as u64,
            middle(rounds.iter().map(|told| told.took.as_secs_f64() * 1e3).collect()),
            middle(rounds.iter().map(|told| told.cpu_ns as f64 / 1e6).collect()),
            process.resident_kib()?,
        );
        Ok(())
    })
}

/// Makes it happen, and waits until all streams were told.
async fn tell(
    target: &Target,
    trigger: &Prepared,
    streams: &mut [Stream],
    event: &[u8],
    process: Process,
) -> Result<Told, Problem> {
    let mut link = Link::open(target).await?;
    let (before, begun) = (process.cpu_ns()?, Instant::now());
    link.exchange(trigger.bytes()).await?.expect_status(200)?;
    for stream in streams {
        stream.wait_for(event).await?;
    }
    let took = begun.elapsed();
    let cpu_ns = process.cpu_ns()? - before;
    Ok(Told { took, cpu_ns })
}

impl Stream {
    /// Opens a stream; it is open when it was acknowledged.
    async fn open(target: &Target, request: &[u8]) -> Result<Self, Problem> {
        let mut socket = TcpStream::connect(&target.authority).await?;
        socket.write_all(request).await?;
        let mut stream = Self {
            socket,
            unseen: Vec::new(),
        };
        stream.wait_for(b"subscriptions/acknowledged").await?;
        Ok(stream)
    }

    async fn wait_for(&mut self, what: &[u8]) -> Result<(), Problem> {
        loop {
            if let Some(at) = memmem::find(&self.unseen, what) {
                self.unseen.drain(..at + what.len());
                return Ok(());
            }
            let read = self.socket.read_buf(&mut self.unseen);
            if tokio::time::timeout(PATIENCE, read).await?? == 0 {
                let said = String::from_utf8_lossy(&self.unseen);
                return Err(format!("a stream ended: {said}").into());
            }
        }
    }
}
