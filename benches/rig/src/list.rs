//! `rig list`: the whole list of tools, again and again, and what it costs the server.

use std::time::{Duration, Instant};

use memchr::memmem;

use crate::Problem;
use crate::args::Args;
use crate::link::Link;
use crate::prepared::{Era, Prepared, Target};
use crate::process::Process;

/// One reading of the list, all its pages together.
#[derive(Default)]
struct Whole {
    n_tools: usize,
    n_bytes: usize,
    n_pages: usize,
}

pub(crate) fn run(mut args: Args) -> Result<(), Problem> {
    let target: Target = args.need("url")?;
    let n_calls: u32 = args.get_or("calls", 50)?;
    let process = args.get("pid")?.map(Process);
    args.done()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut link = Link::open(&target).await?;
        let whole = read(&mut link, &target).await?;
        // A second reading lets both sides grow their buffers before the measurement.
        read(&mut link, &target).await?;
        let before = process.map(Process::cpu_ns).transpose()?;
        let mut times = Vec::new();
        for _ in 0..n_calls {
            let asked = Instant::now();
            let again = read(&mut link, &target).await?;
            times.push(asked.elapsed());
            if again.n_bytes != whole.n_bytes {
                return Err("the list changed while it was read".into());
            }
        }
        let after = process.map(Process::cpu_ns).transpose()?;
        times.sort_unstable();
        let cpu_ns = before.zip(after).map(|(before, after)| after - before);
        print(&whole, &times, cpu_ns);
        Ok(())
    })
}

async fn read(link: &mut Link, target: &Target) -> Result<Whole, Problem> {
    let mut whole = Whole::default();
    let mut cursor: Option<String> = None;
    loop {
        let request = Prepared::list(target, &Era::Modern, cursor.as_deref());
        let answer = link.exchange(request.bytes()).await?;
        answer.expect_status(200)?;
        whole.n_tools += memmem::find_iter(answer.body, br#""inputSchema""#).count();
        whole.n_bytes += answer.body.len();
        whole.n_pages += 1;
        cursor = next_cursor(answer.body)?;
        if cursor.is_none() {
            return Ok(whole);
        }
    }
}

/// The cursor as the JSON string it is, quotes included.
fn next_cursor(body: &[u8]) -> Result<Option<String>, Problem> {
    const KEY: &[u8] = br#""nextCursor":"#;
    let Some(at) = memmem::rfind(body, KEY) else {
        return Ok(None);
    };
    let rest = &body[at + KEY.len()..];
    let end =
        memchr::memchr(b'"', rest.get(1..).unwrap_or_default()).ok_or("a cursor is a string")?;
    Ok(Some(std::str::from_utf8(&rest[..end + 2])?.to_owned()))
}

fn print(whole: &Whole, times: &[Duration], cpu_ns: Option<u64>) {
    let per_call = |ns: u64| format!("{:.1}", ns as f64 / 1e3 / times.len() as f64);
    println!(
        r#"{{"tools":{},"bytes":{},"pages":{},"p50_us":{:.1},"cpu_us":{}}}"#,
        whole.n_tools,
        whole.n_bytes,
        whole.n_pages,
        times[times.len() / 2].as_nanos() as f64 / 1e3,
        cpu_ns.map_or("null".to_owned(), per_call),
    );
}
