//! How a plugin begins and ends: its start, a crash, its stop, and what it leaves behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::manifest::runtime::RuntimeKind;
use crate::runtime::Instance;
use crate::runtime::process::{AFTER_EOF, AFTER_TERM, crash, family, running};
use crate::testing::contract::calls::{Known, first_example};
use crate::testing::contract::{Trial, Verdict};

/// How long it may take until the end of a process is noticed.
const NOTICED: Duration = Duration::from_secs(5);

/// How long a stop may take that is bounded by itself.
const STOPPED: Duration = Duration::from_secs(20);

/// How long a ping may take.
const PING: Duration = Duration::from_secs(5);

/// How many changed files are named.
const NAMED: usize = 10;

impl Trial {
    /// Starts the plugin. Says what was seen, or what kept it from starting.
    pub(super) async fn start(&self) -> Result<(Arc<dyn Instance>, String), Verdict> {
        let clock = Instant::now();
        match self.bring_up().await {
            Ok(instance) => {
                let took = clock.elapsed().as_millis();
                let era = instance.era().as_str();
                let pid = instance.pid().map(|pid| format!(", process {pid}"));
                let pid = pid.unwrap_or_default();
                Ok((instance, format!("after {took} ms, {era} era{pid}")))
            }
            Err(fault) => {
                let verdict = Verdict::failed(fault.to_string());
                Err(match self.kind {
                    RuntimeKind::InProcess => verdict.mend(
                        "try it with the gateway that has it compiled in, such as `cargo run -- plugins test .`",
                    ),
                    RuntimeKind::McpStdio => verdict.mend(
                        "run `mcp_stdio.command` by hand: it must read requests from standard input and write nothing else than MCP to standard output",
                    ),
                    RuntimeKind::McpHttp => verdict,
                })
            }
        }
    }

    /// Kills the plugin's process; a new one must come to life. Gives the instance to go on with, if there is one.
    pub(super) async fn crash(
        &self,
        instance: Arc<dyn Instance>,
    ) -> (Verdict, Option<Arc<dyn Instance>>) {
        let none = |why: &str| Verdict::NotApplicable(why.to_owned());
        let pid = match (self.kind, instance.pid()) {
            (RuntimeKind::InProcess, _) => {
                return (none("it runs in this process"), Some(instance));
            }
            (RuntimeKind::McpHttp, _) => return (none("it runs elsewhere"), Some(instance)),
            (RuntimeKind::McpStdio, None) => return (none("it has no process"), Some(instance)),
            (RuntimeKind::McpStdio, Some(pid)) => pid,
        };
        if !crash(pid) {
            return (none("its process cannot be killed"), Some(instance));
        }
        let ended = tokio::time::timeout(NOTICED, instance.ended().cancelled()).await;
        instance.stop().await;
        if ended.is_err() {
            let reason = "its process was killed, and its output stayed open";
            let verdict =
                Verdict::failed(reason).mend("something it started holds its output open");
            return (verdict, None);
        }
        match self.bring_up().await {
            Err(fault) => {
                let reason = format!("it does not start again after it was killed: {fault}");
                let mend = "it must not rely on having been stopped: no lock or state file that stands in its way";
                (Verdict::failed(reason).mend(mend), None)
            }
            Ok(instance) => match self.answers(&instance).await {
                Ok(()) => {
                    let seen = "its process was killed, a new one was started and answers";
                    (Verdict::ok(seen), Some(instance))
                }
                Err(why) => {
                    let reason = format!(
                        "started again after it was killed, it does not answer as before: {why}"
                    );
                    (Verdict::failed(reason), Some(instance))
                }
            },
        }
    }

    /// Whether it answers: the first call that the manifest shows, or a ping.
    async fn answers(&self, instance: &Arc<dyn Instance>) -> Result<(), String> {
        match first_example(&self.manifest) {
            Some((tool, example)) => {
                let manifest = &self.manifest;
                let known = Known {
                    manifest,
                    instance,
                    is_true: self.examples_hold(),
                };
                known.again(tool, example).await
            }
            None => {
                let ping = instance.probe(PING).await;
                ping.map_err(|fault| fault.to_string())
            }
        }
    }

    fn examples_hold(&self) -> bool {
        let mut checks = self.report.checks.iter();
        let examples = checks.find(|check| check.what == "examples");
        examples.is_some_and(|check| matches!(check.verdict, Verdict::Ok(_)))
    }

    /// Stops the plugin.
    pub(super) async fn stop(&self, instance: &Arc<dyn Instance>) -> Verdict {
        let pids = instance.pid().map(family).unwrap_or_default();
        let clock = Instant::now();
        let stopped = tokio::time::timeout(STOPPED, instance.stop()).await;
        let took = clock.elapsed();
        if stopped.is_err() {
            return Verdict::failed(format!("it had not ended after {} s", STOPPED.as_secs()));
        }
        let left = running(&pids);
        if !left.is_empty() {
            let left: Vec<String> = left.iter().map(u32::to_string).collect();
            return Verdict::failed(format!("left running: process {}", left.join(", ")));
        }
        let ms = took.as_millis();
        match self.kind {
            RuntimeKind::McpHttp => Verdict::NotApplicable("it runs elsewhere".to_owned()),
            RuntimeKind::InProcess => Verdict::ok(format!("it ended within {ms} ms")),
            RuntimeKind::McpStdio if took >= AFTER_EOF + AFTER_TERM => {
                let (eof, term) = (AFTER_EOF.as_secs(), AFTER_TERM.as_secs());
                Verdict::failed(format!(
                    "it had to be killed: it did not end within {eof} s of the end of its input, nor within {term} s of SIGTERM"
                ))
                .mend("end when standard input ends")
            }
            RuntimeKind::McpStdio if took >= AFTER_EOF => Verdict::ok(format!(
                "it ended at SIGTERM, after {ms} ms; the end of its input was not enough"
            )),
            RuntimeKind::McpStdio => Verdict::ok(format!(
                "it ended within {ms} ms of the end of its input, nothing is left running"
            )),
        }
    }
}

/// What changed in the plugin's folder while it ran.
pub(super) fn residue(changes: &[String]) -> Verdict {
    if changes.is_empty() {
        return Verdict::ok("nothing in its folder has changed");
    }
    let named: Vec<String> = changes
        .iter()
        .take(NAMED)
        .map(|file| format!("`{file}`"))
        .collect();
    let more = changes.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| format!(" and {more} more"));
    let reason = format!(
        "files in its folder changed while it ran: {}{}",
        named.join(", "),
        more.unwrap_or_default()
    );
    Verdict::failed(reason)
        .mend("write to `HOME` or `TMPDIR`; what a build makes there stands in `build.outputs`")
}
