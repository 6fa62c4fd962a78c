//! What does not run, and what callers are told of it.

use serde_json::json;

use crate::shell::Place;

/// F24: nothing that only a shell could make something of, nothing that is not on the list, by whatever way.
#[tokio::test]
async fn what_is_refused_is_said_with_its_place_and_the_mend() {
    let place = Place::new("").await;
    std::fs::write(place.file("readable/x"), "#!/bin/sh\necho ran\n").expect("written");
    for (line, parts) in [
        (
            "rm known",
            &[
                "`rm` is not among the programs",
                "cat, ",
                "plugins.shell.config.programs",
            ][..],
        ),
        (
            "cat known > copy",
            &["`>` at character 11", "it comes back in the result"],
        ),
        ("cat < known", &["`<` at character 5", "as `input`"]),
        (
            "cat $(id)",
            &["`$` at character 5", "write the value itself"],
        ),
        (
            "cat `id`",
            &["a backquote at character 5", "write the value itself"],
        ),
        ("cat \"$HOME\"", &["`$` at character 6", "single quotes"]),
        (
            "cat known | wc -l",
            &["`|` at character 11", "with what came out as `input`"],
        ),
        (
            "cat known\nrm known",
            &["a line break at character 10", "once for each command"],
        ),
        (
            "cat known; rm known",
            &["`;` at character 10", "once for each command"],
        ),
        (
            "cat known && rm known",
            &["`&` at character 11", "once for each command"],
        ),
        ("cat *", &["`*` at character 5", "use `find`"]),
        ("cat ~/x", &["`~` at character 5", "the whole path"]),
        ("cat 'known", &["at character 5 that is not closed"]),
        (
            "LD_PRELOAD=x ls",
            &[
                "`LD_PRELOAD=x`",
                "the variable `LD_PRELOAD`",
                "begin with the name",
            ],
        ),
        ("/bin/rm known", &["`/bin/rm` is not among"]),
        ("/usr/bin/rm known", &["`/usr/bin/rm` is not among"]),
        ("./x", &["`./x` is not among"]),
        ("../../bin/rm known", &["`../../bin/rm` is not among"]),
        ("find . -exec rm {} +", &["`{` at character 17"]),
        (
            "find . -exec rm '{}' +",
            &[
                "argument 2 of `find`, `-exec`",
                "rule `-exec`",
                "leave it out",
            ],
        ),
        ("find . -delete", &["argument 2 of `find`, `-delete`"]),
        (
            "find . -fprintf known x",
            &["argument 2 of `find`, `-fprintf`"],
        ),
        (
            "sort -ro known known",
            &[
                "argument 1 of `sort`, `-ro`",
                "rule `-o`",
                "write options apart",
            ],
        ),
        (
            "sort --out=known known",
            &["argument 1 of `sort`, `--out=known`"],
        ),
        (
            "date 01010000",
            &["`date` takes 0 arguments", "`01010000` is one too many"],
        ),
        ("", &["`command` is empty"]),
    ] {
        let told = place.refused(json!({ "command": line })).await;
        for part in parts {
            assert!(told.contains(part), "{line}: {part}: {told}");
        }
    }
    assert!(!place.file("readable/copy").exists() && place.file("readable/known").exists());
    place.gateway.finish().await;
}

#[tokio::test]
async fn arguments_of_the_tool_that_do_not_go_together_are_named() {
    let place = Place::new("timeout_seconds = 5").await;
    let outside = place.path("outside");
    std::os::unix::fs::symlink(&outside, place.file("readable/link")).expect("made");
    for (arguments, part) in [
        (json!({}), "say `command`, or `program` and `args`"),
        (json!({ "command": "ls", "program": "ls" }), "not both"),
        (
            json!({ "command": "ls", "args": ["-l"] }),
            "`args` goes with `program`",
        ),
        (json!({ "program": "ls -l" }), "`ls -l` is not among"),
        (json!({ "program": "A=b" }), "the variable `A`"),
        (
            json!({ "program": "cat", "args": ["a\u{0}b"] }),
            "argument 1 has a NUL",
        ),
        (
            json!({ "program": "cat", "args": vec!["x"; 1001] }),
            "1000 of 131072 bytes may be given",
        ),
        (
            json!({ "program": "cat", "input": "x".repeat(1 << 21) }),
            "`input` has 2097152 bytes",
        ),
        (
            json!({ "command": "ls", "timeout_seconds": 6 }),
            "greater than the maximum of 5",
        ),
        (
            json!({ "command": "ls", "directory": "/etc" }),
            "`directory` cannot be `/etc`: it must lie in",
        ),
        (
            json!({ "command": "ls", "directory": ".." }),
            "it must lie in",
        ),
        (
            json!({ "command": "ls", "directory": "link" }),
            "it must lie in",
        ),
        (
            json!({ "command": "ls", "directory": "missing" }),
            "No such file",
        ),
        (
            json!({ "command": "ls", "directory": "known" }),
            "is no directory",
        ),
        (json!({ "command": "ls", "env": { "A": "b" } }), "env"),
    ] {
        let told = place.refused(arguments.clone()).await;
        assert!(told.contains(part), "{part}: {told}");
    }
    place.gateway.finish().await;
}

/// What is listed runs as it would in a terminal, with arguments as they are.
#[tokio::test]
async fn listed_programs_run_with_arguments_as_they_are() {
    let place = Place::new(&format!("[plugins.shell.config.programs]\n{}", super::PERL)).await;
    std::fs::create_dir(place.file("readable/sub")).expect("made");
    let done = place.run(json!({ "command": "grep -c 'o' known" })).await;
    assert_eq!(
        (&done["exit_code"], &done["stdout"]),
        (&json!(0), &json!("2\n"))
    );
    assert_eq!(done["directory"], place.path("readable"));
    assert_eq!(done["args"], json!(["-c", "o", "known"]));
    // Not found is no failure.
    let done = place.run(json!({ "command": "grep three known" })).await;
    assert_eq!(done["exit_code"], 1);
    let done = place
        .run(json!({ "program": "ls", "args": ["$HOME;*"] }))
        .await;
    assert_eq!(done["exit_code"], 2);
    assert!(done["stderr"].to_string().contains("$HOME;*"), "{done}");
    let done = place
        .run(json!({ "command": "wc -l", "input": "a\nb\nc\n" }))
        .await;
    assert_eq!(done["stdout"], "3\n");
    let done = place
        .run(json!({ "command": "find .. -maxdepth 1 -name sub", "directory": "sub" }))
        .await;
    assert_eq!(done["stdout"], "../sub\n");
    // By the whole path of what is listed, as well.
    let ls = done_path(&place).await;
    assert_eq!(
        place.run(json!({ "program": ls, "args": ["known"] })).await["stdout"],
        "known\n"
    );
    let variables = place.perl("print join ' ', sort keys %ENV").await;
    assert_eq!(
        variables["stdout"],
        "HOME LANG LC_ALL PAGER PATH TERM TMPDIR TOOLGATE_INSTANCE"
    );
    let result = place.exec(json!({ "command": "cat known missing" })).await;
    let text = crate::hostile::text_of(&result);
    assert!(
        text.contains("cat known missing\nExit code 1, after ")
            && text.contains("s\none\ntwo\n[stderr]\n"),
        "{text}"
    );
    place.gateway.finish().await;
}

async fn done_path(place: &Place) -> String {
    let done = place.run(json!({ "command": "ls known" })).await;
    done["program"].as_str().expect("a path").to_owned()
}
