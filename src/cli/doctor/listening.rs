//! The address to listen on: free, taken by a gateway, or taken by something else.

use std::io;

use tokio::net::TcpListener;

use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::Finding;
use crate::cli::gateway::Gateway;

pub(super) async fn look(ground: &Ground<'_>) -> Vec<Finding> {
    let listen = ground.loaded.config.server.listen;
    let subject = format!("address {listen}");
    let finding = match TcpListener::bind(listen).await {
        Ok(_) => Finding::ok(subject, "is free"),
        Err(err) if err.kind() == io::ErrorKind::AddrInUse => taken(ground, subject).await,
        Err(err) => {
            let mend = match err.kind() {
                io::ErrorKind::PermissionDenied => "take a port of 1024 or above",
                io::ErrorKind::AddrNotAvailable => {
                    "name an address that this machine has, or 127.0.0.1, in `server.listen`"
                }
                _ => "name another address in `server.listen`",
            };
            Finding::problem(subject, format!("cannot be listened on: {err}")).mend(mend)
        }
    };
    vec![finding]
}

async fn taken(ground: &Ground<'_>, subject: String) -> Finding {
    let mut listen = ground.loaded.config.server.listen;
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.is_ipv4() {
            true => std::net::Ipv4Addr::LOCALHOST.into(),
            false => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let own = env!("CARGO_PKG_VERSION");
    match Gateway::at(ground.context, listen.to_string())
        .version()
        .await
    {
        Ok(Some(version)) if version == own => {
            Finding::ok(subject, format!("toolgate {version} answers there"))
        }
        Ok(Some(version)) => {
            let message = format!("toolgate {version} answers there, and this is {own}");
            Finding::warn(subject, message).mend("start the gateway anew after an update")
        }
        Ok(None) => Finding::ok(subject, "a toolgate answers there"),
        Err(why) => Finding::problem(subject, format!("is taken: {}", why.message()))
            .mend("end what listens there, or name another address in `server.listen`"),
    }
}
