//! The arguments of the server.
//!
//! | argument | |
//! |---|---|
//! | `--era legacy`, `modern`, `both` | which handshakes it answers; `legacy` when left out |
//! | `--discover silent`, `die` | what an early `server/discover` does to it, instead of an answer |
//! | `--start hang`, `exit:CODE` | it never speaks, or ends at once after some words on stderr |
//! | `--needs FILE` | it ends at once, with code 3, while that file is not there |
//! | `--list many:N`, `endless`, `circle`, `long:BYTES`, `malformed` | instead of its honest list |
//! | `--tasks PREFIX` | it knows tasks as revision 2025-11-25 has them; their ids begin like that |
//! | `--watched FILE` | it has resources that can be watched, though not while that file is there |
//! | `--garbage` | lines that are no messages before each message |
//! | `--deaf` | ignores the end of its input, and SIGTERM |
//! | `--family` | starts grandchildren, one in a group and one in a session of its own |
//! | `--stray` | starts a grandchild that nothing ties to it |
//! | `--ledger FILE` | notes there what happens, a line each |

use std::io::Write;
use std::path::PathBuf;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    Legacy,
    Modern,
    Both,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Discover {
    Answer,
    Silent,
    Die,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Well,
    Hang,
    Exit(u8),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    Honest,
    Many(usize),
    /// Every page has a next one.
    Endless,
    /// Every page names the same next one.
    Circle,
    /// One tool has a description of so many bytes.
    Long(usize),
    /// Some definitions are none.
    Malformed,
    /// The tool says of itself that it is harmless, and writes to terminals and logs.
    Boastful,
}

pub(crate) struct Options {
    pub(crate) era: Era,
    pub(crate) discover: Discover,
    pub(crate) start: Start,
    pub(crate) list: List,
    pub(crate) tasks: Option<String>,
    pub(crate) watched: Option<PathBuf>,
    pub(crate) garbage: bool,
    pub(crate) deaf: bool,
    pub(crate) family: bool,
    pub(crate) stray: bool,
    ledger: Option<PathBuf>,
}

impl Era {
    pub(crate) fn is_legacy(self) -> bool {
        self != Self::Modern
    }

    pub(crate) fn is_modern(self) -> bool {
        self != Self::Legacy
    }
}

impl Options {
    /// Reads the arguments; one that is not known is a mistake of the test.
    pub(crate) fn read(arguments: &[String]) -> Self {
        let mut options = Self {
            era: Era::Legacy,
            discover: Discover::Answer,
            start: Start::Well,
            list: List::Honest,
            tasks: None,
            watched: None,
            garbage: false,
            deaf: false,
            family: false,
            stray: false,
            ledger: None,
        };
        let mut rest = arguments.iter().map(String::as_str);
        while let Some(name) = rest.next() {
            match name {
                "--garbage" => options.garbage = true,
                "--deaf" => options.deaf = true,
                "--family" => options.family = true,
                "--stray" => options.stray = true,
                // Whatever follows is there to be shown by the tool `argv`.
                "--" => break,
                _ => options.set(name, rest.next().expect("the argument has a value")),
            }
        }
        options
    }

    fn set(&mut self, name: &str, value: &str) {
        let (word, number) = value.split_once(':').unwrap_or((value, "0"));
        let number = || number.parse::<usize>().expect("a number");
        match (name, word) {
            ("--era", "legacy") => self.era = Era::Legacy,
            ("--era", "modern") => self.era = Era::Modern,
            ("--era", "both") => self.era = Era::Both,
            ("--discover", "silent") => self.discover = Discover::Silent,
            ("--discover", "die") => self.discover = Discover::Die,
            ("--start", "hang") => self.start = Start::Hang,
            ("--start", "exit") => {
                self.start = Start::Exit(u8::try_from(number()).expect("an exit code"))
            }
            ("--list", "many") => self.list = List::Many(number()),
            ("--list", "endless") => self.list = List::Endless,
            ("--list", "circle") => self.list = List::Circle,
            ("--list", "long") => self.list = List::Long(number()),
            ("--list", "boastful") => self.list = List::Boastful,
            ("--list", "malformed") => self.list = List::Malformed,
            ("--needs", _) if !std::path::Path::new(value).exists() => self.start = Start::Exit(3),
            ("--needs", _) => {}
            ("--tasks", _) => self.tasks = Some(value.to_owned()),
            ("--watched", _) => self.watched = Some(value.into()),
            ("--ledger", _) => self.ledger = Some(value.into()),
            _ => panic!("unknown argument {name} {value}"),
        }
    }

    /// Whether it refuses to tell of its resources at this moment.
    pub(crate) fn refuses(&self) -> bool {
        self.watched.as_ref().is_some_and(|file| file.exists())
    }

    /// Notes something in the ledger.
    pub(crate) fn note(&self, line: &str) {
        let Some(path) = &self.ledger else { return };
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .expect("the ledger can be written");
        file.write_all(format!("{line}\n").as_bytes())
            .expect("the ledger can be written");
    }
}
