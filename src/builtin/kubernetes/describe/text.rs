//! A pod in words: what `kubectl describe` would say of it, without the values of environment variables.

use std::fmt::Write;

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStatus, EnvVar, EnvVarSource, Pod, PodSpec,
    ResourceRequirements,
};
use k8s_openapi::jiff::Timestamp;

use crate::builtin::kubernetes::pods::{controller, status_of};
use crate::builtin::kubernetes::words::{age_of, line};

/// The most letters of a message.
const MAX_MESSAGE: usize = 500;

/// The pod in words.
pub(super) fn of(pod: &Pod, now: Timestamp) -> String {
    let mut text = String::new();
    head(&mut text, pod, now);
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let lists = |of: fn(&PodSpec) -> Option<&Vec<Container>>| spec.and_then(of);
    let of_init = status.and_then(|status| status.init_container_statuses.as_deref());
    let of_others = status.and_then(|status| status.container_statuses.as_deref());
    for (heading, containers, statuses) in [
        (
            "Init containers",
            lists(|spec| spec.init_containers.as_ref()),
            of_init,
        ),
        (
            "Containers",
            lists(|spec| Some(&spec.containers)),
            of_others,
        ),
    ] {
        let containers = containers.filter(|containers| !containers.is_empty());
        let Some(containers) = containers else {
            continue;
        };
        add(&mut text, format_args!("\n{heading}:"));
        for container in containers {
            let mut known = statuses.unwrap_or_default().iter();
            let known = known.find(|status| status.name == container.name);
            describe(&mut text, container, known, now);
        }
    }
    conditions(&mut text, pod, now);
    text
}

fn add(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a text takes all");
}

fn head(text: &mut String, pod: &Pod, now: Timestamp) {
    let (metadata, spec, status) = (&pod.metadata, pod.spec.as_ref(), pod.status.as_ref());
    let or_none = |value: Option<&String>| value.map_or("–", String::as_str).to_owned();
    let (name, namespace) = (
        or_none(metadata.name.as_ref()),
        or_none(metadata.namespace.as_ref()),
    );
    add(text, format_args!("Pod {name} in {namespace}"));
    let phase = status.and_then(|status| status.phase.as_ref());
    add(
        text,
        format_args!(
            "Status: {} (phase {}), made {} ago",
            status_of(pod),
            or_none(phase),
            age_of(metadata.creation_timestamp.as_ref(), now)
        ),
    );
    if let Some(since) = &metadata.deletion_timestamp {
        add(
            text,
            format_args!("Is to be gone: asked so {} ago", age_of(Some(since), now)),
        );
    }
    let reason = status.and_then(|status| status.reason.as_deref());
    let message = status.and_then(|status| status.message.as_deref());
    if reason.or(message).is_some() {
        let (reason, message) = (reason.unwrap_or("–"), message.unwrap_or("–"));
        add(
            text,
            format_args!("Reason: {reason}: {}", line(message, MAX_MESSAGE)),
        );
    }
    let node = or_none(spec.and_then(|spec| spec.node_name.as_ref()));
    let host = or_none(status.and_then(|status| status.host_ip.as_ref()));
    let ip = or_none(status.and_then(|status| status.pod_ip.as_ref()));
    add(text, format_args!("Node: {node} ({host}), IP {ip}"));
    add(text, format_args!("Controlled by: {}", owner(pod)));
    let account = spec.and_then(|spec| spec.service_account_name.as_ref());
    let class = status.and_then(|status| status.qos_class.as_ref());
    let restarts = spec.and_then(|spec| spec.restart_policy.as_ref());
    add(
        text,
        format_args!(
            "Service account: {}, quality of service: {}, restarts: {}",
            or_none(account),
            or_none(class),
            or_none(restarts)
        ),
    );
    let labels = metadata.labels.iter().flatten();
    let labels: Vec<String> = labels
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if !labels.is_empty() {
        add(text, format_args!("Labels: {}", labels.join(" ")));
    }
}

/// What makes the pod anew. Of a ReplicaSet, the Deployment that its name tells of, too.
fn owner(pod: &Pod) -> String {
    let Some(owner) = controller(pod) else {
        return "nothing: if it ends, it is gone".to_owned();
    };
    let mut words = format!("{}/{}", owner.kind, owner.name);
    let labels = pod.metadata.labels.as_ref();
    let hash = labels.and_then(|labels| labels.get("pod-template-hash"));
    let deployment = hash.and_then(|hash| owner.name.strip_suffix(hash)?.strip_suffix('-'));
    if let (Some(deployment), "ReplicaSet") = (deployment, &*owner.kind) {
        write!(words, " (by its name, of Deployment/{deployment})").expect("a text takes all");
    }
    words
}

