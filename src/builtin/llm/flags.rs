//! The flags of `kubectl` that a command may have. All others are refused: which are not here is more than can be known.

use Takes::{Nothing, Value, ValueBehindEquals};

/// Whether a flag has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// It is there or not; also `--flag=true` and `--flag=false`.
    Nothing,
    /// `--flag value`, `--flag=value`, `-f value`, `-fvalue`.
    Value,
    /// `--flag=value` only: alone it would mean something else.
    ValueBehindEquals,
}

/// A flag.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flag {
    /// Its long name, without hyphens.
    pub(super) name: &'static str,
    pub(super) letter: Option<char>,
    pub(super) takes: Takes,
}

const fn long(name: &'static str, takes: Takes) -> Flag {
    Flag {
        name,
        letter: None,
        takes,
    }
}

const fn short(name: &'static str, letter: char, takes: Takes) -> Flag {
    Flag {
        name,
        letter: Some(letter),
        takes,
    }
}

/// The namespace, which every command may name.
pub(super) const NAMESPACE: Flag = short("namespace", 'n', Value);

const ALL_NAMESPACES: Flag = short("all-namespaces", 'A', Nothing);
const OUTPUT: Flag = short("output", 'o', Value);
const SELECTOR: Flag = short("selector", 'l', Value);
const FIELD_SELECTOR: Flag = long("field-selector", Value);
const NO_HEADERS: Flag = long("no-headers", Nothing);
const SORT_BY: Flag = long("sort-by", Value);
const CHUNK_SIZE: Flag = long("chunk-size", Value);
const DRY_RUN: Flag = long("dry-run", ValueBehindEquals);
const TIMEOUT: Flag = long("timeout", Value);
const REVISION: Flag = long("revision", Value);

pub(super) const GET: &[Flag] = &[
    ALL_NAMESPACES,
    OUTPUT,
    SELECTOR,
    FIELD_SELECTOR,
    NO_HEADERS,
    SORT_BY,
    CHUNK_SIZE,
    short("label-columns", 'L', Value),
    long("show-labels", Nothing),
    long("show-kind", Nothing),
    long("show-managed-fields", Nothing),
    long("ignore-not-found", Nothing),
    long("subresource", Value),
];
pub(super) const DESCRIBE: &[Flag] = &[
    ALL_NAMESPACES,
    SELECTOR,
    CHUNK_SIZE,
    long("show-events", Nothing),
];
pub(super) const LOGS: &[Flag] = &[
    SELECTOR,
    short("container", 'c', Value),
    short("previous", 'p', Nothing),
    long("since", Value),
    long("since-time", Value),
    long("tail", Value),
    long("limit-bytes", Value),
    long("timestamps", Nothing),
    long("prefix", Nothing),
    long("all-containers", Nothing),
    long("all-pods", Nothing),
    long("ignore-errors", Nothing),
    long("max-log-requests", Value),
];
pub(super) const TOP: &[Flag] = &[
    ALL_NAMESPACES,
    SELECTOR,
    FIELD_SELECTOR,
    NO_HEADERS,
    SORT_BY,
    long("containers", Nothing),
    long("sum", Nothing),
    long("show-capacity", Nothing),
];
pub(super) const EVENTS: &[Flag] = &[
    ALL_NAMESPACES,
    OUTPUT,
    NO_HEADERS,
    CHUNK_SIZE,
    long("for", Value),
    long("types", Value),
];
pub(super) const EXPLAIN: &[Flag] = &[
    OUTPUT,
    long("recursive", Nothing),
    long("api-version", Value),
];
pub(super) const API_RESOURCES: &[Flag] = &[
    OUTPUT,
    NO_HEADERS,
    SORT_BY,
    long("api-group", Value),
    long("categories", Value),
    long("namespaced", Nothing),
    long("verbs", Value),
];
pub(super) const VERSION: &[Flag] = &[OUTPUT, long("client", Nothing)];
pub(super) const NONE: &[Flag] = &[];
pub(super) const ROLLOUT_STATUS: &[Flag] = &[REVISION];
pub(super) const ROLLOUT_HISTORY: &[Flag] = &[REVISION, OUTPUT];
pub(super) const ROLLOUT_UNDO: &[Flag] = &[DRY_RUN, long("to-revision", Value)];
pub(super) const DELETE: &[Flag] = &[
    DRY_RUN,
    OUTPUT,
    TIMEOUT,
    long("cascade", ValueBehindEquals),
    long("grace-period", Value),
    long("ignore-not-found", Nothing),
    long("now", Nothing),
    long("wait", Nothing),
];
pub(super) const SCALE: &[Flag] = &[
    DRY_RUN,
    OUTPUT,
    TIMEOUT,
    long("replicas", Value),
    long("current-replicas", Value),
    long("resource-version", Value),
];
pub(super) const CORDON: &[Flag] = &[DRY_RUN];

/// Why a flag is refused that is a flag of `kubectl`; with its letter or without its hyphens.
pub(super) fn why_not(verb: &str, name: &str) -> &'static str {
    match name {
        "kubeconfig"
        | "server"
        | "s"
        | "context"
        | "cluster"
        | "user"
        | "token"
        | "username"
        | "password"
        | "client-certificate"
        | "client-key"
        | "certificate-authority"
        | "tls-server-name"
        | "insecure-skip-tls-verify" => {
            "which cluster is spoken to, and as whom, stands in the plugin's settings; leave it out"
        }
        "as" | "as-group" | "as-uid" | "as-user-extra" => "nobody is impersonated; leave it out",
        "follow" => "it would not end; leave it out, and call again for what is newer",
        "f" if verb == "logs" => {
            "it would not end (it stands for `--follow`); leave it out, and call again for what is newer"
        }
        "filename" | "f" | "kustomize" | "k" | "recursive" | "R" | "output-directory"
        | "template" => "no files are read or written; name the resource instead",
        "watch" | "watch-only" | "w" | "output-watch-events" => {
            "it would not end; leave it out, and call again"
        }
        "raw" => "paths of the API are not asked for by hand; name the resource",
        "all" => "it would take all there are; name each one",
        "all-namespaces" | "A" => "it would change things in every namespace; name one by `-n`",
        "selector" | "l" | "field-selector" => {
            "it may fit more than was meant; name each one (`get` with the same selector lists them)"
        }
        "force" => "what is removed by force may still run; leave it out",
        "interactive" | "i" | "stdin" | "t" | "tty" | "it" => {
            "nobody can type into it; leave it out"
        }
        "v" | "vmodule" | "cache-dir" | "kuberc" | "profile" | "profile-output" | "log-file"
        | "log-dir" | "show-secrets" => "it could show credentials or write files; leave it out",
        _ => "it is not among those that this tool lets through; leave it out",
    }
}
