//! An API server that stands in for one: it expects one request after the other, to the letter, and complains of all else.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::stand_in::{Asked, Said, StandIn};
use crate::support::{Answer, TestGateway};

/// The bearer token of the kubeconfig.
pub(crate) const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.c2hvcA.signature";

/// A request that is to come, and what it is answered.
pub(crate) struct Expect {
    line: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    kind: &'static str,
    said: Said,
}

/// The server, and a kubeconfig that leads to it.
pub(crate) struct Api {
    server: StandIn,
    expected: Arc<Mutex<VecDeque<Expect>>>,
    complaints: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
}

/// A request that is answered 200.
pub(crate) fn on(line: &str, query: &[(&'static str, &str)], answer: Value) -> Expect {
    Expect {
        line: line.to_owned(),
        query: query
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        body: None,
        kind: "",
        said: Said::Whole(200, answer),
    }
}

impl Expect {
    /// With this body.
    pub(crate) fn with(mut self, kind: &'static str, body: Value) -> Self {
        (self.kind, self.body) = (kind, Some(body));
        self
    }

    /// Is answered so.
    pub(crate) fn said(mut self, said: Said) -> Self {
        self.said = said;
        self
    }

    /// Is refused with a status as API servers write it.
    pub(crate) fn refused(self, code: u16, reason: &str, message: &str) -> Self {
        self.said(Said::Whole(code, status(code, reason, message)))
    }

    /// What is wrong with a request that came in its place.
    fn complaint(&self, asked: &Asked) -> Option<String> {
        let came: Vec<(&str, &str)> = asked
            .query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let mut query: Vec<(&str, &str)> = self
            .query
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        query.sort_unstable();
        let bearer = format!("Bearer {TOKEN}");
        let fits = asked.line == self.line
            && came == query
            && asked.body == self.body
            && asked.header("content-type") == self.kind
            && asked.header("authorization") == bearer;
        (!fits).then(|| {
            format!(
                "came {} {came:?} {:?} ({}, {})\nexpected {} {query:?} {:?} ({})",
                asked.line,
                asked.body,
                asked.header("content-type"),
                asked.header("authorization"),
                self.line,
                self.body,
                self.kind
            )
        })
    }
}

impl Api {
    pub(crate) async fn start(expected: impl IntoIterator<Item = Expect>) -> Self {
        let expected = Arc::new(Mutex::new(expected.into_iter().collect::<VecDeque<_>>()));
        let complaints = Arc::<Mutex<Vec<String>>>::default();
        let (next, said) = (Arc::clone(&expected), Arc::clone(&complaints));
        let server = StandIn::saying(move |asked| {
            let next = next.lock().expect("no holder panics").pop_front();
            let complaint = match &next {
                Some(expect) => expect.complaint(asked),
                None => Some(format!(
                    "came {} {:?}, expected nothing",
                    asked.line, asked.query
                )),
            };
            match (next, complaint) {
                (Some(expect), None) => expect.said,
                (_, complaint) => {
                    said.lock().expect("no holder panics").extend(complaint);
                    Said::Whole(500, "unexpected".into())
                }
            }
        })
        .await;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let api = Self {
            server,
            expected,
            complaints,
            folder,
        };
        let user = format!("token: {TOKEN}");
        std::fs::write(api.kubeconfig(), kubeconfig(&api.server.url(), &user))
            .expect("it can be written");
        api
    }

    pub(crate) fn kubeconfig(&self) -> std::path::PathBuf {
        self.folder.path().join("config")
    }

    /// Where the server is, as it is told to people.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.server.address
    }

    /// A gateway whose callers need no approval, and whose plugin has these settings besides its kubeconfig.
    pub(crate) async fn gateway(&self, settings: &str) -> TestGateway {
        self.gateway_with("[policy.approval]\nexcept = [\"anonymous\"]\n", settings)
            .await
    }

    /// A gateway with this policy.
    pub(crate) async fn gateway_with(&self, policy: &str, settings: &str) -> TestGateway {
        let config = format!(
            "{policy}[plugins.kubernetes]\nenabled = true\n[plugins.kubernetes.config]\nkubeconfig = '{}'\n{settings}",
            self.kubeconfig().display()
        );
        TestGateway::builder().config(&config).build().await
    }

    /// Calls a tool of a gateway without further settings, and sees that all was asked that was to be asked.
    pub(crate) async fn call(
        expected: impl IntoIterator<Item = Expect>,
        tool: &str,
        arguments: Value,
    ) -> Answer {
        let api = Self::start(expected).await;
        let gateway = api.gateway("").await;
        let answer = gateway
            .send(&crate::rest::call(tool, &arguments.to_string()))
            .await;
        api.finish(&answer.text());
        gateway.finish().await;
        answer
    }

    /// Sees that all was asked that was to be asked, and nothing else.
    #[track_caller]
    pub(crate) fn finish(&self, said: &str) {
        let complaints = self.complaints.lock().expect("no holder panics");
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        let expected = self.expected.lock().expect("no holder panics");
        let left: Vec<&str> = expected.iter().map(|expect| expect.line.as_str()).collect();
        assert!(left.is_empty(), "was not asked: {left:?}: {said}");
    }
}

/// A kubeconfig of one context, in the namespace `shop`.
pub(crate) fn kubeconfig(server: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\nclusters:\n- name: test\n  cluster:\n    server: {server}\n\
         users:\n- name: test\n  user:\n    {user}\n\
         contexts:\n- name: test\n  context:\n    cluster: test\n    user: test\n    namespace: shop\n"
    )
}

