//! `rollback_deployment`: makes the pods of a Deployment as they were in an earlier revision, as `kubectl rollout undo`
//! does.

mod revisions;

use k8s_openapi::api::apps::v1::Deployment;
use kube::Resource;
use kube::api::{GetParams, ListParams};
use kube::core::{Request, Selector};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::builtin::kubernetes::change::{Meant, teller};
use crate::builtin::kubernetes::cluster::{Built, Cluster};
use crate::builtin::kubernetes::names::Name;
use crate::builtin::kubernetes::places::Scope;
use crate::builtin::kubernetes::refusal::{Deed, Refusal};
use crate::builtin::kubernetes::rollback::revisions::{
    Current, ImageChange, Recorded, annotations, choose, image_changes, same, without_hash,
};
use crate::builtin::kubernetes::rollout;
use crate::builtin::kubernetes::watch::Waited;
use crate::builtin::kubernetes::words::line;
use crate::plugin::{ToolContext, ToolError, Weight, Worded};

/// How often it is tried where the Deployment's status changes at the same time.
const TRIES: u32 = 4;

/// The most images that stand in the question whether to go back, and their letters.
const MAX_TOLD: usize = 5;
const MAX_LETTERS: usize = 1_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RollbackDeployment {
    /// The Deployment.
    deployment: Name,
    /// Its namespace; the operator's usual one if not given.
    #[serde(default)]
    namespace: Option<Name>,
    /// The revision to go back to; the one before the current one if not given. A dry run says which there are.
    #[serde(default)]
    #[schemars(range(min = 1))]
    revision: Option<i64>,
    /// Waits up to so many seconds until all pods are as they were; 0 (default) does not wait.
    #[serde(default)]
    #[schemars(range(min = 0, max = 300))]
    wait_seconds: u32,
}

/// A Deployment that was rolled back, or would be.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RolledBack {
    namespace: String,
    deployment: String,
    dry_run: bool,
    /// The revision it had; going back makes a new one, with the next number.
    from_revision: i64,
    /// The revision whose pods it has again; in a dry run, would have.
    to_revision: i64,
    revisions: Vec<i64>,
    images: Vec<ImageChange>,
    /// Whether anything was changed: not where the pods are as in that revision already.
    changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    waited: Option<Waited>,
}

/// What is to be done: from what to what.
struct Plan {
    current: Current,
    target: Recorded,
    revisions: Vec<i64>,
    from: i64,
    to: i64,
    is_same: bool,
}

/// Which objects, and from which revision to which.
type Step<'a> = ((&'a str, &'a str), Option<&'a str>, [i64; 2]);

impl Plan {
    fn meant<'a>(&'a self, cluster: &'a Cluster, which: (&'a str, &'a str)) -> Meant<'a, Step<'a>> {
        let uid = self.current.metadata.uid.as_deref();
        Meant::new(cluster, (which, uid, [self.from, self.to]))
    }
}

/// To which revision it would go back.
pub(super) async fn weigh(
    cluster: &Cluster,
    wanted: RollbackDeployment,
) -> Result<Weight, ToolError> {
    let namespace = cluster.namespaces.one(wanted.namespace.as_ref())?;
    let which = (namespace.as_str(), wanted.deployment.as_str());
    let plan = plan(cluster, which, wanted.revision).await?;
    if plan.is_same {
        return Ok(Weight::Looks);
    }
    let (name, place) = (which.1, cluster.words());
    let mut words = format!(
        "rolls the Deployment `{name}` of the namespace `{namespace}` in {place} back: revision {} → {}",
        plan.from, plan.to
    );
    let images = image_changes(&plan.current.spec.template, &plan.target.spec.template);
    if !images.is_empty() {
        let shown = images.iter().take(MAX_TOLD).map(ToString::to_string);
        let mut shown: Vec<String> = shown.collect();
        if images.len() > MAX_TOLD {
            shown.push(format!("{} more", images.len() - MAX_TOLD));
        }
        words.push_str(&format!(" ({})", line(&shown.join(", "), MAX_LETTERS)));
    }
    let meant = plan.meant(cluster, which);
    Ok(Weight::Changes(meant.change(words)))
}

/// Rolls a Deployment back.
pub(super) async fn rollback_deployment(
    cluster: &Cluster,
    wanted: RollbackDeployment,
    context: &ToolContext,
) -> Result<Worded<RolledBack>, ToolError> {
    let namespace = cluster.namespaces.one(wanted.namespace.as_ref())?;
    let (name, dry_run) = (wanted.deployment.as_str(), context.is_dry_run());
    let which = (namespace.as_str(), name);
    let mut plan = plan(cluster, which, wanted.revision).await?;
    let mut generation = None;
    if !dry_run && !plan.is_same {
        context.hold_to(&plan.meant(cluster, which))?;
        (plan, generation) = carry_out(cluster, which, plan).await?;
    }
    let images = image_changes(&plan.current.spec.template, &plan.target.spec.template);
    let mut words = words(which, &plan, &images, dry_run);
    let mut waited = None;
    if wanted.wait_seconds > 0 && !dry_run {
        let (tell, seconds) = (teller(context), wanted.wait_seconds);
        let ended = rollout::finished(cluster, which, generation, seconds, &tell).await;
        words.push_str(&ended.words());
        waited = Some(ended);
    }
    Ok(Worded {
        words,
        value: RolledBack {
            namespace: namespace.clone(),
            deployment: name.to_owned(),
            dry_run,
            from_revision: plan.from,
            to_revision: plan.to,
            revisions: plan.revisions,
            changed: !dry_run && !plan.is_same,
            images,
            waited,
        },
    })
}

