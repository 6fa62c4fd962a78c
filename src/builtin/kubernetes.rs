//! `kubernetes`: looks into a cluster, and mends a few things there.
//!
//! Namespaces that the operator does not allow are refused before anything is sent. Values of environment variables are
//! never given out. What changes something says before what it would do, if it is asked for a dry run, and only reads then.

mod change;

mod cluster;

mod cordon;

mod describe;

mod evicted;

mod happenings;

mod listing;

mod logs;

mod names;

mod places;

mod pods;

mod quantity;

mod refusal;

mod restart;

mod rollback;

mod rollout;

mod scale;

mod secrets;

mod settings;

mod usage;

mod veil;

mod watch;

mod words;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;

use crate::builtin::kubernetes::cluster::Cluster;
use crate::builtin::kubernetes::watch::MAX_WAIT;
use crate::plugin::{
    Annotations, Category, HookResult, Notifier, Plugin, PluginContext, Risk, ToolContext,
    ToolError, ToolOptions, Tools, Weight,
};
use crate::wire::json::Json;

/// How long a tool that only looks may take.
const LOOK: Duration = Duration::from_secs(60);

/// How long one that waits may take: the longest wait, and what it does before.
const WAIT: Duration = Duration::from_secs(MAX_WAIT.as_secs() + 60);

/// How long it may take to delete many pods.
const MANY: Duration = Duration::from_secs(120);

/// The plugin.
#[derive(Default)]
pub(super) struct Kubernetes {
    /// Replaced when the settings change.
    cluster: Arc<ArcSwapOption<Cluster>>,
    /// Tells clients that there are other tools then.
    notifier: OnceLock<Notifier>,
}

/// Finds out what a call would do.
type Look<A> = for<'a> fn(&'a Cluster, A) -> BoxFuture<'a, Result<Weight, ToolError>>;

#[async_trait]
impl Plugin for Kubernetes {
    async fn on_init(&self, context: &PluginContext) -> HookResult {
        let cluster = Cluster::of(context.settings()?, context.clock()?).await?;
        let (server, allowed) = (&cluster.server, cluster.namespaces.words());
        tracing::info!(parent: context.span(), "Asks the cluster at {server}; {allowed}");
        self.cluster.store(Some(Arc::new(cluster)));
        if let Some(notifier) = self.notifier.get() {
            notifier.lists_changed();
        }
        Ok(())
    }

    async fn on_stop(&self) -> HookResult {
        self.cluster.store(None);
        Ok(())
    }

    fn tools(&self, tools: &mut Tools) {
        self.notifier.set(tools.notifier()).ok();
        let Some(known) = self.cluster.load_full() else {
            return;
        };
        self.add_looks(tools);
        self.add_mends(tools);
        if known.nodes {
            self.add_nodes(tools);
        }
    }

    fn cooperative(&self) -> bool {
        true
    }
}

/// Adds a tool that is handed the cluster, its arguments, and the call.
macro_rules! tool {
    ($plugin:ident, $tools:ident, $name:literal, $says:literal, |$cluster:ident, $wanted:ident, $context:ident| $work:expr) => {{
        let cluster = Arc::clone(&$plugin.cluster);
        let handler = move |$wanted, $context: ToolContext| {
            let cluster = cluster.load_full();
            async move {
                let cluster = cluster.ok_or_else(not_there)?;
                let $cluster = &*cluster;
                $work.await
            }
        };
        $tools.add($name, $says, handler)
    }};
}

impl Kubernetes {
    fn add_looks(&self, tools: &mut Tools) {
        looks(tool!(
            self,
            tools,
            "list_pods",
            "Lists pods and how they do: ready, restarts, age, node. Begin here when something in the cluster is wrong",
            |cluster, wanted, _context| pods::list_pods(cluster, wanted)
        ));
        looks(tool!(
            self,
            tools,
            "describe_pod",
            "Describes one pod: conditions, containers with their states and last ends, resources, owner, node, and its events",
            |cluster, wanted, _context| describe::describe_pod(cluster, wanted)
        ));
        looks(tool!(
            self,
            tools,
            "get_pod_logs",
            "Gets the end of what a container has written; with `previous`, what the one before it wrote before it ended",
            |cluster, wanted, _context| logs::get_pod_logs(cluster, wanted)
        ));
        looks(tool!(
            self,
            tools,
            "get_events",
            "Lists what Kubernetes says has happened to pods, deployments, jobs and others of late, the newest first",
            |cluster, wanted, _context| happenings::get_events(cluster, wanted)
        ));
        looks(tool!(
            self,
            tools,
            "top_pods",
            "Lists how much processor time and memory pods use now, the greatest first; needs metrics-server in the cluster",
            |cluster, wanted, _context| usage::top_pods(cluster, wanted)
        ));
    }

