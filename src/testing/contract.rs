//! The contract of every plugin: what a gateway relies on, tried on one plugin by itself.
//!
//! A plugin is read, built if it has to be, started, asked what it offers, called as its examples say, called wrongly,
//! given up on, called several times at once, made to crash, and stopped. It is spoken to as the gateway does behind all
//! its own checks, so what is found is the plugin's own doing.

mod calls;

mod fits;

mod life;

mod lists;

mod report;

mod residue;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::app::{Runtimes, launcher};
use crate::background::Supervisor;
use crate::config::Env;
use crate::config::folder::read_folder;
use crate::manifest::Manifest;
use crate::manifest::runtime::RuntimeKind;
use crate::runtime::build::{Builder, Built, Echo, SourceState};
use crate::runtime::in_process::InProcess;
use crate::runtime::process::private_directory;
use crate::runtime::{Host, Instance, Runtime};
use crate::session::table::new_id;
use crate::testing::contract::residue::Snapshot;

pub use report::{Check, Report, Verdict};

/// How long what is left may take to end.
const LAST_TASKS: Duration = Duration::from_secs(2);

/// What a plugin is tried with.
pub struct Bench {
    /// What variables of manifests are filled in from, and what child processes may be handed.
    pub env: Env,
    /// The code that is compiled in.
    pub in_process: InProcess,
    /// The gateway's own program, which child processes are started through; without it they may outlive a test that is
    /// killed.
    pub helper: Option<PathBuf>,
    /// Hears what a build writes.
    pub echo: Option<Echo>,
}

/// A plugin on its bench.
struct Trial {
    manifest: Arc<Manifest>,
    kind: RuntimeKind,
    runtime: Arc<dyn Runtime>,
    supervisor: Supervisor,
    report: Report,
}

/// Tries the plugin in `folder`. Takes as long as the plugin's own limits allow; what it starts is ended.
pub async fn check(folder: &Path, bench: &Bench) -> Report {
    let folder = bench.env.absolute(folder);
    let mut report = Report {
        plugin: folder.display().to_string(),
        checks: Vec::new(),
    };
    let plugin = match read_folder(&folder, &bench.env) {
        Ok(plugin) => plugin,
        Err(problems) => {
            report.add("manifest", Verdict::failed(problems.to_string()));
            return report;
        }
    };
    let manifest = Arc::new(plugin.manifest);
    let kind = manifest.runtimes()[0];
    report.plugin = manifest.id.to_string();
    let seen = format!("{} {}, {kind}", manifest.id, manifest.version);
    report.add("manifest", Verdict::ok(seen));
    let supervisor = Supervisor::new();
    if report.add("build", build(&manifest, &folder, bench, &supervisor).await) {
        report = scratched(report, &manifest, &folder, bench, &supervisor).await;
    }
    supervisor.stop(LAST_TASKS).await;
    report
}

async fn build(
    manifest: &Manifest,
    folder: &Path,
    bench: &Bench,
    supervisor: &Supervisor,
) -> Verdict {
    let mut builder = Builder::new(launcher(&bench.env, bench.helper.clone()));
    if let Some(echo) = &bench.echo {
        builder = builder.echoing(Arc::clone(echo));
    }
    match builder.state(manifest, Some(folder)) {
        SourceState::Available => Verdict::ok("all that it needs is there"),
        SourceState::Incomplete { missing } => Verdict::failed(format!(
            "`{missing}` is not there, and nothing to build it with"
        ))
        .mend("put it there, or write `scripts/build.sh`, which makes it"),
        SourceState::Unavailable { program } => Verdict::failed(format!(
            "`{program}` is not installed: PATH does not lead to it"
        )),
        SourceState::SourceOnly { missing } => {
            match builder.build(manifest, folder, false, supervisor).await {
                Ok(Built::Ran { took, .. }) => Verdict::ok(format!(
                    "`{missing}` was missing; built in {:.1} s",
                    took.as_secs_f32()
                )),
                Ok(Built::NotNeeded) => Verdict::ok("somebody else has built it meanwhile"),
                Err(fault) => Verdict::failed(fault.to_string()),
            }
        }
    }
}

