//! One subscription at a time, whatever the server makes of it.

use std::sync::Mutex;

use tokio::sync::oneshot;

use super::*;
use crate::wire::json::Json;
use crate::wire::revision::Revision;

/// The subscriptions that a server was asked for, by requests numbered from 1: what for, and the way to end each.
#[derive(Default)]
struct Asked(Mutex<Vec<(Value, oneshot::Sender<End>)>>);

impl Asked {
    fn listen(&self, params: &Params, subscribed: &Subscribed) -> BoxFuture<'static, End> {
        let (end, ended) = oneshot::channel();
        let params: Value = params.to_json().parse().expect("JSON");
        let filter = params["notifications"].clone();
        let mut asked = self.0.lock().expect("fine");
        asked.push((filter, end));
        subscribed.asked(asked.len() as u64);
        async { ended.await.expect("the test ends it") }.boxed()
    }

    fn filters(&self) -> Vec<Value> {
        let asked = self.0.lock().expect("fine");
        asked.iter().map(|(filter, _)| filter.clone()).collect()
    }

    /// Whether each of the subscriptions is still heard.
    fn open(&self) -> Vec<bool> {
        let asked = self.0.lock().expect("fine");
        asked.iter().map(|(_, end)| !end.is_closed()).collect()
    }

    fn end(&self, at: usize, how: End) {
        let mut asked = self.0.lock().expect("fine");
        let (gone, _) = oneshot::channel();
        let end = std::mem::replace(&mut asked[at].1, gone);
        end.send(how).expect("it is heard");
    }
}

fn peer(capabilities: &Value) -> Peer {
    Peer {
        revision: Revision::NEWEST,
        capabilities: Json::of(capabilities),
        instructions: None,
        greeting: Default::default(),
    }
}

/// The params of something that the subscription `id` tells.
fn of(id: u64, uri: &str) -> Params {
    let meta = json!({ SUBSCRIPTION_ID: id });
    Params::of(&json!({ "uri": uri, "_meta": meta }))
}

/// The params by which the server acknowledges the subscription `id` and grants these resources.
fn grants(id: u64, uris: &[&str]) -> Params {
    let meta = json!({ SUBSCRIPTION_ID: id });
    let filter = json!({ "resourceSubscriptions": uris });
    Params::of(&json!({ "notifications": filter, "_meta": meta }))
}

fn both() -> Value {
    json!({ "tools": { "listChanged": true }, "resources": { "subscribe": true } })
}

/// Polls everything as often as it has something to do.
macro_rules! settle {
    ($($future:expr),+) => {
        for _ in 0..4 {
            $(assert!(futures::poll!(&mut $future).is_pending());)+
        }
    };
}

