//! What the API server says when it does not do what it is asked, and what may be done about it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use kube::core::Status;

use crate::builtin::kubernetes::words::line;

/// The most letters of the API server's own words.
const MAX_WORDS: usize = 500;

/// The most fields of an object that are named as wrong.
const MAX_CAUSES: usize = 5;

/// What is asked of the API server, in the words of its roles.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    pub(super) verb: &'static str,
    /// Such as `pods`, or `pods/log`.
    pub(super) resource: &'static str,
    pub(super) name: Option<String>,
    /// `None`: in all, or in none.
    pub(super) namespace: Option<String>,
}

/// Something was not done. Its text is for the caller: what, why, and what may be done about it.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The status, where the API server answered.
    pub(super) code: u16,
    words: String,
}

impl Deed {
    pub(super) fn new(verb: &'static str, resource: &'static str) -> Self {
        Self {
            verb,
            resource,
            name: None,
            namespace: None,
        }
    }

    pub(super) fn of(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    pub(super) fn within(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Whether it may change something.
    fn changes(&self) -> bool {
        !matches!(self.verb, "get" | "list" | "watch")
    }

    fn place(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!(" in the namespace `{namespace}`"),
            None => String::new(),
        }
    }
}

/// Such as ``delete pods `web-1` in the namespace `shop` ``.
impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        f.write_str(&self.place())
    }
}

impl Refusal {
    /// What is not about one answer.
    pub(super) fn new(words: impl Into<String>) -> Self {
        Self {
            code: 0,
            words: words.into(),
        }
    }

    /// The API server answered with a status.
    pub(super) fn told(deed: &Deed, code: u16, status: &Status) -> Self {
        let mut words = format!("could not {deed}: the API server answered {code}");
        let said = match status.message.is_empty() {
            true => &status.reason,
            false => &status.message,
        };
        if !said.is_empty() {
            words.push_str(&format!(", {}", line(said, MAX_WORDS)));
        }
        let details = status.details.as_ref();
        let causes = details.map_or(&[][..], |details| &details.causes);
        for cause in causes.iter().take(MAX_CAUSES) {
            let (field, message) = (line(&cause.field, 80), line(&cause.message, 160));
            if !words.contains(&message) {
                words.push_str(&format!("; {field}: {message}"));
            }
        }
        let again = details.map_or(0, |details| details.retry_after_seconds);
        words.push_str(&mend(deed, code, again));
        Self { code, words }
    }

    /// No answer came in time.
    pub(super) fn late(deed: &Deed, within: Duration) -> Self {
        let ms = within.as_millis();
        let mut words = format!(
            "could not {deed}: the API server did not answer within {ms} ms (`request_timeout_ms`)"
        );
        words.push_str(match deed.changes() {
            true => "; it may have been done all the same: look before you call again",
            false => "; try again, or look whether it is overloaded",
        });
        Self::new(words)
    }

