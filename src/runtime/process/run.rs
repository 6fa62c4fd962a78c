//! Programs that plugins in this process run to their end.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::background::Supervisor;
use crate::model::fault::{Fault, FaultKind};
use crate::model::plugin_id::PluginId;
use crate::plugin::{Finished, MAX_OUTPUT_BYTES, Programs, Run, Sandbox};
use crate::runtime::process::capture::{Capture, TooMuch};
use crate::runtime::process::confined::NOT_CONFINED;
use crate::runtime::process::probe::Probe;
use crate::runtime::process::{Bounds, Child, Exit, Launcher, Program, which};

/// How long after the end of a program what it wrote is still read.
const GRACE: Duration = Duration::from_millis(200);

/// How many times its memory a confined program may ask for: what holds it until it is looked at.
const DATA_PER_MEMORY: u64 = 4;

/// What the helper ends with when it could not become the program.
const NOT_STARTED: i32 = 127;

/// Runs the programs of one plugin.
#[derive(Clone)]
pub(crate) struct Runner {
    pub(super) launcher: Launcher,
    supervisor: Supervisor,
    /// Where its tasks run, whatever thread the plugin has.
    runtime: Handle,
    plugin: PluginId,
}

/// Why a program does not run any more.
enum Over {
    Ended,
    Late,
    TooMuch,
    Stopping,
    Unwanted,
}

impl Runner {
    /// Runs programs of `plugin` until `supervisor` is told to stop. Must be called in the gateway's own runtime.
    pub(crate) fn new(launcher: Launcher, supervisor: Supervisor, plugin: PluginId) -> Self {
        Self {
            launcher,
            supervisor,
            runtime: Handle::current(),
            plugin,
        }
    }

    /// Whose programs they are.
    pub(super) fn plugin(&self) -> &PluginId {
        &self.plugin
    }

    /// The work of one run, from its start until nothing of it is left.
    async fn carry_out(
        &self,
        run: Run,
        stop: CancellationToken,
        wanted: &mut oneshot::Sender<Result<Finished, Fault>>,
    ) -> Result<Finished, Fault> {
        let started = Instant::now();
        let name = format!("{} program", self.plugin);
        let child = self
            .launcher
            .start(&self.program(&run)?, &self.supervisor, &name)
            .map_err(|err| not_started(&run, &err.to_string()))?;
        let process = child.process.clone();
        let mut captures = [(); 2].map(|()| Capture::new(run.output_bytes));
        let over = tokio::select! {
            biased;
            () = wanted.closed() => Over::Unwanted,
            () = stop.cancelled() => Over::Stopping,
            over = followed(child, &run.input, &mut captures) => over,
            () = tokio::time::sleep(run.timeout) => Over::Late,
        };
        if !matches!(over, Over::Ended) {
            process.kill().await;
        }
        process.sweep().await;
        let took = started.elapsed();
        let exit = process.wait(GRACE).await.or_else(|| process.exit());
        let (code, signal) = exit.map_or((None, None), Exit::code_and_signal);
        let [stdout, stderr] = captures.map(Capture::kept);
        if code == Some(NOT_STARTED) && stderr.head.starts_with(NOT_CONFINED.as_bytes()) {
            return Err(not_confined(stderr.text().trim_end()));
        }
        let verdict = process.verdict().map(of_verdict);
        let stopped = verdict.or_else(|| match over {
            Over::Ended => None,
            Over::Late => Some(format!("it took longer than {} s", seconds(run.timeout))),
            Over::TooMuch => {
                let most = MAX_OUTPUT_BYTES >> 20;
                Some(format!("it wrote more than {most} MiB"))
            }
            Over::Stopping => Some("its plugin was stopped".to_owned()),
            Over::Unwanted => Some("nobody waits for it any more".to_owned()),
        });
        Ok(Finished {
            code,
            signal,
            stdout,
            stderr,
            took,
            stopped,
        })
    }

