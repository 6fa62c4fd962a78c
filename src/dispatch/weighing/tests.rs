//! Tools that say what a call would do, well and ill: nothing is done that they do not get to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::*;
use crate::dispatch::CallError;
use crate::dispatch::approval::record::{Decision, Status};
use crate::plugin::{Change, NoArguments, Plugin, Tools};
use crate::testing::TestGateway;

/// Counts what it has done.
#[derive(Default)]
struct Weighed {
    done: Arc<AtomicUsize>,
    weighed: Arc<AtomicUsize>,
}

impl Plugin for Weighed {
    fn tools(&self, tools: &mut Tools) {
        for name in [
            "looks",
            "changes",
            "moves",
            "refuses",
            "hangs",
            "panics",
            "panics_late",
        ] {
            let (done, weighed) = (Arc::clone(&self.done), Arc::clone(&self.weighed));
            let tool = tools.add(name, "Does it.", move |_: NoArguments, _| {
                done.fetch_add(1, Ordering::Relaxed);
                std::future::ready("done")
            });
            tool.remediation().requires_approval().weigh(move |_| {
                let before = weighed.fetch_add(1, Ordering::Relaxed);
                assert_ne!(name, "panics");
                async move {
                    match name {
                        "looks" => Weight::Looks,
                        "changes" => Weight::Changes(Change::new("turns it")),
                        "moves" => Weight::Changes(Change::new("turns it").of(&before)),
                        "refuses" => Weight::Refused(ToolError::new("it is gone")),
                        "hangs" => std::future::pending().await,
                        _ => panic!("it cannot say"),
                    }
                }
            });
        }
    }

    fn cooperative(&self) -> bool {
        true
    }
}

/// What a call comes to: the text of its result, or the reason why it was not made.
async fn call(gateway: &TestGateway, tool: &str) -> String {
    match gateway.call(tool, json!({})).await {
        Ok(result) => {
            let text = &result["content"][0]["text"];
            assert_eq!(result["isError"] == Value::Bool(true), text != "done");
            text.as_str().expect("a text").to_owned()
        }
        Err(CallError::Fault(fault)) => fault.reason.to_owned(),
        Err(CallError::Plugin(error)) => panic!("{}", error.message),
    }
}

/// The same while somebody agrees to it.
async fn agreed(gateway: &TestGateway, tool: &str) -> String {
    let approvals = gateway.app().desk.dispatcher.approvals();
    let yes = Decision {
        approve: true,
        by: "eve".into(),
        reason: None,
    };
    let agreeing = async {
        loop {
            let all = approvals.all().await;
            let mut all = all.iter().filter(|asked| asked.status == Status::Pending);
            if let Some(asked) = all.find(|asked| asked.tool == tool) {
                let given = approvals.decide(&asked.id, &yes).await;
                return given.expect("it is pending").effect;
            }
            tokio::task::yield_now().await;
        }
    };
    let (came, effect) = tokio::join!(call(gateway, tool), agreeing);
    assert!(
        effect.starts_with("turns it, which changes things"),
        "{effect}"
    );
    came
}

#[tokio::test(start_paused = true)]
async fn what_a_tool_cannot_say_is_neither_asked_about_nor_done() {
    let plugin = Weighed::default();
    let (done, weighed) = (Arc::clone(&plugin.done), Arc::clone(&plugin.weighed));
    let gateway = TestGateway::builder().plugin("p", plugin).build().await;
    let gateway = gateway.expect("the plugin starts");
    for (tool, expect) in [
        ("looks", "done"),
        ("changes", "approval_pending"),
        ("moves", "approval_pending"),
        ("refuses", "it is gone"),
        (
            "hangs",
            "could not see within 10 s what this call would do, so nobody was asked",
        ),
        ("panics", "panicked over what this call would do"),
        ("panics_late", "panicked over what this call would do"),
    ] {
        let tool = format!("p__{tool}");
        done.store(0, Ordering::Relaxed);
        weighed.store(0, Ordering::Relaxed);
        let came = call(&gateway, &tool).await;
        assert!(came.contains(expect), "{tool}: {came}");
        assert_eq!(
            done.load(Ordering::Relaxed),
            usize::from(expect == "done"),
            "{tool}"
        );
        assert_eq!(weighed.load(Ordering::Relaxed), 1, "{tool}");
    }
    let asked = gateway.app().desk.dispatcher.approvals().all().await;
    let mut asked: Vec<&str> = asked.iter().map(|asked| &*asked.tool).collect();
    asked.sort_unstable();
    assert_eq!(asked, ["p__changes", "p__moves"]);
    for (tool, expect) in [("p__changes", "done"), ("p__moves", "approval_needed")] {
        done.store(0, Ordering::Relaxed);
        weighed.store(0, Ordering::Relaxed);
        assert_eq!(agreed(&gateway, tool).await, expect);
        let times = weighed.load(Ordering::Relaxed);
        assert_eq!(times, 2, "{tool}: before the question and after it");
        let times = done.load(Ordering::Relaxed);
        assert_eq!(times, usize::from(expect == "done"), "{tool}");
    }
    assert_eq!(gateway.stop().await, [""; 0]);
}
