//! What is kept, for whom, and for how long.

use super::*;
use crate::background::Supervisor;
use crate::manifest::runtime::RuntimeKind;
use crate::manifest::{Grant, parse_toml};
use crate::registry::plugin::{Setup, Source};
use crate::runtime::in_process::InProcess;
use crate::wire::message::Params;
use crate::wire::revision::Era;

fn plugin() -> Arc<Plugin> {
    let text = "id = \"p\"\nversion = \"1.0.0\"\nruntime = \"in_process\"\n[in_process]\nentry = \"builtin:p\"\n[[tools]]\nname = \"t\"\n[tools.input_schema]\ntype = \"object\"\n";
    let manifest = Arc::new(parse_toml(text).expect("a manifest"));
    let runtime = (
        RuntimeKind::InProcess,
        Arc::new(InProcess::new()) as Arc<dyn crate::runtime::Runtime>,
    );
    Plugin::new(Setup {
        manifest,
        source: Source::Builtin,
        grants: [Grant::Tools].into(),
        grants_chosen: false,
        runtime,
        supervisor: Supervisor::new(),
        unfit: None,
    })
}

fn request(params: serde_json::Value) -> Request {
    Request {
        method: Method::ResourcesRead,
        params: Params::of(&params),
    }
}

fn answer(text: &str) -> Answer {
    let result = Json::scan(text.to_owned().into()).expect("JSON");
    let reply = Reply {
        result,
        result_type: Some("complete".into()),
    };
    Answer {
        outcome: Outcome::Result(reply),
        era: Era::Modern,
    }
}

/// Whether what `ann` was answered is there for `ann`, and for `bob`.
fn kept_for(result: &str) -> (bool, bool) {
    let (kept, plugin, who) = (Kept::default(), plugin(), Who::nobody());
    plugin.pool.pretend_to_offer();
    let request = request(serde_json::json!({ "uri": "x:y" }));
    let get = |name: &str| {
        let principal = Arc::from(name);
        let wanted = Wanted::of(&request, &plugin, &principal, &who).expect("may be kept");
        kept.get(&wanted).is_some()
    };
    let ann = Arc::from("ann");
    let wanted = Wanted::of(&request, &plugin, &ann, &who).expect("may be kept");
    kept.put(&wanted, &answer(result));
    (get("ann"), get("bob"))
}

#[tokio::test]
async fn what_is_private_is_kept_for_who_asked_alone() {
    let hints = |ttl: u64, scope: &str| {
        format!(r#"{{"resultType":"complete","contents":[],"ttlMs":{ttl},"cacheScope":"{scope}"}}"#)
    };
    assert_eq!(kept_for(&hints(1000, "public")), (true, true));
    assert_eq!(kept_for(&hints(1000, "private")), (true, false));
    assert_eq!(kept_for(&hints(0, "public")), (false, false));
    let unhinted = r#"{"resultType":"complete","contents":[]}"#;
    assert_eq!(kept_for(unhinted), (false, false));
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_ages_and_ends() {
    let (kept, plugin, who) = (Kept::default(), plugin(), Who::nobody());
    plugin.pool.pretend_to_offer();
    let (request, ann) = (
        request(serde_json::json!({ "uri": "x:y" })),
        Arc::from("ann"),
    );
    let wanted = Wanted::of(&request, &plugin, &ann, &who).expect("may be kept");
    let text = r#"{"resultType":"complete","ttlMs":1000,"cacheScope":"private","contents":[]}"#;
    kept.put(&wanted, &answer(text));
    tokio::time::advance(Duration::from_millis(400)).await;
    let Some(Outcome::Result(reply)) = kept.get(&wanted).map(|answer| answer.outcome) else {
        panic!("it is fresh");
    };
    assert_eq!(reply.result.as_str(), text.replace("1000", "600"));
    tokio::time::advance(Duration::from_millis(600)).await;
    assert!(kept.get(&wanted).is_none());
    let shelf = kept.shelf();
    assert_eq!((shelf.bytes, shelf.in_order.len()), (0, 0));
}

#[tokio::test]
async fn what_changed_is_dropped() {
    let (kept, plugin, who) = (Kept::default(), plugin(), Who::nobody());
    plugin.pool.pretend_to_offer();
    let (request, ann) = (
        request(serde_json::json!({ "uri": "x:y" })),
        Arc::from("ann"),
    );
    let wanted = || Wanted::of(&request, &plugin, &ann, &who).expect("may be kept");
    let text = r#"{"ttlMs":1000,"cacheScope":"public"}"#;
    kept.put(&wanted(), &answer(text));
    assert!(kept.get(&wanted()).is_some());
    plugin.pool.pretend_to_offer();
    assert!(
        kept.get(&wanted()).is_none(),
        "its resources are others now"
    );
}

#[test]
fn rounds_are_not_kept() {
    let (plugin, who, ann) = (plugin(), Who::nobody(), Arc::from("ann"));
    let round = request(serde_json::json!({ "uri": "x:y", "requestState": "s" }));
    assert!(Wanted::of(&round, &plugin, &ann, &who).is_none());
}