#[tokio::test]
async fn another_subscription_takes_the_place_of_the_first_when_it_is_acknowledged() {
    let (subscribed, asked) = (Subscribed::default(), Asked::default());
    let peer = peer(&both());
    let mut holding = Box::pin(subscribed.hold(&peer, |params| asked.listen(&params, &subscribed)));
    settle!(holding);
    assert_eq!(asked.filters(), [json!({ "toolsListChanged": true })]);
    subscribed.acknowledged(Some(&of(1, "")));

    let mut adding = Box::pin(subscribed.add("x:a"));
    settle!(adding, holding);
    let wider = json!({ "toolsListChanged": true, "resourceSubscriptions": ["x:a"] });
    assert_eq!(asked.filters()[1..], [wider]);
    // The first one acknowledges nothing any more.
    subscribed.acknowledged(Some(&of(1, "")));
    settle!(holding, adding);
    assert_eq!(asked.open(), [true, true]);
    subscribed.acknowledged(Some(&grants(2, &["x:a"])));
    settle!(holding);
    assert_eq!(asked.open(), [false, true]);
    assert_eq!(adding.await, Ok(()));
    // What is watched already is not asked for again.
    assert_eq!(subscribed.add("x:a").await, Ok(()));
    subscribed.remove("x:a");
    settle!(holding);
    assert_eq!(asked.open().len(), 2);
    subscribed.remove("x:a");
    settle!(holding);
    assert_eq!(asked.filters()[2], json!({ "toolsListChanged": true }));

    asked.end(1, End::Over(Some(Duration::from_secs(7))));
    assert_eq!(holding.await, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_server_without_lists_to_tell_of_is_asked_while_something_is_watched() {
    let (subscribed, asked) = (Subscribed::default(), Asked::default());
    let peer = peer(&json!({ "tools": {}, "resources": { "subscribe": true } }));
    let mut holding = Box::pin(subscribed.hold(&peer, |params| asked.listen(&params, &subscribed)));
    settle!(holding);
    assert!(asked.filters().is_empty());
    for n in 1_u64..=2 {
        let mut adding = Box::pin(subscribed.add("x:a"));
        settle!(adding, holding);
        subscribed.acknowledged(Some(&grants(n, &["x:a"])));
        settle!(holding);
        assert_eq!(adding.await, Ok(()));
        subscribed.remove("x:a");
        settle!(holding);
        let open = asked.open();
        assert_eq!(open, vec![false; n as usize]);
    }
}

#[tokio::test]
async fn a_server_that_refuses_is_asked_again_only_for_something_else() {
    let (subscribed, asked) = (Subscribed::default(), Asked::default());
    let peer = peer(&both());
    let mut holding = Box::pin(subscribed.hold(&peer, |params| asked.listen(&params, &subscribed)));
    settle!(holding);
    asked.end(0, End::Refused);
    settle!(holding);
    assert_eq!(asked.filters().len(), 1);

    let mut adding = Box::pin(subscribed.add("x:a"));
    settle!(adding, holding);
    asked.end(1, End::Refused);
    settle!(holding);
    assert_eq!(adding.await, Err(Unwatched::Refused));
    // What is wanted now is what it was at first.
    settle!(holding);
    assert_eq!(asked.filters().len(), 3);
    asked.end(2, End::Refused);
    settle!(holding);
    assert_eq!(asked.filters().len(), 3);
}

#[tokio::test]
async fn a_refused_replacement_leaves_the_first_in_its_place() {
    let (subscribed, asked) = (Subscribed::default(), Asked::default());
    let peer = peer(&both());
    let mut holding = Box::pin(subscribed.hold(&peer, |params| asked.listen(&params, &subscribed)));
    settle!(holding);
    subscribed.acknowledged(Some(&of(1, "")));
    let mut adding = Box::pin(subscribed.add("x:bad"));
    settle!(adding, holding);
    asked.end(1, End::Refused);
    settle!(holding);
    assert!(asked.open()[0]);
    assert_eq!(adding.await, Err(Unwatched::Refused));
    settle!(holding);
    assert_eq!(asked.filters()[2], asked.filters()[0]);
}

#[tokio::test]
async fn what_an_acknowledgement_does_not_grant_is_refused() {
    let (subscribed, asked) = (Subscribed::default(), Asked::default());
    let peer = peer(&both());
    let mut holding = Box::pin(subscribed.hold(&peer, |params| asked.listen(&params, &subscribed)));
    let mut good = Box::pin(subscribed.add("x:good"));
    let mut bad = Box::pin(subscribed.add("x:bad"));
    settle!(good, bad, holding);
    subscribed.acknowledged(Some(&grants(1, &["x:good"])));
    settle!(holding);
    assert_eq!(good.await, Ok(()));
    assert_eq!(bad.await, Err(Unwatched::Refused));
    settle!(holding);
    let filter = json!({ "toolsListChanged": true, "resourceSubscriptions": ["x:good"] });
    assert_eq!(asked.filters().last(), Some(&filter));
    subscribed.acknowledged(Some(&grants(2, &["x:good"])));
    settle!(holding);
    // One that grants nothing of the kind leaves it out.
    let mut bad = Box::pin(subscribed.add("x:bad"));
    settle!(bad, holding);
    let asked = asked.filters().len() as u64;
    subscribed.acknowledged(Some(&of(asked, "")));
    assert_eq!(bad.await, Err(Unwatched::Refused));
}

#[tokio::test]
async fn who_no_longer_waits_does_not_watch() {
    let (subscribed, asked) = (Subscribed::default(), Asked::default());
    let peer = peer(&both());
    let mut holding = Box::pin(subscribed.hold(&peer, |params| asked.listen(&params, &subscribed)));
    let mut adding = Box::pin(subscribed.add("x:a"));
    settle!(adding, holding);
    drop(adding);
    assert!(subscribed.0.borrow().uris.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_acknowledge_is_not_held_on_to_twice() {
    let (subscribed, asked) = (Subscribed::default(), Asked::default());
    let peer = peer(&both());
    let mut holding = Box::pin(subscribed.hold(&peer, |params| asked.listen(&params, &subscribed)));
    let mut adding = Box::pin(subscribed.add("x:a"));
    settle!(holding, adding);
    let mut other = Box::pin(subscribed.add("x:b"));
    settle!(other, holding);
    assert_eq!(asked.open().last(), Some(&true));
    for _ in 0..2 {
        tokio::time::advance(MAX_OVERLAP * 2).await;
        settle!(holding);
    }
    let open = asked.open();
    assert_eq!(open.iter().filter(|open| **open).count(), 1, "{open:?}");
    drop((adding, other));
}

#[tokio::test]
async fn an_update_that_two_subscriptions_tell_is_news_once() {
    let (subscribed, asked) = (Subscribed::default(), Asked::default());
    let peer = peer(&both());
    let mut holding = Box::pin(subscribed.hold(&peer, |params| asked.listen(&params, &subscribed)));
    settle!(holding);
    subscribed.acknowledged(Some(&of(1, "")));
    let mut adding = Box::pin(subscribed.add("x:a"));
    settle!(adding, holding);
    assert!(subscribed.is_news(&of(1, "x:a")));
    assert!(subscribed.is_news_of_stream(&of(1, "x:a")));
    subscribed.acknowledged(Some(&of(2, "")));
    // On a pipe the order says that the first has been replaced.
    assert!(!subscribed.is_news(&of(1, "x:a")));
    assert!(subscribed.is_news(&of(2, "x:a")));
    // On streams only what the second has told says so.
    assert!(subscribed.is_news_of_stream(&of(2, "x:a")));
    assert!(!subscribed.is_news_of_stream(&of(1, "x:a")));
    assert!(subscribed.is_news_of_stream(&of(1, "x:b")));
    assert!(subscribed.is_news_of_stream(&of(2, "x:a")));
    drop(adding);
}

#[tokio::test]
async fn who_no_longer_watches_waits_until_only_the_next_subscription_tells() {
    let (subscribed, asked) = (Subscribed::default(), Asked::default());
    let peer = peer(&both());
    let mut holding = Box::pin(subscribed.hold(&peer, |params| asked.listen(&params, &subscribed)));
    let mut adding = Box::pin(subscribed.add("x:a"));
    settle!(adding, holding);
    subscribed.acknowledged(Some(&grants(1, &["x:a"])));
    settle!(holding);
    assert_eq!(adding.await, Ok(()));
    let mut leaving = Box::pin(subscribed.leave("x:a"));
    settle!(leaving, holding);
    assert_eq!(asked.open(), [true, true]);
    subscribed.acknowledged(Some(&of(2, "")));
    // The first is not over before what holds it has seen that.
    assert!(futures::poll!(&mut leaving).is_pending());
    settle!(holding);
    assert!(futures::poll!(&mut leaving).is_ready());
}
