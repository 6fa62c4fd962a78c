//! Building plugins from source: the command of `[build]`, run in the plugin's folder, bounded, its output kept.

mod first;

mod output;

mod source;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Semaphore;

use crate::background::Supervisor;
use crate::manifest::Manifest;
use crate::manifest::upkeep::Build;
use crate::model::fault::{Fault, FaultKind};
use crate::runtime::build::output::Output;
use crate::runtime::process::{Bounds, Child, Exit, Launcher, Process, Program};

pub use first::BuildFirst;
pub use source::{SourceState, build_of, source_state};

/// How long after the end of a build what it wrote is still read.
const GRACE: Duration = Duration::from_millis(200);

/// How many of its last lines the failure of a build quotes.
const LAST_LINES: usize = 20;

/// Hears what builds write, as they write it.
pub type Echo = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// Builds plugins, each of them once at a time, and keeps what came of the latest build of each. Clones share all of it.
#[derive(Clone)]
pub struct Builder {
    launcher: Launcher,
    echo: Option<Echo>,
    sites: Arc<Mutex<HashMap<PathBuf, Arc<Site>>>>,
}

/// What came of a build that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Built {
    /// Nothing was missing, so nothing was done.
    NotNeeded,
    /// The command ran.
    Ran {
        /// How long it took.
        took: Duration,
        /// The end of what it wrote, at most 64 KiB.
        output: String,
    },
}

/// The latest build of a plugin.
#[derive(Debug, Clone)]
pub struct BuildLog {
    /// When it began.
    pub began: SystemTime,
    /// How long it took; `None` while it runs.
    pub took: Option<Duration>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// The end of what it has written so far, stdout and stderr as they came, at most 64 KiB.
    pub output: String,
}

/// A folder in which is built.
struct Site {
    /// The turn to build there.
    turn: Semaphore,
    latest: Mutex<Option<Latest>>,
}

#[derive(Clone)]
struct Latest {
    began: SystemTime,
    took: Option<Duration>,
    failure: Option<String>,
    output: Arc<Output>,
}

impl Builder {
    /// Starts builds with `launcher`.
    pub fn new(launcher: Launcher) -> Self {
        Self {
            launcher,
            echo: None,
            sites: Arc::default(),
        }
    }

    /// The same, and `echo` hears what builds write.
    #[must_use]
    pub fn echoing(mut self, echo: Echo) -> Self {
        self.echo = Some(echo);
        self
    }

    /// What there is of the plugin in `folder`.
    pub fn state(&self, manifest: &Manifest, folder: Option<&Path>) -> SourceState {
        let search = self.launcher.base.get("PATH");
        source_state(manifest, folder, search.map_or("", String::as_str))
    }

    /// Builds the plugin that lies in `folder`, unless nothing is missing and `rebuild` is not wanted. Waits for its turn
    /// when it is being built already. Takes `build.timeout_ms` at the most, the turn aside; then, or when the future is
    /// dropped, the command is ended with all it started. Reasons of faults: `no_build`, `build_failed`,
    /// `build_timeout`, `build_incomplete`.
    pub async fn build(
        &self,
        manifest: &Manifest,
        folder: &Path,
        rebuild: bool,
        supervisor: &Supervisor,
    ) -> Result<Built, Fault> {
        let id = &manifest.id;
        let Some(build) = build_of(manifest, folder) else {
            let message = format!(
                "plugin `{id}` has nothing to be built with: no `[build]`, no `scripts/build.sh`"
            );
            return Err(Fault::new(FaultKind::Unavailable, message).because("no_build"));
        };
        let site = self.site(folder);
        let _turn = site.turn.acquire().await;
        let state = self.state(manifest, Some(folder));
        if !rebuild && !matches!(state, SourceState::SourceOnly { .. }) {
            return Ok(Built::NotNeeded);
        }
        let output = Arc::new(Output::new(self.echo.clone()));
        let (began, clock) = (SystemTime::now(), Instant::now());
        let note = |took, failure: Option<&Fault>| {
            let failure = failure.map(ToString::to_string);
            let output = Arc::clone(&output);
            *site.latest.lock().expect("no holder of this lock panics") = Some(Latest {
                began,
                took,
                failure,
                output,
            });
        };
        note(None, None);
        let mut built = self
            .run(manifest, folder, &build, &output, supervisor)
            .await;
        if let (Ok(()), SourceState::SourceOnly { missing }) =
            (&built, self.state(manifest, Some(folder)))
        {
            let message = format!("plugin `{id}` was built, but `{missing}` is still not there");
            built = Err(Fault::new(FaultKind::Unavailable, message).because("build_incomplete"));
        }
        let took = clock.elapsed();
        note(Some(took), built.as_ref().err());
        built.map(|()| Built::Ran {
            took,
            output: output.text(),
        })
    }