    /// No answer came at all.
    pub(super) fn unreachable(deed: &Deed, server: &str, error: &(dyn Error + 'static)) -> Self {
        let reason = deepest(error);
        let mend = match is_about_trust(error) {
            true => {
                "; TLS failed: look whether `server` and `certificate-authority-data` in the kubeconfig are those of the cluster"
            }
            false => "; look whether the cluster runs and where the kubeconfig says it is",
        };
        let doubt = match deed.changes() {
            true => "; if the connection broke late, it may have been done: look first",
            false => "",
        };
        let reason = line(&reason, MAX_WORDS);
        Self::new(format!(
            "could not {deed}: the API server at {server} could not be reached: {reason}{mend}{doubt}"
        ))
    }

    /// Whether what was meant to be continued is too old.
    pub(super) fn is_gone(&self) -> bool {
        self.code == 410
    }

    /// Whether the object was changed by someone else meanwhile.
    pub(super) fn is_conflict(&self) -> bool {
        self.code == 409
    }

    pub(super) fn is_missing(&self) -> bool {
        self.code == 404
    }
}

fn mend(deed: &Deed, code: u16, retry_after_seconds: u32) -> String {
    let (verb, resource, place) = (deed.verb, deed.resource, deed.place());
    let group = deed.resource.split('/').next().unwrap_or_default();
    match code {
        300..400 => {
            "; redirects are not followed: `server` in the kubeconfig must lead to the API server itself".to_owned()
        }
        401 => "; the credentials in the kubeconfig are not accepted: renew them".to_owned(),
        403 => format!(
            "; the account of the gateway needs the verb `{verb}` on `{resource}`{place}: the plugin's README has the role"
        ),
        404 if resource.contains(".metrics.k8s.io") => {
            "; the cluster has no metrics API: it comes with metrics-server".to_owned()
        }
        404 if deed.resource == "nodes" => {
            "; look at the name of the node: `list_pods` says which nodes pods are on".to_owned()
        }
        404 if deed.name.is_some() => {
            format!("; look at the name and the namespace of the {group}")
        }
        404 => "; does the kubeconfig lead to an API server?".to_owned(),
        409 => "; it was changed by someone else at the same time: look at it again, then decide"
            .to_owned(),
        410 => "; what was to be continued is too old: call again".to_owned(),
        422 | 400 => "; the arguments do not fit this object".to_owned(),
        429 => match retry_after_seconds {
            0 => "; it has too much to do: try again later".to_owned(),
            seconds => format!("; it has too much to do: try again in {seconds} s"),
        },
        503 if resource.contains(".metrics.k8s.io") => {
            "; metrics-server does not serve just now: look at its pods in `kube-system`".to_owned()
        }
        500.. if deed.changes() => {
            "; the trouble is its own, and the change may have been made: look first".to_owned()
        }
        500.. => "; the trouble is its own: try again later".to_owned(),
        _ => String::new(),
    }
}

/// The error at the bottom of all others, which says the most.
fn deepest(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// Whether TLS failed. Errors of I/O hide what they hold from `source`, also one in another.
fn is_about_trust(error: &(dyn Error + 'static)) -> bool {
    let mut at = Some(error);
    while let Some(error) = at {
        if error.is::<rustls::Error>() {
            return true;
        }
        let wrapped = error.downcast_ref::<std::io::Error>();
        let inner = wrapped.and_then(std::io::Error::get_ref);
        at = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// So that `?` makes the error of a tool.
impl Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_mend() {
        let deed = Deed::new("patch", "deployments").of("web").within("shop");
        for (code, part) in [
            (302, "redirects are not followed"),
            (400, "do not fit"),
            (401, "renew them"),
            (
                403,
                "the verb `patch` on `deployments` in the namespace `shop`",
            ),
            (404, "look at the name"),
            (409, "by someone else"),
            (410, "too old"),
            (422, "do not fit"),
            (429, "try again in 7 s"),
            (500, "look first"),
            (504, "look first"),
        ] {
            let status =
                serde_json::json!({ "message": "no\nway", "details": { "retryAfterSeconds": 7 } });
            let status = serde_json::from_value(status).expect("it is a status");
            let words = Refusal::told(&deed, code, &status).to_string();
            let begin = format!(
                "could not patch deployments `web` in the namespace `shop`: the API server answered {code}, no way; "
            );
            assert!(words.starts_with(&begin), "{words}");
            assert!(words.contains(part), "{words}");
        }
        let node = Deed::new("get", "nodes").of("n1");
        let missing = Refusal::told(&node, 404, &Status::default()).to_string();
        assert!(
            missing.contains("the name of the node") && !missing.contains("namespace"),
            "{missing}"
        );
        let look = Deed::new("list", "pods.metrics.k8s.io");
        let missing = Refusal::told(&look, 404, &Status::default()).to_string();
        assert!(missing.contains("metrics-server"), "{missing}");
    }
}
