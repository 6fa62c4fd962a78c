//! Programs whose callers go away, or whose gateway does: nothing is left running.

use serde_json::json;

use crate::binary::Binary;
use crate::shell::{PERL, Place, alive, config, gone, token};
use crate::support::{Connection, Request, modern, until};

fn sleeper(token: &str) -> Request {
    let script = "fork; setpgrp; sleep 200";
    modern::call(
        "shell.exec",
        json!({ "program": "perl", "args": ["-e", script, token] }),
    )
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_program_with_it() {
    let place = Place::new(&format!("[plugins.shell.config.programs]\n{PERL}")).await;
    let token = token("client");
    let mut connection = place.gateway.connect().await;
    connection
        .write(&sleeper(&token).bytes(place.gateway.address))
        .await;
    until("both run", || alive(&token) == 2).await;
    drop(connection);
    gone(&token).await;
    place.gateway.finish().await;
}

/// Also when it is killed: then its guard does that.
#[tokio::test]
async fn a_gateway_that_ends_takes_its_programs_with_it() {
    for is_killed in [false, true] {
        let settings =
            format!("sandbox = \"best_effort\"\n[plugins.shell.config.programs]\n{PERL}");
        let text = format!("[server]\ndrain_ms = 100\n{}", config(&settings));
        let (mut binary, address) = Binary::serve(&text, &[]).await;
        let token = token(if is_killed { "killed" } else { "stopped" });
        let mut connection = Connection::open(address).await;
        connection.write(&sleeper(&token).bytes(address)).await;
        until("both run", || alive(&token) == 2).await;
        if is_killed {
            crate::hostile::kill(binary.pid);
        } else {
            binary.terminate();
        }
        binary.ended().await;
        gone(&token).await;
    }
}

/// A plugin that is stopped while a program runs, whose caller still waits.
#[tokio::test]
async fn a_plugin_that_is_stopped_takes_its_programs_with_it() {
    let settings = format!("[plugins.shell.config.programs]\n{PERL}\n[server]\ndrain_ms = 100\n");
    let place = Place::new(&settings).await;
    let token = token("plugin");
    let mut connection = place.gateway.connect().await;
    connection
        .write(&sleeper(&token).bytes(place.gateway.address))
        .await;
    until("both run", || alive(&token) == 2).await;
    let stop = Request::new("POST", "/api/v1/plugin/stop").body_of(&json!({ "id": "shell" }));
    let stopped = place.gateway.send(&stop).await;
    assert_eq!(stopped.status, 200, "{}", stopped.text());
    gone(&token).await;
    connection.answer().await;
    place.gateway.finish().await;
}
