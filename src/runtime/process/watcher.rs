//! Sees to it that the processes of a child keep to their bounds, where the kernel does not do that.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::runtime::process::kin::{Kin, Look};
use crate::runtime::process::table::out_of_memory;
use crate::runtime::process::{Exit, Process};

/// How often they are looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// What processes end with that SIGKILL has ended, said by a shell that started them.
const KILLED: i32 = 137;

/// Looks at the processes of a child until it ends or `stop` is cancelled; ends all of it when they exceed a bound.
pub(super) async fn watch(process: Process, stop: CancellationToken) {
    let mut looks = tokio::time::interval(INTERVAL);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = process.ended() => return,
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        let Some(look) = look(&process.kin).await else {
            return;
        };
        if let Some(verdict) = exceeded(&process.kin, look) {
            tracing::warn!(
                process.pid = process.kin.leader,
                "Stops a plugin: {verdict}"
            );
            process
                .kin
                .verdict
                .set(format!("was stopped: {verdict}"))
                .ok();
            return end(&process).await;
        }
    }
}

/// `None` when the runtime is being shut down.
async fn look(kin: &Arc<Kin>) -> Option<Look> {
    let kin = Arc::clone(kin);
    tokio::task::spawn_blocking(move || kin.look()).await.ok()
}

/// Ends all of it, also what starts others while it is ended.
async fn end(process: &Process) {
    for _ in 0..10 {
        process.kill().await;
        if look(&process.kin)
            .await
            .is_none_or(|look| look.processes == 0)
        {
            return;
        }
    }
}

fn exceeded(kin: &Kin, look: Look) -> Option<String> {
    let bounds = &kin.bounds;
    if let Some(bound) = bounds
        .memory_bytes
        .filter(|bound| look.memory_bytes > *bound)
    {
        return Some(too_much_memory(bound));
    }
    let bound = bounds
        .processes
        .filter(|bound| look.processes as u64 > *bound)?;
    Some(format!(
        "it ran more than {bound} processes (`limits.processes`)"
    ))
}

/// What a child's end says about bounds: that the kernel enforced one, or had no memory left.
pub(super) fn verdict_of_the_kernel(kin: &Kin, exit: Exit) -> Option<String> {
    let (code, signal) = exit.code_and_signal();
    let was_killed = signal == Some(KILL) || code == Some(KILLED);
    if let Some(bound) = kin.bounds.memory_bytes.filter(|_| kin.was_out_of_memory()) {
        return Some(format!("was stopped: {}", too_much_memory(bound)));
    }
    if let Some(bound) = kin.bounds.cpu_seconds {
        let is_over = kin.last_look().cpu_seconds >= bound;
        if signal == Some(XCPU) || (was_killed && is_over) {
            return Some(format!(
                "was stopped: it used more than {bound} s of processor time (`limits.cpu_seconds`)"
            ));
        }
    }
    let was_short = was_killed && out_of_memory() > kin.out_of_memory;
    was_short.then(|| format!("ended ({exit}), while the system was out of memory"))
}

/// SIGKILL.
const KILL: i32 = 9;

/// SIGXCPU on Linux and the BSDs.
const XCPU: i32 = 24;

fn too_much_memory(bound: u64) -> String {
    format!(
        "its processes took more than {} (`limits.memory_bytes`)",
        bytes(bound)
    )
}

/// A number of bytes as people write it, where that is exact.
fn bytes(count: u64) -> String {
    match count {
        _ if count.is_multiple_of(1 << 30) => format!("{} GiB", count >> 30),
        _ if count.is_multiple_of(1 << 20) => format!("{} MiB", count >> 20),
        _ => format!("{count} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_named_as_people_write_them() {
        for (count, expect) in [
            (2 << 30, "2 GiB"),
            (512 << 20, "512 MiB"),
            ((1 << 20) + 1, "1048577 bytes"),
        ] {
            assert_eq!(bytes(count), expect);
        }
    }
}