/// Tries the plugin with places for temporary files and a home that go when that is done.
async fn scratched(
    mut report: Report,
    manifest: &Arc<Manifest>,
    folder: &Path,
    bench: &Bench,
    supervisor: &Supervisor,
) -> Report {
    let parent = bench.env.temp_dir();
    let scratch = match private_directory(&parent.join(format!("toolgate-{}", new_id())), "tmp") {
        Ok(scratch) => scratch,
        Err(err) => {
            let reason = format!("no folder can be made in `{}`: {err}", parent.display());
            report.add("start", Verdict::failed(reason));
            return report;
        }
    };
    let given = bench.env.names().filter(|name| *name != "TMPDIR");
    let given = given.filter_map(|name| Some((name.to_owned(), bench.env.get(name)?.to_owned())));
    let temporary = ("TMPDIR".to_owned(), scratch.display().to_string());
    let env = Env::new(given.chain([temporary])).with_cwd(bench.env.cwd());
    let runtimes = Runtimes::new(
        bench.in_process.clone(),
        launcher(&env, bench.helper.clone()),
    );
    let kind = manifest.runtimes()[0];
    let mut trial = Trial {
        manifest: Arc::clone(manifest),
        kind,
        runtime: runtimes.get(kind),
        supervisor: supervisor.clone(),
        report,
    };
    trial.live(folder).await;
    if let Some(made) = scratch.parent() {
        std::fs::remove_dir_all(made).ok();
    }
    trial.report
}

impl Trial {
    /// The life of the plugin, from its start to its stop.
    async fn live(&mut self, folder: &Path) {
        let outputs = self.manifest.build.as_ref();
        let outputs = outputs.map_or(&[][..], |build| &build.outputs);
        let before = Snapshot::of(folder, outputs);
        let started = self.start().await;
        let instance = match started {
            Ok((instance, seen)) => {
                self.report.add("start", Verdict::ok(seen));
                instance
            }
            Err(verdict) => {
                self.report.add("start", verdict);
                return;
            }
        };
        let listed = lists::check(&self.manifest, &instance);
        self.report.add("lists", listed);
        let declared = lists::declared(&self.manifest, &instance);
        self.report.add("declared tools", declared);
        for (what, verdict) in calls::check(&self.manifest, self.kind, &instance).await {
            self.report.add(what, verdict);
        }
        let (crash, instance) = self.crash(instance).await;
        self.report.add("crash", crash);
        let Some(instance) = instance else { return };
        let stop = self.stop(&instance).await;
        self.report.add("stop", stop);
        let outputs = self.manifest.build.as_ref();
        let outputs = outputs.map_or(&[][..], |build| &build.outputs);
        let residue = match self.kind {
            RuntimeKind::McpHttp => Verdict::NotApplicable("it runs elsewhere".to_owned()),
            RuntimeKind::InProcess | RuntimeKind::McpStdio => {
                life::residue(&before.changes(&Snapshot::of(folder, outputs)))
            }
        };
        self.report.add("residue", residue);
    }

    fn host(&self) -> Host {
        let id = self.manifest.id.clone();
        Host::of(id, self.supervisor.child(), env!("CARGO_PKG_VERSION"))
    }

    /// Starts an instance; a second time if the first one did not survive being asked for its era, as the gateway does.
    async fn bring_up(&self) -> Result<Arc<dyn Instance>, crate::model::fault::Fault> {
        let first = self.runtime.start(Arc::clone(&self.manifest), self.host());
        match first.await {
            Err(fault) if fault.reason == "probe_failed" => {
                let again = self.runtime.start(Arc::clone(&self.manifest), self.host());
                again.await
            }
            started => started,
        }
    }
}
