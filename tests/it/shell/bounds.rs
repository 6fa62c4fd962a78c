//! What programs may use; what is said when it was too much.

use serde_json::json;

use crate::hostile::text_of;
use crate::shell::{PERL, Place, alive, gone, token};

/// F24: a sleep of 200 s ends in time, and its children are gone, whatever group they have put themselves into.
#[tokio::test]
async fn what_takes_too_long_is_ended_with_all_it_started() {
    let place = Place::new(&format!("[plugins.shell.config.programs]\n{PERL}")).await;
    let token = token("late");
    let script = "my $p = fork; setpgrp if !$p; $| = 1; print qq($$\\n); sleep 200";
    let arguments =
        json!({ "program": "perl", "args": ["-e", script, token], "timeout_seconds": 1 });
    let result = place.exec(arguments).await;
    assert_eq!(result["isError"], true);
    let done = &result["structuredContent"];
    assert_eq!(done["stopped"], "it took longer than 1 s");
    assert_eq!(done["exit_code"], json!(null));
    assert!(
        (1.0..4.0).contains(&done["took_seconds"].as_f64().expect("a number")),
        "{done}"
    );
    // What it wrote before is there.
    assert_eq!(
        done["stdout"].as_str().expect("a text").lines().count(),
        2,
        "{done}"
    );
    assert!(
        text_of(&result).contains("Stopped: it took longer than 1 s, after 1."),
        "{result}"
    );
    gone(&token).await;
    place.gateway.finish().await;
}

#[tokio::test]
async fn a_fork_bomb_is_ended_to_the_last_process() {
    let place = Place::new(&format!(
        "processes = 16\n[plugins.shell.config.programs]\n{PERL}"
    ))
    .await;
    let token = token("bomb");
    let arguments = json!({ "program": "perl", "args": ["-e", "for (;;) { fork; select undef, undef, undef, 0.02 }", token], "timeout_seconds": 4 });
    let result = place.exec(arguments).await;
    assert_eq!(
        result["structuredContent"]["stopped"], "it ran more than 16 processes",
        "{result}"
    );
    gone(&token).await;
    place.gateway.finish().await;
}

#[tokio::test]
async fn memory_is_bound() {
    let place = Place::new(&format!(
        "memory_bytes = 33554432\n[plugins.shell.config.programs]\n{PERL}"
    ))
    .await;
    let token = token("memory");
    let arguments = json!({ "program": "perl", "args": ["-e", "$x = 'a' x (48 << 20); sleep 200", token], "timeout_seconds": 4 });
    let result = place.exec(arguments).await;
    assert_eq!(
        result["structuredContent"]["stopped"], "its processes took more than 32 MiB",
        "{result}"
    );
    gone(&token).await;
    // What grows faster than anyone looks is told so by the system.
    let done = place.perl("$x = 'a' x (512 << 20); print 1").await;
    assert_ne!(done["exit_code"], 0, "{done}");
    assert!(
        done["stderr"].to_string().contains("Out of memory"),
        "{done}"
    );
    place.gateway.finish().await;
}

#[tokio::test]
async fn processor_time_and_files_are_bound() {
    let place = Place::new(&format!(
        "cpu_seconds = 1\nopen_files = 20\n[plugins.shell.config.programs]\n{PERL}"
    ))
    .await;
    // How long it takes to use that up is the machine's business; what becomes of it is shown with the bounds of plugins.
    let done = place
        .run(json!({ "command": "grep 'Max cpu time' /proc/self/limits" }))
        .await;
    let limits = done["stdout"].as_str().expect("a text");
    let limits: Vec<&str> = limits.split_whitespace().skip(3).take(2).collect();
    assert_eq!(limits, ["1", "3"], "{done}");
    let done = place
        .perl("my @f; for (1..30) { open my $f, '<', '/dev/null' or die $!; push @f, $f }")
        .await;
    assert!(
        done["stderr"].to_string().contains("Too many open files"),
        "{done}"
    );
    place.gateway.finish().await;
}

/// F24: a gigabyte of output costs no memory, and is said.
#[tokio::test]
async fn output_is_bound_and_what_was_left_out_is_said() {
    let place = Place::new("output_bytes = 4096").await;
    let done = place.run(json!({ "command": "seq 1 100000" })).await;
    let text = done["stdout"].as_str().expect("a text");
    assert!(
        text.starts_with("1\n2\n") && text.ends_with("99999\n100000\n"),
        "{text}"
    );
    let left_out = done["stdout_left_out_bytes"].as_u64().expect("a number");
    assert_eq!(left_out, 588_895 - 4096);
    assert!(
        text.contains(&format!("\n[… {left_out} bytes left out …]\n")),
        "{text}"
    );
    let before = memory();
    let result = place
        .exec(json!({ "command": "head -c 1000000000 /dev/zero" }))
        .await;
    let done = &result["structuredContent"];
    assert_eq!(
        (&result["isError"], &done["stopped"]),
        (&json!(true), &json!("it wrote more than 256 MiB")),
        "{done}"
    );
    // Its two ends are kept.
    assert!(done["stdout_left_out_bytes"].as_u64().expect("a number") + 4096 > 256 << 20);
    assert!(done["stdout"].as_str().expect("a text").len() < 5000);
    // Other tests run beside this one; a gigabyte would be seen all the same.
    let grown = memory().saturating_sub(before);
    assert!(grown < 200 << 20, "{grown} bytes more");
    assert_eq!(alive("1000000000"), 0);
    place.gateway.finish().await;
}

/// Bytes that this process holds.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number") * 4096
}