    fn program<'a>(&self, run: &'a Run) -> Result<Program<'a>, Fault> {
        if run.command.is_empty() {
            return Err(Fault::new(
                FaultKind::BadInput,
                "there is no program to run",
            ));
        }
        let confinement = run.confinement.as_ref();
        if self.launcher.helper.is_none() && confinement.is_some_and(|terms| terms.required) {
            return Err(not_confined("this gateway has no helper to do it"));
        }
        let bounds = Bounds {
            memory_bytes: run.memory_bytes,
            processes: run.processes,
            open_files: run.open_files,
            cpu_seconds: run.cpu_seconds,
            data_bytes: confinement
                .and(run.memory_bytes)
                .map(|bytes| bytes.saturating_mul(DATA_PER_MEMORY)),
            nice: Bounds::POLITE,
        };
        Ok(Program {
            command: &run.command,
            variables: run.variables.clone(),
            directory: Some(run.directory.as_deref().unwrap_or(Path::new("/"))),
            bounds,
            confinement,
        })
    }
}

#[async_trait]
impl Programs for Runner {
    async fn run(&self, run: Run) -> Result<Finished, Fault> {
        let (mut told, hears) = oneshot::channel();
        let (runner, name) = (self.clone(), format!("{} run", self.plugin));
        self.supervisor
            .spawn_on(&self.runtime, name, move |stop| async move {
                let done = runner.carry_out(run, stop, &mut told).await;
                // Who asked may be gone.
                told.send(done).ok();
            });
        let stopped = |_| {
            let message = format!("plugin `{}` is being stopped", self.plugin);
            Fault::new(FaultKind::Unavailable, message).because("stopping")
        };
        hears.await.map_err(stopped)?
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        let path = self.launcher.base.get("PATH");
        which(program, path.map_or("", String::as_str))
    }

    async fn sandbox(&self, write: bool) -> Sandbox {
        Probe::of(self, write).await
    }
}

/// Feeds a program and reads what it writes, until it has ended.
async fn followed(child: Child, input: &[u8], captures: &mut [Capture; 2]) -> Over {
    let Child {
        stdin,
        stdout,
        stderr,
        process,
        ..
    } = child;
    let total = AtomicU64::new(0);
    let [out, err] = captures;
    let feed = async {
        let mut stdin = stdin;
        // It need not read all of it.
        stdin.write_all(input).await.ok();
        Ok(())
    };
    let all = async {
        tokio::try_join!(
            feed,
            out.read(stdout, &total, MAX_OUTPUT_BYTES),
            err.read(stderr, &total, MAX_OUTPUT_BYTES),
        )
    };
    // What the program left running may hold its output open for ever.
    let ended = async {
        process.ended().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        all = all => if let Err(TooMuch) = all {
            return Over::TooMuch;
        },
        () = ended => {}
    }
    process.ended().await;
    Over::Ended
}

/// What the watch of a process says, without the manifest's key: here the bounds come from elsewhere.
fn of_verdict(verdict: &str) -> String {
    let verdict = verdict.strip_prefix("was stopped: ").unwrap_or(verdict);
    let (why, _) = verdict.split_once(" (`limits.").unwrap_or((verdict, ""));
    why.to_owned()
}

fn not_started(run: &Run, why: &str) -> Fault {
    let message = format!("`{}` could not be started: {why}", run.command[0]);
    Fault::new(FaultKind::Unavailable, message).because("not_started")
}

fn not_confined(why: &str) -> Fault {
    let why = why.strip_prefix(NOT_CONFINED).unwrap_or(why).trim();
    let message = format!("the program was not started, as it cannot be confined: {why}");
    Fault::new(FaultKind::Unavailable, message).because("not_confined")
}

/// Seconds as people write them.
fn seconds(time: Duration) -> String {
    match time.subsec_millis() {
        0 => time.as_secs().to_string(),
        _ => format!("{:.1}", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_name_no_key_of_a_manifest() {
        for (verdict, expect) in [
            (
                "was stopped: it used more than 1 s of processor time (`limits.cpu_seconds`)",
                "it used more than 1 s of processor time",
            ),
            (
                "ended (signal 9), while the system was out of memory",
                "ended (signal 9), while the system was out of memory",
            ),
        ] {
            assert_eq!(of_verdict(verdict), expect);
        }
    }

    #[test]
    fn seconds_are_written_as_people_write_them() {
        assert_eq!(seconds(Duration::from_secs(2)), "2");
        assert_eq!(seconds(Duration::from_millis(1500)), "1.5");
    }
}
