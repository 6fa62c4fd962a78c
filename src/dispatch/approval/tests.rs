//! What is kept over a restart, and who hears of decisions.

use std::sync::Mutex as Heard;

use super::*;
use crate::ledger::documents::InMemory;

pub(super) fn asked(id: &str) -> Approval {
    Approval {
        id: id.to_owned(),
        tool: "p__do".into(),
        plugin: "p".into(),
        principal: "ann".into(),
        session: None,
        arguments: Json::literal(r#"{"n":12345678901234567890123}"#),
        effect: "changes things".into(),
        risk: None,
        status: Status::Pending,
        created: String::new(),
        expires: String::new(),
        decided_by: None,
        decided_at: None,
        reason: None,
        incident: None,
    }
}

fn yes() -> Decision {
    Decision {
        approve: true,
        by: "eve".into(),
        reason: Some("fine".into()),
    }
}

async fn life(documents: &Arc<InMemory>) -> Approvals {
    let approvals = Approvals::new(ApprovalPolicy::default());
    let kept = approvals.keep_in(Arc::clone(documents) as _).await;
    kept.expect("the store answers");
    approvals
}

/// F45: what was given is there in the next life, and is used once in all of them.
#[tokio::test]
async fn what_was_given_survives_a_restart_and_is_used_once() {
    let documents = Arc::new(InMemory::default());
    let first = life(&documents).await;
    let id = first.pending("digest", &asked("a")).await.expect("room");
    assert_eq!(id, "a");
    let second = life(&documents).await;
    let waiting = second.all().await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].arguments, asked("a").arguments);
    second.decide("a", &yes()).await.expect("pending");
    let third = life(&documents).await;
    let given = third.take("digest").await.expect("kept").expect("given");
    assert_eq!(given.reason.as_deref(), Some("fine"));
    assert!(third.take("digest").await.expect("kept").is_none());
    let fourth = life(&documents).await;
    assert!(fourth.take("digest").await.expect("kept").is_none());
    assert!(fourth.all().await.is_empty());
}

/// Refuses to keep anything once it is shut.
#[derive(Default)]
struct Shut {
    inner: InMemory,
    is_shut: std::sync::atomic::AtomicBool,
}

impl Shut {
    fn check(&self) -> Result<(), NotKept> {
        match self.is_shut.load(std::sync::atomic::Ordering::SeqCst) {
            true => Err(NotKept("shut".into())),
            false => Ok(()),
        }
    }
}

#[async_trait::async_trait]
impl Documents for Shut {
    async fn put(&self, kind: &str, key: &str, value: Json) -> Result<(), NotKept> {
        self.check()?;
        self.inner.put(kind, key, value).await
    }

    async fn get(&self, kind: &str, key: &str) -> Result<Option<Json>, NotKept> {
        self.inner.get(kind, key).await
    }

    async fn list(&self, kind: &str) -> Result<Vec<(String, Json)>, NotKept> {
        self.inner.list(kind).await
    }

    async fn remove(&self, kind: &str, key: &str) -> Result<bool, NotKept> {
        self.check()?;
        self.inner.remove(kind, key).await
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_neither_decided_nor_used() {
    let documents = Arc::new(Shut::default());
    let shut = |is_shut| {
        let flag = &documents.is_shut;
        flag.store(is_shut, std::sync::atomic::Ordering::SeqCst);
    };
    let approvals = Approvals::new(ApprovalPolicy::default());
    let kept = approvals.keep_in(Arc::clone(&documents) as _).await;
    kept.expect("the store answers");
    approvals
        .pending("digest", &asked("a"))
        .await
        .expect("room");
    shut(true);
    let decided = approvals.decide("a", &yes()).await;
    assert_eq!(decided.err(), Some(Undecided::NotKept));
    assert_eq!(
        approvals.get("a").map(|known| known.status),
        Some(Status::Pending)
    );
    shut(false);
    approvals
        .decide("a", &yes())
        .await
        .expect("it is pending still");
    shut(true);
    let taken = approvals.take("digest").await;
    assert_eq!(taken.expect_err("not kept").reason, "approval_not_kept");
}

#[derive(Default)]
struct Ear(Heard<Vec<(String, Status)>>);

impl Decided for Ear {
    fn decided(&self, approval: &Approval) {
        let mut heard = self.0.lock().expect("no holder of this lock panics");
        heard.push((approval.id.clone(), approval.status));
    }
}

/// F45: approved and declined are both told.
#[tokio::test]
async fn every_decision_is_told() {
    let ear = Arc::new(Ear::default());
    let approvals = Approvals::new(ApprovalPolicy::default());
    approvals.heard_by(Arc::clone(&ear) as _);
    for (id, approve) in [("a", true), ("b", false)] {
        approvals.pending(id, &asked(id)).await.expect("room");
        let decision = Decision { approve, ..yes() };
        approvals.decide(id, &decision).await.expect("pending");
    }
    let heard = ear.0.lock().expect("no holder of this lock panics").clone();
    assert_eq!(
        heard,
        [
            ("a".to_owned(), Status::Approved),
            ("b".to_owned(), Status::Declined)
        ]
    );
}
