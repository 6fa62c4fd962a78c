//! One plugin as the gateway knows it: its manifest, its instances, the gate before them.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::manifest::Manifest;
use crate::manifest::runtime::RuntimeKind;
use crate::model::fault::{Fault, FaultKind};
use crate::registry::gate::Gate;
use crate::registry::pool::{Pool, Standing};
use crate::runtime::{Listing, Runtime, Surface};
use crate::wire::json::Json;
use crate::wire::list::ListKind;

/// A plugin.
#[derive(Debug)]
pub struct Plugin {
    /// What it says of itself, with what the operator changed.
    pub manifest: Arc<Manifest>,
    /// Where it comes from, for people.
    pub source: String,
    /// The runtime it uses.
    pub runtime: RuntimeKind,
    /// How many calls it takes.
    pub gate: Gate,
    /// Its instances.
    pub pool: Arc<Pool>,
    /// What it did so far.
    pub counts: Counts,
    /// Why it is not started at all, if so.
    pub refused: Option<String>,
}

/// What a plugin did so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Calls that came to it.
    pub calls: AtomicU64,
    /// Calls that ended in a fault.
    pub faults: AtomicU64,
    /// Microseconds that calls took, summed up.
    pub busy_us: AtomicU64,
}

impl Plugin {
    /// A plugin on `runtime`.
    pub fn new(
        manifest: Arc<Manifest>,
        source: String,
        (kind, runtime): (RuntimeKind, Arc<dyn Runtime>),
        supervisor: crate::background::Supervisor,
        refused: Option<String>,
    ) -> Arc<Self> {
        let isolation = manifest.isolation;
        let isolation = isolation.or(manifest.kind.isolation());
        let isolation = isolation.unwrap_or_else(|| runtime.isolation(&manifest));
        let limits = &manifest.limits;
        let gate = Gate::new(
            limits.max_concurrent_calls as usize,
            limits.max_queue as usize,
        );
        let pool = Pool::new(
            Arc::clone(&manifest),
            runtime,
            isolation,
            supervisor,
            env!("CARGO_PKG_VERSION"),
        );
        Arc::new(Self {
            manifest,
            source,
            runtime: kind,
            gate,
            pool,
            counts: Counts::default(),
            refused,
        })
    }

    /// What it offers, as far as is known: from an instance, or else what the manifest declares.
    pub fn surface(&self) -> Arc<Surface> {
        self.pool.surface().unwrap_or_else(|| self.declared())
    }

    /// Whether what it offers comes from an instance.
    pub fn is_known(&self) -> bool {
        self.pool.surface().is_some()
    }

    /// What the manifest declares.
    pub fn declared(&self) -> Arc<Surface> {
        let mut listing = Listing::default();
        let tools = self.manifest.tools.iter();
        for tool in tools.filter(|tool| tool.input_schema.is_some()) {
            let definition = Json::of(
                &serde_json::json!({ "name": tool.name, "inputSchema": tool.input_schema }),
            );
            listing.add(ListKind::Tools, &definition, &self.manifest.limits);
        }
        let mut surface = Surface::default();
        surface.set(ListKind::Tools, Arc::new(listing));
        Arc::new(surface)
    }

    /// Where it stands, for people.
    pub fn standing(&self) -> Standing {
        match &self.refused {
            Some(why) => Standing::Failed(why.clone()),
            None => self.pool.standing(),
        }
    }

    /// Starts it so that its surface is known.
    pub async fn warm(&self) -> Result<(), Fault> {
        match &self.refused {
            Some(why) => Err(Fault::new(
                FaultKind::Unavailable,
                format!("plugin `{}`: {why}", self.manifest.id),
            )),
            None => self.pool.warm().await,
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pool")
    }
}
