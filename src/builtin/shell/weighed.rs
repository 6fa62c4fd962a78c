//! What a call would run, in words for who must agree to it.

use sha2::{Digest, Sha256};

use crate::builtin::shell::exec::{Shell, Wanted};
use crate::plugin::{Change, Run, ToolError, Weight};
use crate::wire::hex::hex;
use crate::wire::json::Json;

/// The longest command line that is shown to who must agree to it, in bytes.
const MAX_LINE: usize = 8 << 10;

impl Shell {
    /// What a call of `shell.exec_write` would run.
    pub(super) fn weigh(&self, arguments: &Json) -> Weight {
        let wanted = match arguments.parse::<Wanted>() {
            Ok(wanted) => wanted,
            Err(err) => return Weight::Refused(ToolError::from(err)),
        };
        let said = self.prepare(wanted, true).and_then(|(_, run)| said(&run));
        match said {
            Ok(said) => Weight::Changes(Change::new(said)),
            Err(why) => Weight::Refused(ToolError::new(why)),
        }
    }
}

/// The command line, where it runs, and what it reads. Whole: what is cut out could be what matters.
fn said(run: &Run) -> Result<String, String> {
    let words = run.command.iter().map(|word| plain(word));
    let words: Vec<String> = words.collect();
    let line = shlex::try_join(words.iter().map(String::as_str))
        .map_err(|err| format!("the arguments cannot be shown: {err}"))?;
    if line.len() > MAX_LINE {
        return Err(format!(
            "the command line has {} bytes, and who must agree to it is shown {MAX_LINE} at the most: give long text as `input`, or call the tool several times",
            line.len()
        ));
    }
    let directory = run.directory.as_deref().unwrap_or("/".as_ref());
    let directory = plain(&directory.display().to_string());
    let input = match run.input.len() {
        0 => String::new(),
        bytes => format!(
            ", with {bytes} bytes of input (sha256 {})",
            hex(&Sha256::digest(&run.input))
        ),
    };
    Ok(format!("runs `{line}` in {directory}{input}"))
}

/// A word in which nothing moves the line it stands in, or makes it look like another.
fn plain(word: &str) -> String {
    let is_plain =
        |letter: &char| !letter.is_control() && letter.is_ascii() || letter.is_alphanumeric();
    let shown = |letter: char| match is_plain(&letter) {
        true => letter.to_string(),
        false => letter.escape_default().to_string(),
    };
    word.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    fn run(words: &[&str], input: &str) -> Run {
        Run {
            command: words.iter().map(|word| (*word).to_owned()).collect(),
            variables: BTreeMap::new(),
            directory: Some("/srv/a".into()),
            input: input.into(),
            timeout: Duration::from_secs(1),
            output_bytes: 1,
            memory_bytes: None,
            processes: None,
            open_files: None,
            cpu_seconds: None,
            confinement: None,
        }
    }

    #[test]
    fn the_whole_line_is_said_and_the_input_by_its_digest() {
        assert_eq!(
            said(&run(&["/usr/bin/rm", "-rf", "a b", "é"], "")).as_deref(),
            Ok("runs `/usr/bin/rm -rf 'a b' 'é'` in /srv/a")
        );
        let told = said(&run(&["/usr/bin/tee", "x"], "abc")).expect("it is short");
        assert!(
            told.ends_with("with 3 bytes of input (sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad)"),
            "{told}"
        );
        let told = said(&run(&["/bin/rm", "a\n\u{202e}b"], "")).expect("it is short");
        assert!(
            !told.contains(['\n', '\u{202e}']) && told.contains("u{202e}"),
            "{told}"
        );
        let long = "x".repeat(MAX_LINE);
        assert!(
            said(&run(&["/bin/rm", &long], ""))
                .expect_err("too long")
                .contains("at the most")
        );
    }
}
