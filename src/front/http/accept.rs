//! The accept loop: bounds on connections, time limits on headers and writes, a graceful end.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};

use crate::background::Supervisor;
use crate::front::http::HttpFront;
use crate::front::http::body::Never;
use crate::front::http::connection::Connection;

/// How long the loop rests when the system has no more files for it.
const REST: Duration = Duration::from_millis(100);

/// The most headers of one request.
const MAX_HEADERS: usize = 64;

/// How often sessions are looked through for those whose time is up.
const SWEEP: Duration = Duration::from_secs(10);

/// Accepts connections until the front is closed.
pub fn listen(front: &Arc<HttpFront>, listener: TcpListener, supervisor: &Supervisor) {
    let accepting = Arc::clone(front);
    let connections = supervisor.clone();
    supervisor.spawn("http listener", move |stop| async move {
        tokio::select! {
            () = accept(&accepting, listener, &connections) => {}
            () = accepting.closing.cancelled() => {}
            () = stop.cancelled() => {}
        }
    });
    let sweeping = Arc::clone(front);
    supervisor.spawn("session sweep", |stop| async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(SWEEP) => sweeping.sessions.sweep(),
                () = stop.cancelled() => return,
            }
        }
    });
}

async fn accept(front: &Arc<HttpFront>, listener: TcpListener, supervisor: &Supervisor) {
    let table = Arc::new(Table::default());
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(err) => {
                tracing::warn!("Could not accept a connection: {err}");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        let Some(place) = table.enter(peer.ip(), front) else {
            tracing::debug!(client.address = %peer, "Refused a connection above the bound");
            continue;
        };
        let front = Arc::clone(front);
        supervisor.spawn_request(async move {
            let _place = place;
            serve(front, stream, peer).await;
        });
    }
}

async fn serve(front: Arc<HttpFront>, stream: TcpStream, peer: SocketAddr) {
    if let Err(err) = stream.set_nodelay(true) {
        tracing::debug!(client.address = %peer, "Could not set TCP_NODELAY: {err}");
    }
    let config = &front.config;
    let io = Connection::new(stream, Duration::from_millis(config.write_timeout_ms));
    let answering = Arc::clone(&front);
    let service = service_fn(move |request| {
        let front = Arc::clone(&answering);
        async move { Ok::<_, Never>(front.handle(request, peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(config.header_timeout_ms))
        .max_buf_size(config.max_header_bytes)
        .max_headers(MAX_HEADERS)
        .serve_connection(io, service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = front.closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(err) = ended {
        tracing::debug!(client.address = %peer, "A connection ended early: {err}");
    }
}

/// The connections that are open.
#[derive(Default)]
struct Table(Mutex<(usize, HashMap<IpAddr, usize>)>);

/// One of them.
struct Place {
    table: Arc<Table>,
    address: IpAddr,
}

impl Table {
    fn enter(self: &Arc<Self>, address: IpAddr, front: &HttpFront) -> Option<Place> {
        let mut open = self.0.lock().expect("no holder of this lock panics");
        let (all, by_address) = &mut *open;
        let of_address = by_address.get(&address).copied().unwrap_or(0);
        if *all >= front.config.max_connections || of_address >= front.config.max_connections_per_ip
        {
            return None;
        }
        *all += 1;
        *by_address.entry(address).or_default() += 1;
        Some(Place {
            table: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.table.0.lock().expect("no holder of this lock panics");
        let (all, by_address) = &mut *open;
        *all -= 1;
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}
