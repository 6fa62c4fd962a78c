//! Whether the system could start a file: its bits, and who reads it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::runtime::process::which;

/// How much of a file is looked at: Linux reads as much of its first line.
const HEAD: u64 = 256;

/// Why a file cannot be started, and what to do about it.
pub(super) type Fault = (String, String);

/// Finds out whether `file` can be started, where programs are looked for in `path`.
pub(super) fn startable(file: &Path, path: &str) -> Result<(), Fault> {
    let shown = file.display();
    if !is_executable(file) {
        return Err((
            format!("`{shown}` may not be executed"),
            format!("`chmod +x {shown}`"),
        ));
    }
    let mut head = Vec::new();
    let read = File::open(file).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    if read.is_err() {
        // A program may be one that can be executed and not read.
        return Ok(());
    }
    interpreter(&head, path).map_err(|(why, mend)| (format!("`{shown}` {why}"), mend))
}

/// Looks at how a file begins. The fault begins after the file's name.
fn interpreter(head: &[u8], path: &str) -> Result<(), Fault> {
    let Some(line) = head.strip_prefix(b"#!") else {
        let is_text = std::str::from_utf8(head).is_ok() && !head.contains(&0);
        return match is_text && cfg!(unix) {
            true => Err((
                "is a text that does not say who reads it".to_owned(),
                "begin it with a line such as `#!/usr/bin/env python3`".to_owned(),
            )),
            false => Ok(()),
        };
    };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    if line.ends_with('\r') {
        return Err((
            "has the line ends of Windows, which hide its interpreter".to_owned(),
            "write it with Unix line ends (`sed -i 's/\\r$//'`)".to_owned(),
        ));
    }
    let mut words = line.split_whitespace();
    let program = words.next().unwrap_or_default();
    if !Path::new(program).is_file() {
        return Err((
            format!("wants the interpreter `{program}`, which is not there"),
            "install it, or change the first line of the file".to_owned(),
        ));
    }
    if Path::new(program)
        .file_name()
        .is_none_or(|name| name != "env")
    {
        return Ok(());
    }
    let named = words.find(|word| !word.starts_with('-') && !word.contains('='));
    match named.filter(|name| which(name, path).is_none()) {
        Some(name) => Err((
            format!("wants the interpreter `{name}`, which is not on PATH"),
            "install it, or change the first line of the file".to_owned(),
        )),
        None => Ok(()),
    }
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    let found = std::fs::metadata(file);
    found.is_ok_and(|found| found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(_: &Path) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn who_reads_a_file_must_be_there() {
        let path = "/usr/bin:/bin";
        let check = |head: &str, expect: Option<&str>| {
            let found = interpreter(head.as_bytes(), path).err();
            let found = found.map(|(why, _)| why);
            match expect {
                None => assert_eq!(found, None, "{head}"),
                Some(words) => {
                    let found = found.unwrap_or_default();
                    assert!(found.contains(words), "{head}: {found}");
                }
            }
        };
        check("#!/bin/sh\nexit", None);
        check("#! /bin/sh -e", None);
        check("#!/usr/bin/env sh\n", None);
        check("#!/usr/bin/env -S A=1 sh -x\n", None);
        check(
            "#!/usr/bin/env nobody-has-this\n",
            Some("`nobody-has-this`, which is not on PATH"),
        );
        check(
            "#!/nowhere/python\n",
            Some("`/nowhere/python`, which is not there"),
        );
        check("#!/bin/sh\r\n", Some("line ends of Windows"));
        check("print('hi')\n", Some("does not say who reads it"));
        check("\u{7f}ELF\0\0", None);
    }

    #[test]
    fn a_file_must_be_executable() {
        use std::os::unix::fs::PermissionsExt;

        let root = tempfile::tempdir().expect("a directory");
        let file = root.path().join("run");
        std::fs::write(&file, "#!/bin/sh\n").expect("written");
        let (why, mend) = startable(&file, "").expect_err("it is not");
        assert!(why.ends_with("may not be executed") && mend.contains("chmod +x"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("set");
        assert_eq!(startable(&file, ""), Ok(()));
    }
}