    /// The latest build of the plugin that lies in `folder`, whether it is over or not.
    pub fn log(&self, folder: &Path) -> Option<BuildLog> {
        let site = self.sites().get(folder).cloned()?;
        let latest = site.latest.lock().expect("no holder of this lock panics");
        let latest = latest.clone()?;
        Some(BuildLog {
            began: latest.began,
            took: latest.took,
            failure: latest.failure,
            output: latest.output.text(),
        })
    }

    fn sites(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Arc<Site>>> {
        self.sites.lock().expect("no holder of this lock panics")
    }

    fn site(&self, folder: &Path) -> Arc<Site> {
        let mut sites = self.sites();
        if !sites.contains_key(folder) {
            // Nobody asks for those of plugins that are there no more.
            sites.retain(|known, site| Arc::strong_count(site) > 1 || known.is_dir());
        }
        let site = sites.entry(folder.to_path_buf()).or_insert_with(|| {
            Arc::new(Site {
                turn: Semaphore::new(1),
                latest: Mutex::default(),
            })
        });
        Arc::clone(site)
    }

    async fn run(
        &self,
        manifest: &Manifest,
        folder: &Path,
        build: &Build,
        output: &Output,
        supervisor: &Supervisor,
    ) -> Result<(), Fault> {
        let (id, command) = (&manifest.id, build.command.join(" "));
        let failed = |how: String, reason| {
            let message = format!(
                "plugin `{id}` could not be built: `{command}` {how}{}",
                output.quoted(LAST_LINES)
            );
            Fault::new(FaultKind::Unavailable, message).because(reason)
        };
        let program = Program {
            command: &build.command,
            variables: self.variables(build),
            directory: Some(folder),
            // Compilers are hungry; its time is bounded.
            bounds: Bounds::none(),
            confinement: None,
        };
        let name = format!("build of {id}");
        let child = self.launcher.start(&program, supervisor, &name);
        let child = child.map_err(|err| failed(format!("cannot be run: {err}"), "build_failed"))?;
        tracing::info!(plugin.id = %id, process.pid = child.pid, "Builds `{id}`");
        if let Some(echo) = &self.echo {
            echo(format!("$ {command}\n").as_bytes());
        }
        let ending = Ending(Some((child.process.clone(), supervisor.clone())));
        let deadline = Duration::from_millis(build.timeout_ms);
        let exit = tokio::time::timeout(deadline, followed(child, output)).await;
        let process = ending.done();
        match exit {
            Ok(exit) => {
                process.sweep().await;
                match exit.is_success() {
                    true => Ok(()),
                    false => Err(failed(format!("ended ({exit})"), "build_failed")),
                }
            }
            Err(_) => {
                process.kill().await;
                let bound = build.timeout_ms;
                let how =
                    format!("took longer than {bound} ms (`build.timeout_ms`), and was ended");
                Err(failed(how, "build_timeout"))
            }
        }
    }

    /// What a build finds in its environment besides what every child gets. Its `HOME` is the user's: compilers and
    /// package managers keep there what they have fetched.
    fn variables(&self, build: &Build) -> BTreeMap<String, String> {
        let names = build.env_passthrough.iter().map(String::as_str);
        let names = names.chain(["HOME"]);
        let given = |name: &str| {
            let value = self.launcher.environment.get(name)?;
            Some((name.to_owned(), value.clone()))
        };
        names.filter_map(given).collect()
    }
}

/// Reads what a build writes until it has ended.
async fn followed(child: Child, output: &Output) -> Exit {
    let Child {
        stdin,
        stdout,
        stderr,
        process,
        ..
    } = child;
    drop(stdin);
    let both = async { tokio::join!(output.read(stdout), output.read(stderr)) };
    // What the command left running may hold its output open for ever.
    let over = async {
        process.ended().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        _ = both => {}
        () = over => {}
    }
    process.ended().await
}

/// Ends a build that nobody waits for any more.
struct Ending(Option<(Process, Supervisor)>);

impl Ending {
    fn done(mut self) -> Process {
        let (process, _) = self.0.take().expect("it is taken here alone");
        process
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some((process, supervisor)) = self.0.take() {
            supervisor.spawn_request(async move { process.kill().await });
        }
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Builder")
    }
}
