//! `rig sessions`: opens many legacy sessions, leaves them idle, and says what each costs the server.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use tokio::task::LocalSet;

use crate::Problem;
use crate::args::Args;
use crate::link::Link;
use crate::prepared::Target;
use crate::process::Process;

pub(crate) fn run(mut args: Args) -> Result<(), Problem> {
    let target: Target = args.need("url")?;
    let n_sessions: u64 = args.get_or("sessions", 10_000)?;
    let n_connections: usize = args.get_or("connections", 16)?;
    let process = args.get("pid")?.map(Process);
    args.done()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut links = Vec::new();
        for _ in 0..n_connections {
            let mut link = Link::open(&target).await?;
            // Buffers, tables and the like are made at the first sessions, which are not counted.
            for _ in 0..8 {
                link.open_session(&target).await?;
            }
            links.push(link);
        }
        let before = process.map(Process::resident_kib).transpose()?;
        let started = Instant::now();
        open_all(links, &target, n_sessions).await?;
        let elapsed = started.elapsed();
        let after = process.map(Process::resident_kib).transpose()?;
        let each = before
            .zip(after)
            .map_or("null".to_owned(), |(before, after)| {
                let kib = after.saturating_sub(before);
                format!("{:.0}", kib as f64 * 1024.0 / n_sessions as f64)
            });
        println!(
            r#"{{"sessions":{n_sessions},"per_s":{:.0},"bytes_each":{each}}}"#,
            n_sessions as f64 / elapsed.as_secs_f64(),
        );
        Ok(())
    })
}

/// Opens so many sessions over the given connections, which then close; the sessions stay.
async fn open_all(links: Vec<Link>, target: &Target, n_sessions: u64) -> Result<(), Problem> {
    let left = Rc::new(Cell::new(n_sessions));
    let mut openers = Vec::new();
    for mut link in links {
        let left = Rc::clone(&left);
        let target = target.clone();
        openers.push(tokio::task::spawn_local(async move {
            while let Some(rest) = left.get().checked_sub(1) {
                left.set(rest);
                link.open_session(&target).await?;
            }
            Ok::<_, Problem>(())
        }));
    }
    for opener in openers {
        opener.await??;
    }
    Ok(())
}
