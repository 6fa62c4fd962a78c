//! Handshakes with servers that take their time.

use std::sync::{Mutex, PoisonError};

use futures::future::BoxFuture;

use super::*;
use crate::background::Supervisor;
use crate::wire::message::Reply;

const DEADLINE: Duration = Duration::from_secs(9);

/// A server that answers what it was asked once it is up.
struct Slow {
    speaks: Era,
    /// How long it takes to come up.
    up_after: Duration,
    /// Whether it hears what is said to it before.
    hears_all: bool,
    begun: Instant,
    asked: Mutex<Vec<String>>,
}

impl Slow {
    fn new(speaks: Era, up_after: Duration) -> Self {
        Self {
            speaks,
            up_after,
            hears_all: true,
            begun: Instant::now(),
            asked: Mutex::default(),
        }
    }

    fn note(&self, method: &Method) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(method.to_string());
    }

    fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock();
        asked.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn answer(&self, method: &Method) -> Outcome {
        let result = match (self.speaks, method) {
            (Era::Modern, Method::Discover) => json!({
                "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} },
            }),
            (Era::Legacy, Method::Initialize) => json!({
                "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
                "serverInfo": { "name": "slow", "version": "1" },
            }),
            (Era::Modern, _) => {
                let data = json!({ "supported": ["2026-07-28"], "requested": "2025-11-25" });
                let error = RpcError::new(UNSUPPORTED_PROTOCOL_VERSION, "unsupported version");
                return Outcome::Error(error.with_data(&data));
            }
            (Era::Legacy, _) => return Outcome::Error(RpcError::new(METHOD_NOT_FOUND, "what?")),
        };
        Outcome::Result(Reply {
            result: Json::of(&result),
            result_type: None,
        })
    }
}

impl Link for Slow {
    fn request<'a>(
        &'a self,
        method: &'a Method,
        _: Params,
        _: Option<&'a CallContext>,
    ) -> BoxFuture<'a, Result<Outcome, Fault>> {
        self.note(method);
        let is_up = self.begun.elapsed() >= self.up_after;
        Box::pin(async move {
            if !self.hears_all && !is_up && *method == Method::Discover {
                return std::future::pending().await;
            }
            tokio::time::sleep_until(self.begun + self.up_after).await;
            if *method == Method::Discover && self.hears_all {
                // The answer to the second question is there first.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(self.answer(method))
        })
    }

    fn notify<'a>(&'a self, method: &'a Method, _: Params) -> BoxFuture<'a, Result<(), Fault>> {
        self.note(method);
        Box::pin(std::future::ready(Ok(())))
    }
}

async fn opened(link: &Slow, choice: EraChoice, prefer: Era) -> Result<Peer, Fault> {
    let id = "slow".parse().expect("an id");
    let host = Host {
        prefer,
        ..Host::of(id, Supervisor::new(), "0.0.0")
    };
    open(link, choice, &host, DEADLINE).await
}

async fn check(link: Slow, prefer: Era, expect: &[&str]) {
    let speaks = link.speaks;
    let peer = opened(&link, EraChoice::Auto, prefer).await;
    let peer = peer.unwrap_or_else(|fault| panic!("{fault} after {:?}", link.asked()));
    assert_eq!(peer.era(), speaks);
    assert!(peer.has("tools"));
    assert_eq!(link.asked(), expect);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_up_late_is_found_in_either_era() {
    let late = Duration::from_secs(5);
    let initialized = "notifications/initialized";
    check(
        Slow::new(Era::Legacy, late),
        Era::Modern,
        &["server/discover", "initialize", initialized],
    )
    .await;
    // Its refusal comes before its answer to the probe, which is asked for once more.
    check(
        Slow::new(Era::Modern, late),
        Era::Modern,
        &["server/discover", "initialize", "server/discover"],
    )
    .await;
    check(
        Slow::new(Era::Modern, late),
        Era::Legacy,
        &["initialize", "server/discover"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_lost_the_probe_and_refuses_to_initialize_is_asked_again() {
    let link = Slow {
        hears_all: false,
        ..Slow::new(Era::Modern, Duration::from_secs(5))
    };
    check(
        link,
        Era::Modern,
        &["server/discover", "initialize", "server/discover"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_the_manifest_says_of_the_era_is_kept_to() {
    let link = Slow::new(Era::Modern, Duration::from_secs(5));
    let fault = opened(&link, EraChoice::Legacy, Era::Modern).await;
    assert_eq!(fault.expect_err("it is modern").reason, REFUSED);
    assert_eq!(link.asked(), ["initialize"]);
}