fn describe(
    text: &mut String,
    container: &Container,
    status: Option<&ContainerStatus>,
    now: Timestamp,
) {
    let image = container.image.as_deref().unwrap_or("–");
    add(text, format_args!("  {}: image {image}", container.name));
    if let Some(status) = status {
        let ready = match status.ready {
            true => "ready",
            false => "not ready",
        };
        let (state, restarts) = (said(status.state.as_ref(), now), status.restart_count);
        add(
            text,
            format_args!("    State: {state}, {ready}, restarts {restarts}"),
        );
        let last = status.last_state.as_ref();
        let has_last = |state: &&ContainerState| {
            state.terminated.is_some() || state.waiting.is_some() || state.running.is_some()
        };
        if let Some(last) = last.filter(has_last) {
            add(
                text,
                format_args!("    Before that: {}", said(Some(last), now)),
            );
        }
    }
    if let Some(resources) = container.resources.as_ref().and_then(amounts) {
        add(text, format_args!("    Resources: {resources}"));
    }
    let ports = container.ports.iter().flatten();
    let ports: Vec<String> = ports.map(|port| port.container_port.to_string()).collect();
    if !ports.is_empty() {
        add(text, format_args!("    Ports: {}", ports.join(", ")));
    }
    let probes = [
        ("liveness", container.liveness_probe.is_some()),
        ("readiness", container.readiness_probe.is_some()),
        ("startup", container.startup_probe.is_some()),
    ];
    let probes: Vec<&str> = probes
        .iter()
        .filter_map(|(name, is_there)| is_there.then_some(*name))
        .collect();
    if !probes.is_empty() {
        add(text, format_args!("    Probes: {}", probes.join(", ")));
    }
    let variables: Vec<String> = container.env.iter().flatten().map(variable).collect();
    if !variables.is_empty() {
        add(
            text,
            format_args!("    Environment: {}", variables.join(", ")),
        );
    }
    let mounts = container.volume_mounts.iter().flatten();
    let mounts: Vec<String> = mounts
        .map(|mount| format!("{} at {}", mount.name, mount.mount_path))
        .collect();
    if !mounts.is_empty() {
        add(text, format_args!("    Mounts: {}", mounts.join(", ")));
    }
}

/// The name of a variable and where its value is from. The value itself may be a secret.
fn variable(variable: &EnvVar) -> String {
    let name = &variable.name;
    match &variable.value_from {
        None => name.clone(),
        Some(from) => format!("{name} from {}", source(from)),
    }
}

fn source(from: &EnvVarSource) -> String {
    if let Some(key) = &from.secret_key_ref {
        return format!("secret {}/{}", key.name, key.key);
    }
    if let Some(key) = &from.config_map_key_ref {
        return format!("config map {}/{}", key.name, key.key);
    }
    if let Some(field) = &from.field_ref {
        return format!("field {}", field.field_path);
    }
    match &from.resource_field_ref {
        Some(field) => format!("resource {}", field.resource),
        None => "elsewhere".to_owned(),
    }
}

fn said(state: Option<&ContainerState>, now: Timestamp) -> String {
    let Some(state) = state else {
        return "not known".to_owned();
    };
    if let Some(running) = &state.running {
        return format!("running for {}", age_of(running.started_at.as_ref(), now));
    }
    if let Some(ended) = &state.terminated {
        let reason = ended.reason.as_deref().unwrap_or("no reason given");
        let (code, ago) = (ended.exit_code, age_of(ended.finished_at.as_ref(), now));
        let mut words = format!("ended {ago} ago with code {code} ({reason})");
        if let Some(message) = &ended.message {
            write!(words, ": {}", line(message, MAX_MESSAGE)).expect("a text takes all");
        }
        return words;
    }
    match &state.waiting {
        Some(waiting) => {
            let reason = waiting.reason.as_deref().unwrap_or("no reason given");
            let message = waiting.message.as_deref().unwrap_or_default();
            match message.is_empty() {
                true => format!("waiting ({reason})"),
                false => format!("waiting ({reason}: {})", line(message, MAX_MESSAGE)),
            }
        }
        None => "not known".to_owned(),
    }
}

fn amounts(resources: &ResourceRequirements) -> Option<String> {
    let parts = [
        ("asks", &resources.requests),
        ("at most", &resources.limits),
    ];
    let parts = parts.iter().filter_map(|(word, amounts)| {
        let amounts = amounts.as_ref().filter(|amounts| !amounts.is_empty())?;
        let amounts: Vec<String> = amounts
            .iter()
            .map(|(what, amount)| format!("{what} {}", amount.0))
            .collect();
        Some(format!("{word} {}", amounts.join(" ")))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn conditions(text: &mut String, pod: &Pod, now: Timestamp) {
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref());
    let conditions = conditions.unwrap_or_default();
    if conditions.is_empty() {
        return;
    }
    add(text, format_args!("\nConditions:"));
    for condition in conditions {
        let since = age_of(condition.last_transition_time.as_ref(), now);
        let mut words = format!("  {}: {} for {since}", condition.type_, condition.status);
        let why = [&condition.reason, &condition.message];
        for part in why.into_iter().flatten().filter(|part| !part.is_empty()) {
            write!(words, ", {}", line(part, MAX_MESSAGE)).expect("a text takes all");
        }
        add(text, format_args!("{words}"));
    }
}
