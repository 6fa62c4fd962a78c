//! Commands as people type them.

use std::process::Stdio;

use tokio::process::Command;

use crate::support::within;

/// Says with what code the command ended: gateways in the test process collect every child that ended, also ours.
const TOLD: &str = r#"eval "$0"; echo "ended with $?""#;

/// Runs a line of a shell: what it printed, and its exit code. Fails where a program of it is not installed.
pub(crate) async fn shell(line: &str) -> (String, i32) {
    let child = Command::new("/bin/sh")
        .args(["-c", TOLD, line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .expect("there is a shell");
    let output = within("the command ends", child.wait_with_output()).await;
    let said = String::from_utf8(output.expect("the shell runs").stdout).expect("text");
    let (said, code) = said
        .trim_end()
        .rsplit_once("ended with ")
        .expect("the shell says the code");
    let code = code.parse().expect("a code");
    assert_ne!(code, 127, "a program is missing (Debian: curl, jq): {line}");
    (said.to_owned(), code)
}
