//! `cordon_node`: whether new pods may come to a node.

use k8s_openapi::api::core::v1::Node;
use kube::Resource;
use kube::api::{GetParams, Patch, PatchParams};
use kube::core::Request;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::builtin::kubernetes::cluster::Cluster;
use crate::builtin::kubernetes::names::Name;
use crate::builtin::kubernetes::refusal::Deed;
use crate::plugin::{ToolContext, ToolError, Worded};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CordonNode {
    /// The node, as `list_pods` and `describe_pod` name it.
    node: Name,
    /// Lets new pods come again, in place of keeping them away.
    #[serde(default)]
    uncordon: bool,
}

/// A node that was cordoned, or would be.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Cordoned {
    node: String,
    dry_run: bool,
    /// Whether it was closed to new pods before.
    before: bool,
    /// Whether it is now; in a dry run, whether it would be.
    after: bool,
    changed: bool,
}

/// Closes a node to new pods, or opens it.
pub(super) async fn cordon_node(
    cluster: &Cluster,
    wanted: CordonNode,
    context: &ToolContext,
) -> Result<Worded<Cordoned>, ToolError> {
    let (name, after, dry_run) = (wanted.node.as_str(), !wanted.uncordon, context.is_dry_run());
    let nodes = Request::new(Node::url_path(&(), None));
    let get = Deed::new("get", "nodes").of(name);
    let node: Node = cluster
        .get("Node", &get, nodes.get(name, &GetParams::default()))
        .await?;
    let before = node.spec.and_then(|spec| spec.unschedulable) == Some(true);
    let changed = before != after && !dry_run;
    if changed {
        let patch = Patch::Merge(json!({ "spec": { "unschedulable": after } }));
        let deed = Deed::new("patch", "nodes").of(name);
        let request = nodes.patch(name, &PatchParams::default(), &patch);
        cluster.ask::<Value>(&deed, request).await?;
    }
    let state = |closed| match closed {
        true => "closed to new pods",
        false => "open to new pods",
    };
    let (was, now) = (state(before), state(after));
    let words = match (before == after, dry_run) {
        (true, _) => format!("Node {name} is {now} already.\n"),
        (false, true) => format!("Node {name} is {was}; it would be {now}.\n"),
        (false, false) => {
            format!("Node {name} was {was} and is {now}. The pods on it stay.\n")
        }
    };
    Ok(Worded {
        words,
        value: Cordoned {
            node: name.to_owned(),
            dry_run,
            before,
            after,
            changed,
        },
    })
}
