//! `top_pods`: how much processor time and memory pods use now, as metrics-server says.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::kubernetes::cluster::Cluster;
use crate::builtin::kubernetes::listing::Kind;
use crate::builtin::kubernetes::names::Name;
use crate::builtin::kubernetes::quantity;
use crate::builtin::kubernetes::words::counted;
use crate::builtin::table::Table;
use crate::plugin::{ToolError, Worded};

/// Pods that are shown unless told otherwise.
const USUAL: u32 = 50;

/// The most pods that are shown.
const MOST: u32 = 500;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TopPods {
    /// The namespace; the operator's usual one if not given.
    #[serde(default)]
    namespace: Option<Name>,
    /// Looks into all namespaces that the operator allows, in place of one.
    #[serde(default)]
    all_namespaces: bool,
    /// Only pods with these labels, as Kubernetes selects by them: `app=web`.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    label_selector: Option<String>,
    /// By what they are sorted, the greatest first: `cpu` or `memory`.
    #[serde(default)]
    sort_by: SortBy,
    /// How many pods are shown, at the most.
    #[serde(default = "usual")]
    #[schemars(range(min = 1, max = 500))]
    limit: u32,
}

fn usual() -> u32 {
    USUAL
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum SortBy {
    #[default]
    Cpu,
    Memory,
}

/// What pods use.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Usage {
    pods: Vec<PodUsage>,
    omitted: usize,
    total_cpu_millicores: u64,
    total_memory_bytes: u64,
    /// Whether there are more pods than were read (5,000).
    incomplete: bool,
}

/// What one pod uses.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PodUsage {
    namespace: String,
    name: String,
    /// Thousandths of a processor, over `window`.
    cpu_millicores: u64,
    memory_bytes: u64,
    time: Option<String>,
    /// Over how long the processor time was measured, such as `15s`.
    window: Option<String>,
    containers: Vec<ContainerUsage>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ContainerUsage {
    name: String,
    cpu_millicores: u64,
    memory_bytes: u64,
}

/// An object of `metrics.k8s.io/v1beta1`.
#[derive(Deserialize)]
struct Measured {
    metadata: ObjectMeta,
    timestamp: Option<String>,
    window: Option<String>,
    #[serde(default)]
    containers: Vec<MeasuredContainer>,
}

#[derive(Deserialize)]
struct MeasuredContainer {
    name: String,
    usage: Amounts,
}

#[derive(Deserialize)]
struct Amounts {
    #[serde(default)]
    cpu: String,
    #[serde(default)]
    memory: String,
}

impl Kind for Measured {
    const RESOURCE: &'static str = "pods.metrics.k8s.io";

    fn path(namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) => format!("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods"),
            None => "/apis/metrics.k8s.io/v1beta1/pods".to_owned(),
        }
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }
}

/// Lists what pods use.
pub(super) async fn top_pods(
    cluster: &Cluster,
    wanted: TopPods,
) -> Result<Worded<Usage>, ToolError> {
    let scope = cluster
        .namespaces
        .scope(wanted.namespace.as_ref(), wanted.all_namespaces)?;
    let query = ListParams {
        label_selector: wanted.label_selector,
        ..ListParams::default()
    };
    let found = cluster.list::<Measured>(&scope, &query).await?;
    let mut pods: Vec<PodUsage> = found.items.into_iter().map(usage).collect();
    pods.sort_by_key(|pod| {
        std::cmp::Reverse(match wanted.sort_by {
            SortBy::Cpu => (pod.cpu_millicores, pod.memory_bytes),
            SortBy::Memory => (pod.memory_bytes, pod.cpu_millicores),
        })
    });
    let total_cpu_millicores = pods.iter().map(|pod| pod.cpu_millicores).sum();
    let total_memory_bytes = pods.iter().map(|pod| pod.memory_bytes).sum();
    let most = wanted.limit.clamp(1, MOST) as usize;
    let omitted = pods.len().saturating_sub(most);
    pods.truncate(most);
    let value = Usage {
        pods,
        omitted,
        total_cpu_millicores,
        total_memory_bytes,
        incomplete: found.more,
    };
    Ok(Worded {
        words: words(&value),
        value,
    })
}

fn usage(measured: Measured) -> PodUsage {
    let containers: Vec<ContainerUsage> = measured
        .containers
        .into_iter()
        .map(|container| ContainerUsage {
            name: container.name,
            cpu_millicores: (quantity::read(&container.usage.cpu).unwrap_or(0.0) * 1e3).round()
                as u64,
            memory_bytes: quantity::read(&container.usage.memory)
                .unwrap_or(0.0)
                .round() as u64,
        })
        .collect();
    PodUsage {
        namespace: measured.metadata.namespace.unwrap_or_default(),
        name: measured.metadata.name.unwrap_or_default(),
        cpu_millicores: containers.iter().map(|one| one.cpu_millicores).sum(),
        memory_bytes: containers.iter().map(|one| one.memory_bytes).sum(),
        time: measured.timestamp,
        window: measured.window,
        containers,
    }
}

fn words(usage: &Usage) -> String {
    let mut table = Table::new(["NAMESPACE", "POD", "CPU", "MEMORY", "CONTAINERS"]);
    for pod in &usage.pods {
        let each = match pod.containers.len() {
            0 | 1 => String::new(),
            _ => {
                let each = pod.containers.iter().map(|one| {
                    let (cpu, memory) = (one.cpu_millicores, mebibytes(one.memory_bytes));
                    format!("{} {cpu}m {memory}", one.name)
                });
                each.collect::<Vec<_>>().join(", ")
            }
        };
        table.row([
            pod.namespace.clone(),
            pod.name.clone(),
            format!("{}m", pod.cpu_millicores),
            mebibytes(pod.memory_bytes),
            each,
        ]);
    }
    let nothing = "No pods: metrics-server has measured none there that fit; new pods are measured after a minute.\n";
    let mut words = table.render(nothing);
    if usage.omitted > 0 {
        let omitted = counted(usage.omitted, "more pod is", "more pods are");
        let (cpu, memory) = (
            usage.total_cpu_millicores,
            mebibytes(usage.total_memory_bytes),
        );
        words.push_str(&format!(
            "… {omitted} not shown; all together use {cpu}m and {memory}\n"
        ));
    }
    if usage.incomplete {
        words.push_str("… there are more pods than were read: select by labels or namespace\n");
    }
    words
}

fn mebibytes(bytes: u64) -> String {
    format!("{}Mi", bytes.div_ceil(1 << 20))
}
