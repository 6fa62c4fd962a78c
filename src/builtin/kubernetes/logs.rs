//! `get_pod_logs`: what a container has written, its end where all is too much.

mod tail;

use k8s_openapi::api::core::v1::Pod;
use kube::Resource;
use kube::core::Request;
use kube::core::subresource::LogParams;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::builtin::kubernetes::cluster::Cluster;
use crate::builtin::kubernetes::logs::tail::Tail;
use crate::builtin::kubernetes::names::Name;
use crate::builtin::kubernetes::refusal::{Deed, Refusal};
use crate::builtin::kubernetes::words::{bytes, counted};
use crate::plugin::{ToolError, Worded};

/// Lines that are asked for unless told otherwise.
const USUAL_LINES: u32 = 500;

/// How much of a log is read on the way to its end, in bytes.
const MAX_READ: u64 = 64 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetPodLogs {
    /// The pod, as `list_pods` names it.
    pod: Name,
    /// Its namespace; the operator's usual one if not given.
    #[serde(default)]
    namespace: Option<Name>,
    /// Which of its containers; must be given where it has several.
    #[serde(default)]
    container: Option<Name>,
    /// The log of the container that ran before the one that runs now: why it was started again.
    #[serde(default)]
    previous: bool,
    /// How many lines, from the end.
    #[serde(default = "usual_lines")]
    #[schemars(range(min = 1, max = 100_000))]
    tail_lines: u32,
    /// Only what was written in the last so many seconds.
    #[serde(default)]
    #[schemars(range(min = 1, max = 31_536_000))]
    since_seconds: Option<u32>,
    /// Puts the time before each line (RFC 3339).
    #[serde(default)]
    timestamps: bool,
}

fn usual_lines() -> u32 {
    USUAL_LINES
}

/// What a container has written.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Log {
    namespace: String,
    pod: String,
    container: Option<String>,
    previous: bool,
    log: String,
    lines: u64,
    /// Lines at its beginning that were read and left out, and their bytes: more than `max_log_bytes` of the settings.
    left_out_lines: u64,
    left_out_bytes: u64,
    may_have_earlier: bool,
    /// Why its very end is missing, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<String>,
}

/// Gets a log.
pub(super) async fn get_pod_logs(
    cluster: &Cluster,
    wanted: GetPodLogs,
) -> Result<Worded<Log>, ToolError> {
    let namespace = cluster.namespaces.one(wanted.namespace.as_ref())?;
    let asked = u64::from(wanted.tail_lines);
    let params = LogParams {
        container: wanted.container.as_ref().map(ToString::to_string),
        previous: wanted.previous,
        since_seconds: wanted.since_seconds.map(i64::from),
        tail_lines: i64::try_from(asked).ok(),
        timestamps: wanted.timestamps,
        ..LogParams::default()
    };
    let name = wanted.pod.as_str();
    let deed = Deed::new("get", "pods/log").of(name).within(&namespace);
    let pods = Request::new(Pod::url_path(&(), Some(&namespace)));
    let mut body = cluster.begin(&deed, pods.logs(name, &params)).await?;
    let mut tail = Tail::new(cluster.max_log_bytes);
    let broken = loop {
        if tail.read() > MAX_READ {
            break Some(format!("more than {} follow", bytes(MAX_READ)));
        }
        let piece = cluster.piece(&deed, &mut body);
        match tokio::time::timeout(cluster.request_timeout, piece).await {
            Ok(Ok(Some(piece))) => tail.add(&piece),
            Ok(Ok(None)) => break None,
            Ok(Err(refusal)) => break Some(refusal.to_string()),
            Err(_) => {
                break Some(Refusal::late(&deed, cluster.request_timeout).to_string());
            }
        }
    };
    let ended = tail.end();
    let value = Log {
        namespace,
        pod: name.to_owned(),
        container: params.container,
        previous: wanted.previous,
        may_have_earlier: ended.lines + ended.left_out_lines >= asked,
        log: ended.text,
        lines: ended.lines,
        left_out_lines: ended.left_out_lines,
        left_out_bytes: ended.left_out_bytes,
        broken,
    };
    Ok(Worded {
        words: words(&value),
        value,
    })
}

fn words(log: &Log) -> String {
    let mut words = String::new();
    let lines = |count: u64| {
        counted(
            usize::try_from(count).unwrap_or(usize::MAX),
            "line",
            "lines",
        )
    };
    if log.may_have_earlier {
        let all = lines(log.lines + log.left_out_lines);
        words.push_str(&format!(
            "… only the last {all} were asked for: raise `tail_lines` to see what came before\n"
        ));
    }
    if log.left_out_bytes > 0 {
        words.push_str(&format!(
            "… the first {}, {}, were left out: take fewer by `tail_lines` or `since_seconds`\n",
            lines(log.left_out_lines),
            bytes(log.left_out_bytes)
        ));
    }
    if log.log.is_empty() && log.broken.is_none() {
        words.push_str("The log is empty for what was asked.\n");
    }
    // A terminal is not to obey what a container writes.
    words.extend(log.log.chars().map(|letter| match letter {
        '\n' | '\t' => letter,
        letter if letter.is_control() => ' ',
        letter => letter,
    }));
    if !words.ends_with('\n') {
        words.push('\n');
    }
    if let Some(broken) = &log.broken {
        words.push_str(&format!("… the end is missing: {broken}\n"));
    }
    words
}
