//! Answers that last: they end with their client, their plugin, and the gateway.

use crate::ext::order;
use crate::support::{Connection, Request, Site, TestGateway, until};

async fn gateway(site: &Site) -> TestGateway {
    TestGateway::builder()
        .config("[plugins.x]\nrequests = [\"ROUTES\"]\n")
        .plugin("x", site.clone())
        .build()
        .await
}

/// Opens the stream and reads what it says at once.
async fn open(gateway: &TestGateway) -> Connection {
    let mut stream = gateway.connect().await;
    let head = stream.begin(&Request::new("GET", "/ext/x/stream")).await;
    assert_eq!(head.status, 200);
    assert!(head.is_stream(), "{}", head.header("content-type"));
    assert_eq!(head.header("x-accel-buffering"), "no");
    for number in [1, 2] {
        assert_eq!(stream.event().await, Some(number.into()));
    }
    stream
}

#[tokio::test]
async fn a_stream_ends_with_its_client() {
    for site in [Site::new(), Site::on_a_thread()] {
        let gateway = gateway(&site).await;
        let stream = open(&gateway).await;
        assert_eq!(*site.streams.borrow(), 1);
        drop(stream);
        until("the stream is given up", || *site.streams.borrow() == 0).await;
        gateway.finish().await;
    }
}

/// O3: routes are unmounted at the stop of their plugin; what lasts ends.
#[tokio::test]
async fn a_stream_ends_with_its_plugin() {
    for site in [Site::new(), Site::on_a_thread()] {
        let gateway = gateway(&site).await;
        let mut stream = open(&gateway).await;
        order(&gateway, "stop", "x").await;
        assert_eq!(stream.event().await, None);
        assert_eq!(*site.streams.borrow(), 0);
        gateway.finish().await;
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_gateway() {
    let site = Site::new();
    let gateway = gateway(&site).await;
    let mut stream = open(&gateway).await;
    // It is no call that a drain would wait for.
    assert_eq!(gateway.front.active(), 0);
    gateway.finish().await;
    assert_eq!(stream.event().await, None);
}
