//! `scale_deployment`: how many pods a Deployment has.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v1::Scale;
use kube::Resource;
use kube::api::PostParams;
use kube::core::Request;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::builtin::kubernetes::change::{Meant, teller};
use crate::builtin::kubernetes::cluster::Cluster;
use crate::builtin::kubernetes::names::Name;
use crate::builtin::kubernetes::refusal::{Deed, Refusal};
use crate::builtin::kubernetes::rollout;
use crate::builtin::kubernetes::watch::Waited;
use crate::plugin::{ToolContext, ToolError, Weight, Worded};

/// How often it is tried where others change the Deployment at the same time.
const TRIES: u32 = 4;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScaleDeployment {
    /// The Deployment.
    deployment: Name,
    /// Its namespace; the operator's usual one if not given.
    #[serde(default)]
    namespace: Option<Name>,
    /// How many pods it is to have, 0 to 100. 0 ends all of them.
    #[schemars(range(min = 0, max = 100))]
    replicas: i32,
    /// Waits up to so many seconds until that many are available; 0 (default) does not wait.
    #[serde(default)]
    #[schemars(range(min = 0, max = 300))]
    wait_seconds: u32,
}

/// A Deployment that was scaled, or would be.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Scaled {
    namespace: String,
    deployment: String,
    dry_run: bool,
    before: i32,
    /// How many it is to have now; in a dry run, how many it would.
    after: i32,
    changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    waited: Option<Waited>,
}

/// Scales a Deployment.
pub(super) async fn scale_deployment(
    cluster: &Cluster,
    wanted: ScaleDeployment,
    context: &ToolContext,
) -> Result<Worded<Scaled>, ToolError> {
    let namespace = cluster.namespaces.one(wanted.namespace.as_ref())?;
    let (name, after) = (wanted.deployment.as_str(), wanted.replicas);
    is_allowed(after)?;
    let dry_run = context.is_dry_run();
    let which = (namespace.as_str(), name);
    let before = match dry_run {
        true => read(cluster, which).await?.1,
        false => change(cluster, which, after, context).await?,
    };
    let changed = before != after && !dry_run;
    let mut words = match (before == after, dry_run) {
        (true, _) => format!("Deployment {namespace}/{name} has {after} replicas already.\n"),
        (false, true) => format!(
            "Would scale Deployment {namespace}/{name} from {before} to {after} replicas.\n"
        ),
        (false, false) => {
            format!("Scaled Deployment {namespace}/{name}: {before} → {after} replicas.\n")
        }
    };
    if after == 0 && before != 0 {
        words.push_str(match dry_run {
            true => "All its pods would end; nothing would serve until it is scaled up again.\n",
            false => "All its pods end; nothing serves until it is scaled up again.\n",
        });
    }
    let mut waited = None;
    if wanted.wait_seconds > 0 && !dry_run {
        let (tell, seconds) = (teller(context), wanted.wait_seconds);
        let ended = rollout::finished(cluster, (&namespace, name), None, seconds, &tell).await;
        words.push_str(&ended.words());
        waited = Some(ended);
    }
    Ok(Worded {
        words,
        value: Scaled {
            deployment: name.to_owned(),
            namespace,
            dry_run,
            before,
            after,
            changed,
            waited,
        },
    })
}

/// From how many it would be scaled to how many.
pub(super) async fn weigh(cluster: &Cluster, wanted: ScaleDeployment) -> Result<Weight, ToolError> {
    let namespace = cluster.namespaces.one(wanted.namespace.as_ref())?;
    let (name, after) = (wanted.deployment.as_str(), wanted.replicas);
    is_allowed(after)?;
    let which = (namespace.as_str(), name);
    let (_, before) = read(cluster, which).await?;
    if before == after {
        return Ok(Weight::Looks);
    }
    let place = cluster.words();
    let words = format!(
        "scales the Deployment `{name}` of the namespace `{namespace}` in {place}: {before} → {after} replicas"
    );
    let meant = meant(cluster, which, before, after);
    Ok(Weight::Changes(meant.change(words)))
}

fn is_allowed(replicas: i32) -> Result<(), ToolError> {
    match (0..=100).contains(&replicas) {
        true => Ok(()),
        false => Err(ToolError::new("`replicas` must be between 0 and 100")),
    }
}

fn meant<'a>(
    cluster: &'a Cluster,
    which: (&'a str, &'a str),
    before: i32,
    after: i32,
) -> Meant<'a, ((&'a str, &'a str), i32, i32)> {
    Meant::new(cluster, (which, before, after))
}

/// The Deployment's scale as it is, and the number in it.
async fn read(cluster: &Cluster, (namespace, name): (&str, &str)) -> Result<(Value, i32), Refusal> {
    let deployments = Request::new(Deployment::url_path(&(), Some(namespace)));
    let get = Deed::new("get", "deployments/scale")
        .of(name)
        .within(namespace);
    let scale: Value = cluster
        .get("Scale", &get, deployments.get_subresource("scale", name))
        .await?;
    let known: Scale = serde_json::from_value(scale.clone())
        .map_err(|_| Refusal::new(format!("could not {get}: the answer is no Scale")))?;
    let replicas = known.spec.and_then(|spec| spec.replicas).unwrap_or(0);
    Ok((scale, replicas))
}

/// Sets the number; the one before. What is wanted is a number, so it is tried again where others were quicker; not where
/// somebody has agreed to a change from another one.
async fn change(
    cluster: &Cluster,
    which: (&str, &str),
    replicas: i32,
    context: &ToolContext,
) -> Result<i32, ToolError> {
    let (namespace, name) = which;
    let deployments = Request::new(Deployment::url_path(&(), Some(namespace)));
    let update = Deed::new("update", "deployments/scale")
        .of(name)
        .within(namespace);
    let mut tries = 1;
    loop {
        let (mut scale, before) = read(cluster, which).await?;
        if before == replicas {
            return Ok(before);
        }
        context.hold_to(&meant(cluster, which, before, replicas))?;
        // With the version it was read in, so that what others have done meanwhile is not overwritten unseen.
        scale["spec"]["replicas"] = replicas.into();
        let body = scale.to_string().into_bytes();
        let params = PostParams::default();
        let put = deployments.replace_subresource("scale", name, &params, body);
        match cluster.ask::<Value>(&update, put).await {
            Err(refusal) if refusal.is_conflict() && tries < TRIES => tries += 1,
            ended => return Ok(ended.map(|_| before)?),
        }
    }
}
