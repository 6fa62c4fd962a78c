//! The words of the command line: `--flag value` pairs, and a command after `--`.

use std::collections::VecDeque;
use std::str::FromStr;

use crate::Problem;

/// Words not yet taken. Taking is by name and in any order; `done` complains of what is left.
pub(crate) struct Args {
    words: VecDeque<String>,
    command: Vec<String>,
}

impl Args {
    pub(crate) fn from_process() -> Self {
        Self::new(std::env::args().skip(1))
    }

    fn new(words: impl Iterator<Item = String>) -> Self {
        let mut words: VecDeque<String> = words.collect();
        let command = match words.iter().position(|word| word == "--") {
            Some(at) => words.split_off(at).into_iter().skip(1).collect(),
            None => Vec::new(),
        };
        Self { words, command }
    }

    /// The first word, which names the program.
    pub(crate) fn program(&mut self) -> Option<String> {
        self.words.pop_front()
    }

    /// The value of `--name`, if it was given.
    pub(crate) fn get<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Problem> {
        let flag = format!("--{name}");
        let Some(at) = self.words.iter().position(|word| *word == flag) else {
            return Ok(None);
        };
        self.words.remove(at);
        let value = self
            .words
            .remove(at)
            .ok_or_else(|| format!("{flag} needs a value"))?;
        match value.parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(format!("{flag} cannot be `{value}`").into()),
        }
    }

    /// The value of `--name`, or `default`.
    pub(crate) fn get_or<T: FromStr>(&mut self, name: &str, default: T) -> Result<T, Problem> {
        Ok(self.get(name)?.unwrap_or(default))
    }

    /// The value of `--name`, which cannot be left out.
    pub(crate) fn need<T: FromStr>(&mut self, name: &str) -> Result<T, Problem> {
        self.get(name)?
            .ok_or_else(|| format!("--{name} is needed").into())
    }

    /// The words after `--`; an error when there are none.
    pub(crate) fn command(&mut self) -> Result<Vec<String>, Problem> {
        if self.command.is_empty() {
            return Err("a command is needed after `--`".into());
        }
        Ok(std::mem::take(&mut self.command))
    }

    /// Ends the reading: an error when a word was not taken.
    pub(crate) fn done(self) -> Result<(), Problem> {
        match self.words.front().or(self.command.first()) {
            Some(word) => Err(format!("`{word}` is not understood here").into()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::new(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_come_in_any_order_and_a_command_keeps_its_own() {
        let mut args = args("mux --threads 2 --listen a -- x --threads 9");
        assert_eq!(args.program().as_deref(), Some("mux"));
        assert_eq!(
            args.get::<String>("listen").expect("given"),
            Some("a".into())
        );
        assert_eq!(args.get_or("threads", 1).expect("a number"), 2);
        assert_eq!(args.command().expect("given"), ["x", "--threads", "9"]);
        args.done().expect("all were taken");
    }

    #[test]
    fn an_unknown_flag_is_named() {
        let mut args = args("drive --sped 1");
        args.program();
        let problem = args.done().expect_err("nobody took it").to_string();
        assert!(problem.contains("--sped"), "{problem}");
    }
}