/// A `Status` as API servers write it.
pub(crate) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "details": {}, "code": code,
    })
}

/// A list of objects as API servers write it.
pub(crate) fn list(kind: &str, version: &str, items: &[Value]) -> Value {
    let api = match kind {
        "DeploymentList" | "ReplicaSetList" => "apps/v1",
        "PodMetricsList" => "metrics.k8s.io/v1beta1",
        _ => "v1",
    };
    json!({ "kind": kind, "apiVersion": api, "metadata": { "resourceVersion": version }, "items": items })
}

/// An event of a watch.
pub(crate) fn event(kind: &str, object: Value) -> Value {
    json!({ "type": kind, "object": object })
}

/// One of the objects in `tests/it/kubernetes/objects`.
macro_rules! object {
    ($name:literal) => {
        serde_json::from_str::<serde_json::Value>(include_str!(concat!("objects/", $name, ".json")))
            .expect("it is JSON")
    };
}

pub(crate) use object;

/// A pod like the one in the objects, with another name and uid, in a namespace.
pub(crate) fn pod(namespace: &str, name: &str, uid: &str) -> Value {
    let mut pod = object!("pod");
    pod["metadata"]["namespace"] = namespace.into();
    pod["metadata"]["name"] = name.into();
    pod["metadata"]["uid"] = uid.into();
    pod
}

/// The same pod, ready.
pub(crate) fn ready(mut pod: Value) -> Value {
    pod["status"]["conditions"][1] = json!({ "type": "Ready", "status": "True", "lastProbeTime": null, "lastTransitionTime": "2026-01-05T09:00:00Z" });
    let container = &mut pod["status"]["containerStatuses"][0];
    container["state"] = json!({ "running": { "startedAt": "2026-01-05T09:00:00Z" } });
    container["ready"] = true.into();
    pod
}

/// The words of a tool's answer.
pub(crate) fn text(answer: &Answer) -> String {
    let text = &answer.json()["content"][0]["text"];
    text.as_str()
        .unwrap_or_else(|| panic!("no text: {}", answer.text()))
        .to_owned()
}

/// The structured content of an answer that is no error.
#[track_caller]
pub(crate) fn value(answer: &Answer) -> Value {
    let answer = answer.json();
    assert_ne!(answer["isError"], true, "{answer}");
    answer["structuredContent"].clone()
}

/// The words of an answer that is an error.
#[track_caller]
pub(crate) fn error(answer: &Answer) -> String {
    assert_eq!(answer.json()["isError"], true, "{}", answer.text());
    text(answer)
}