fn words(
    (namespace, name): (&str, &str),
    plan: &Plan,
    images: &[ImageChange],
    dry_run: bool,
) -> String {
    let (from, to) = (plan.from, plan.to);
    let which = format!("Deployment {namespace}/{name}");
    let mut words = match (plan.is_same, dry_run) {
        (true, _) => format!("{which} has the pods of revision {to} already: nothing to do.\n"),
        (false, true) => format!("Would roll {which} back from revision {from} to {to}.\n"),
        (false, false) => format!("Rolled {which} back: revision {from} → {to}.\n"),
    };
    for image in images {
        words.push_str(&format!("  {image}\n"));
    }
    if images.is_empty() && !plan.is_same {
        words.push_str("  The images stay; something else of the pods changes.\n");
    }
    let all: Vec<String> = plan.revisions.iter().map(ToString::to_string).collect();
    words.push_str(&format!("Revisions that are kept: {}.\n", all.join(", ")));
    words
}

/// Looks what there is to go back to.
async fn plan(
    cluster: &Cluster,
    (namespace, name): (&str, &str),
    revision: Option<i64>,
) -> Result<Plan, Refusal> {
    let get = Deed::new("get", "deployments").of(name).within(namespace);
    let deployments = Request::new(Deployment::url_path(&(), Some(namespace)));
    let got = deployments.get(name, &GetParams::default());
    let current: Current = cluster.get("Deployment", &get, got).await?;
    if current.spec.paused {
        return Err(Refusal::new(format!(
            "the Deployment `{name}` is paused, and what is paused is not rolled back: `kubectl rollout resume deployment/{name}` first"
        )));
    }
    let selector = Selector::try_from(current.spec.selector.clone());
    let selector = selector.map_err(|error| {
        Refusal::new(format!(
            "the selector of the Deployment `{name}` is not understood: {error}"
        ))
    })?;
    let query = ListParams {
        label_selector: Some(selector.to_string()),
        ..ListParams::default()
    };
    let scope = Scope::Each(vec![namespace.to_owned()]);
    let recorded = cluster.list::<Recorded>(&scope, &query).await?.items;
    let uid = current.metadata.uid.as_deref().unwrap_or_default();
    let mut own: Vec<(i64, Recorded)> = recorded
        .into_iter()
        .filter(|one| one.is_of(uid))
        .filter_map(|one| Some((one.revision()?, one)))
        .collect();
    own.sort_by_key(|(revision, _)| *revision);
    let revisions: Vec<i64> = own.iter().map(|(revision, _)| *revision).collect();
    let to = choose(&revisions, revision).map_err(|why| {
        Refusal::new(format!(
            "the Deployment `{name}` cannot be rolled back: {why}"
        ))
    })?;
    let from = revisions.last().copied().unwrap_or(to);
    let target = own.into_iter().find(|(revision, _)| *revision == to);
    let (_, target) = target.ok_or_else(|| Refusal::new("the revision is gone"))?;
    Ok(Plan {
        is_same: same(&current.spec.template, &target.spec.template),
        current,
        target,
        revisions,
        from,
        to,
    })
}

/// Makes the change. Where only the status has changed since it was planned it is tried again; where the Deployment itself
/// has, nobody has agreed to that.
async fn carry_out(
    cluster: &Cluster,
    which: (&str, &str),
    mut plan: Plan,
) -> Result<(Plan, Option<i64>), Refusal> {
    let (namespace, name) = which;
    let deed = Deed::new("patch", "deployments").of(name).within(namespace);
    let mut tries = 1;
    loop {
        match cluster.ask::<Current>(&deed, patch(which, &plan)).await {
            Ok(patched) => return Ok((plan, patched.metadata.generation)),
            Err(refusal) if refusal.is_conflict() && tries < TRIES => {
                let generation = plan.current.metadata.generation;
                plan = self::plan(cluster, which, Some(plan.to)).await?;
                if plan.current.metadata.generation != generation {
                    return Err(refusal);
                }
                tries += 1;
            }
            Err(refusal) => return Err(refusal),
        }
    }
}

/// The JSON patch of `kubectl rollout undo`, good for the version that was looked at only.
fn patch((namespace, name): (&str, &str), plan: &Plan) -> Built {
    let path = Deployment::url_path(&(), Some(namespace));
    let mut changes = vec![
        json!({ "op": "replace", "path": "/spec/template", "value": without_hash(&plan.target.spec.template) }),
        json!({ "op": "add", "path": "/metadata/annotations", "value": annotations(&plan.current.metadata, &plan.target.metadata) }),
    ];
    if let Some(version) = &plan.current.metadata.resource_version {
        changes.push(
            json!({ "op": "replace", "path": "/metadata/resourceVersion", "value": version }),
        );
    }
    http::Request::patch(format!("{path}/{name}"))
        .header(http::header::CONTENT_TYPE, "application/json-patch+json")
        .body(Value::Array(changes).to_string().into_bytes())
        .map_err(kube::core::request::Error::BuildRequest)
}
