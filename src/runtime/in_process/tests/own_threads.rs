//! Plugins that block their thread.

use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::plugin::{HookResult, NoArguments, Tools};

/// Its tool blocks its thread until the test lets it go.
struct Blocker {
    begun: UnboundedSender<()>,
    go: Arc<Mutex<Receiver<()>>>,
    blocks_start: bool,
}

/// The test's side of a blocker.
struct Hold {
    begins: UnboundedReceiver<()>,
    go: Sender<()>,
}

fn blocker(blocks_start: bool) -> (Blocker, Hold) {
    let ((begun, begins), (go, wait)) = (unbounded_channel(), channel());
    let blocker = Blocker {
        begun,
        go: Arc::new(Mutex::new(wait)),
        blocks_start,
    };
    (blocker, Hold { begins, go })
}

fn block(begun: &UnboundedSender<()>, go: &Mutex<Receiver<()>>) {
    begun.send(()).expect("the test listens");
    // Let go by a message, or by the end of the test.
    let _ = go.lock().expect("no holder of this lock panics").recv();
}

#[async_trait]
impl Plugin for Blocker {
    fn tools(&self, tools: &mut Tools) {
        let (begun, go) = (self.begun.clone(), Arc::clone(&self.go));
        tools.add("block", "", move |_: NoArguments, _| {
            let (begun, go) = (begun.clone(), Arc::clone(&go));
            async move {
                block(&begun, &go);
                "free"
            }
        });
        tools.add("free", "", |_: NoArguments, _| async { "free" });
    }

    async fn on_start(&self) -> HookResult {
        if self.blocks_start {
            block(&self.begun, &self.go);
        }
        Ok(())
    }
}

const FREE: &str = r#"{"content":[{"type":"text","text":"free"}]}"#;

#[tokio::test]
async fn a_plugin_that_blocks_delays_only_itself() {
    let (plugin, mut hold) = blocker(false);
    let (blocked, other) = (start(plugin).await, start(blocker(false).0).await);
    let around = context();
    let mut running = blocked.request(call("block", ""), &around);
    assert!(futures::poll!(&mut running).is_pending());
    hold.begins.recv().await.expect("it blocks");
    let mut waiting = blocked.request(call("free", ""), &around);
    assert!(futures::poll!(&mut waiting).is_pending());
    // The thread is blocked for as long as the test likes; other plugins answer, and probes say so.
    assert_eq!(text(other.request(call("free", ""), &around).await), FREE);
    let probed = blocked.probe(Duration::from_millis(1)).await;
    assert_eq!(probed.map_err(|fault| fault.kind), Err(FaultKind::Timeout));
    hold.go.send(()).expect("it waits");
    assert_eq!(text(running.await), FREE);
    assert_eq!(text(waiting.await), FREE);
    blocked.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn calls_above_the_queue_of_a_blocked_plugin_are_refused() {
    let (plugin, mut hold) = blocker(false);
    let plugin = try_start(plugin, "limits = { max_queue = 1 }")
        .await
        .expect("it starts");
    let around = context();
    let mut running = plugin.request(call("block", ""), &around);
    assert!(futures::poll!(&mut running).is_pending());
    hold.begins.recv().await.expect("it blocks");
    let mut queued = plugin.request(call("free", ""), &around);
    assert!(futures::poll!(&mut queued).is_pending());
    let refused = text(plugin.request(call("free", ""), &around).await);
    assert_eq!(
        refused,
        "busy (overloaded): plugin `p` has too many calls waiting"
    );
    hold.go.send(()).expect("it waits");
    assert_eq!(text(running.await), FREE);
    assert_eq!(text(queued.await), FREE);
    plugin.stop().await;
}

#[tokio::test]
async fn stopping_a_blocked_plugin_is_bounded() {
    let (plugin, mut hold) = blocker(false);
    let plugin = start(plugin).await;
    let around = context();
    let mut running = plugin.request(call("block", ""), &around);
    assert!(futures::poll!(&mut running).is_pending());
    hold.begins.recv().await.expect("it blocks");
    tokio::time::pause();
    let before = tokio::time::Instant::now();
    plugin.stop().await;
    // What `on_stop` may take, and a little for the thread to end after it.
    assert_eq!(before.elapsed().as_secs(), 11);
    tokio::time::resume();
    // What was left behind ends as soon as it can, and what it has done by then is still an answer.
    hold.go.send(()).expect("it waits");
    assert_eq!(text(running.await), FREE);
    plugin.stop().await;
}

#[tokio::test]
async fn a_start_that_blocks_is_given_up() {
    let (plugin, mut hold) = blocker(true);
    let failed = try_start(plugin, "limits = { start_timeout_ms = 50 }").await;
    let message = failed.map(drop).map_err(|fault| fault.message);
    let expect = "plugin `p` did not come through `on_start` within 50 ms".to_owned();
    assert_eq!(message, Err(expect));
    hold.begins.recv().await.expect("it blocks");
    hold.go.send(()).expect("it waits");
}
