//! What is put in the place of something that the settings name is not given away.

use std::os::unix::fs::symlink;

use serde_json::json;

use crate::hostile::text_of;
use crate::rest;
use crate::shell::Place;
use crate::shell::writing::{SETTINGS, agreed};

const SWAPPED: &str = "is not the one it was at the start";

#[tokio::test]
async fn a_directory_that_was_swapped_is_not_read() {
    let place = Place::new("").await;
    if place.is_confined {
        let (readable, secret) = (place.file("readable"), place.path("outside/secret"));
        std::fs::rename(&readable, place.file("old")).expect("moved");
        for line in ["cat secret".to_owned(), format!("cat {secret}")] {
            symlink(place.file("outside"), &readable).expect("made");
            let told = place.refused(json!({ "command": line })).await;
            assert!(told.contains(&format!("/readable` {SWAPPED}")), "{told}");
            std::fs::remove_file(&readable).expect("removed");
        }
        // Another directory is not the same either, and the same at its place is.
        std::fs::create_dir(&readable).expect("made");
        let told = place.refused(json!({ "command": "ls" })).await;
        assert!(told.contains(SWAPPED), "{told}");
        std::fs::remove_dir(&readable).expect("removed");
        std::fs::rename(place.file("old"), &readable).expect("moved");
        let done = place.run(json!({ "command": "cat known" })).await;
        assert_eq!(done["stdout"], "one\ntwo\n");
    }
    place.gateway.finish().await;
}

#[tokio::test]
async fn a_directory_that_was_swapped_is_not_written_to() {
    let place = Place::new(&format!("{SETTINGS}[policy.approval]\nwait_ms = 0\n")).await;
    if place.is_confined {
        let arguments = json!({ "program": "tee", "args": ["new"], "input": "x" });
        let call = rest::call("shell.exec_write", &arguments.to_string());
        agreed(&place, &call).await;
        let writable = place.file("writable");
        std::fs::remove_dir(&writable).expect("removed");
        symlink(place.file("outside"), &writable).expect("made");
        let answer = place.gateway.send(&call).await.json();
        assert!(answer.to_string().contains(SWAPPED), "{answer}");
        assert!(!place.file("outside/new").exists());
    }
    place.gateway.finish().await;
}

#[tokio::test]
async fn a_program_that_was_swapped_is_not_started() {
    let folder = tempfile::tempdir().expect("a directory");
    let look = folder.path().join("look");
    symlink("/usr/bin/cat", &look).expect("made");
    let settings = format!(
        "[plugins.shell.config.programs]\nlook = {{ path = \"{}\" }}",
        look.display()
    );
    let place = Place::new(&settings).await;
    let line = json!({ "command": "look known" });
    assert_eq!(place.run(line.clone()).await["stdout"], "one\ntwo\n");
    std::fs::remove_file(&look).expect("removed");
    symlink("/usr/bin/wc", &look).expect("made");
    let result = place.exec(line).await;
    assert!(
        text_of(&result).contains("does not lead to `/usr/bin/cat` any more"),
        "{result}"
    );
    place.gateway.finish().await;
}