    fn add_mends(&self, tools: &mut Tools) {
        let restart = tool!(
            self,
            tools,
            "restart_pod",
            "Deletes a pod so that its controller makes it anew; disruption budgets are not asked",
            |cluster, wanted, context| restart::restart_pod(cluster, wanted, &context)
        );
        mends(restart, Risk::Medium, WAIT)
            .touches("one pod: what it serves is interrupted until another one is ready")
            .requires_approval();
        self.weigh(restart, |cluster, wanted| {
            Box::pin(restart::weigh(cluster, wanted))
        });
        let scale = tool!(
            self,
            tools,
            "scale_deployment",
            "Sets how many pods a deployment has, 0 to 100; where an autoscaler is in charge, it will set another number",
            |cluster, wanted, context| scale::scale_deployment(cluster, wanted, &context)
        );
        mends(scale, Risk::High, WAIT)
            .touches("all pods of one deployment: with 0 replicas nothing serves any more")
            .requires_approval();
        self.weigh(scale, |cluster, wanted| {
            Box::pin(scale::weigh(cluster, wanted))
        });
        let rollback = tool!(
            self,
            tools,
            "rollback_deployment",
            "Makes the pods of a deployment as they were in the revision before, or in a named one, as `kubectl rollout undo`",
            |cluster, wanted, context| rollback::rollback_deployment(cluster, wanted, &context)
        );
        mends(rollback, Risk::High, WAIT)
            .touches("all pods of one deployment: they are replaced by pods of an earlier revision")
            .requires_approval();
        self.weigh(rollback, |cluster, wanted| {
            Box::pin(rollback::weigh(cluster, wanted))
        });
        let evicted = tool!(
            self,
            tools,
            "delete_evicted_pods",
            "Deletes what is left of evicted pods (failed, thrown out by their node), the oldest first; says which",
            |cluster, wanted, context| evicted::delete_evicted_pods(cluster, wanted, &context)
        );
        mends(evicted, Risk::Low, MANY)
            .touches("pods that have ended already: what is known of them, their messages included, is gone")
            .requires_approval();
        self.weigh(evicted, |cluster, wanted| {
            Box::pin(evicted::weigh(cluster, wanted))
        });
    }

    /// Says of each call of the tool what it would do, before anybody is asked whether it may be made.
    fn weigh<A: DeserializeOwned + Send + 'static>(&self, tool: &mut ToolOptions, look: Look<A>) {
        let cluster = Arc::clone(&self.cluster);
        tool.weigh(move |arguments| {
            let weighing = weigh(cluster.load_full(), arguments, look);
            async move { weighing.await.unwrap_or_else(Weight::Refused) }
        });
    }

    fn add_nodes(&self, tools: &mut Tools) {
        let cordon = tool!(
            self,
            tools,
            "cordon_node",
            "Keeps new pods away from a node, or lets them come again (`uncordon`); the pods on it stay. Nodes are in no namespace",
            |cluster, wanted, context| cordon::cordon_node(cluster, wanted, &context)
        );
        cordon
            .timeout(LOOK)
            .risk(Risk::Medium)
            .category(Category::Remediation)
            .touches("where new pods of all namespaces may run")
            .annotations(Annotations {
                read_only: Some(false),
                destructive: Some(false),
                idempotent: Some(true),
                open_world: Some(true),
            });
    }
}

async fn weigh<A: DeserializeOwned>(
    cluster: Option<Arc<Cluster>>,
    arguments: Json,
    look: Look<A>,
) -> Result<Weight, ToolError> {
    let cluster = cluster.ok_or_else(not_there)?;
    look(&cluster, arguments.parse()?).await
}

fn looks(tool: &mut ToolOptions) {
    tool.timeout(LOOK)
        .category(Category::Diagnostic)
        .annotations(Annotations {
            read_only: Some(true),
            open_world: Some(true),
            ..Annotations::default()
        });
}

fn mends(tool: &mut ToolOptions, risk: Risk, within: Duration) -> &mut ToolOptions {
    tool.timeout(within)
        .risk(risk)
        .category(Category::Remediation)
        .annotations(Annotations {
            read_only: Some(false),
            destructive: Some(true),
            idempotent: Some(false),
            open_world: Some(true),
        })
}

fn not_there() -> ToolError {
    ToolError::new("the plugin has no cluster: it is being stopped")
}
