//! What the processes of one child may use, and how that is told to the helper.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::manifest::limits::Limits;
use crate::plugin::Confinement;
use crate::runtime::process::confined;

/// What the processes of one child may use. `None` is without bound.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    /// Bytes that all of them hold together.
    pub(super) memory_bytes: Option<u64>,
    /// How many there are.
    pub(super) processes: Option<u64>,
    /// Files that each has open.
    pub(super) open_files: Option<u64>,
    /// Seconds of processor time that each uses.
    pub(super) cpu_seconds: Option<u64>,
    /// Bytes of data that each asks for, used or not. Not for programs of others: many reserve far more than they use.
    pub(super) data_bytes: Option<u64>,
    /// By how much they stand back where processors are short.
    pub(super) nice: u8,
}

/// What a process binds itself to before it becomes a command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) open_files: Option<u64>,
    pub(super) cpu_seconds: Option<u64>,
    /// Bytes of its own data.
    pub(super) data_bytes: Option<u64>,
    pub(super) nice: Option<u64>,
    /// How much sooner than others it is to go when the system is out of memory, 0 to 1000.
    pub(super) goes_first: Option<u64>,
    /// The directories of the cgroups it joins.
    pub(super) join: Vec<PathBuf>,
    /// What it can reach from then on.
    pub(super) confine: Option<Confinement>,
}

/// What ends the terms among arguments.
const END: &str = "--";

impl Bounds {
    /// How much programs stand back that somebody waits for.
    pub(super) const POLITE: u8 = 5;

    /// No bounds, and no standing back.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// The bounds that a manifest sets; there 0 is without bound.
    pub(crate) fn of(limits: &Limits) -> Self {
        let some = |bound: u64| (bound > 0).then_some(bound);
        Self {
            memory_bytes: some(limits.memory_bytes),
            processes: some(limits.processes.into()),
            open_files: some(limits.open_files.into()),
            cpu_seconds: some(limits.cpu_seconds),
            data_bytes: None,
            nice: limits.nice,
        }
    }
}

impl Terms {
    /// The terms as arguments.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let numbers = [
            ("open_files", self.open_files),
            ("cpu_seconds", self.cpu_seconds),
            ("data_bytes", self.data_bytes),
            ("nice", self.nice),
            ("goes_first", self.goes_first),
        ];
        let numbers = numbers
            .into_iter()
            .filter_map(|(key, value)| Some(format!("{key}={}", value?).into()));
        let join = self.join.iter().map(|directory| joining(directory));
        let confine = self.confine.iter().flat_map(confined::arguments);
        let all = numbers.chain(join).chain(confine);
        all.chain([END.into()]).collect()
    }

    /// Reads the terms off the arguments they begin with. `None` where these are no terms.
    pub(super) fn read(arguments: &mut impl Iterator<Item = OsString>) -> Option<Self> {
        let mut terms = Self::default();
        loop {
            let argument = arguments.next()?;
            if argument == END {
                return Some(terms);
            }
            let (key, value) = argument.to_str()?.split_once('=')?;
            let number = || value.parse().ok();
            match key {
                "open_files" => terms.open_files = number(),
                "cpu_seconds" => terms.cpu_seconds = number(),
                "data_bytes" => terms.data_bytes = number(),
                "nice" => terms.nice = number(),
                "goes_first" => terms.goes_first = number(),
                "join" => terms.join.push(value.into()),
                _ => confined::read(terms.confine.get_or_insert_default(), key, value)?,
            }
        }
    }
}

fn joining(directory: &Path) -> OsString {
    [OsStr::new("join="), directory.as_os_str()]
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::{Same, Sockets};

    #[test]
    fn terms_are_read_as_they_were_written() {
        let terms = Terms {
            open_files: Some(64),
            cpu_seconds: None,
            data_bytes: Some(1 << 26),
            nice: Some(5),
            goes_first: Some(0),
            join: vec!["/a b".into(), "/c=d".into()],
            confine: Some(Confinement {
                read: vec!["/usr".into(), "/e=f".into()],
                write: vec!["/w".into()],
                start: vec!["/bin/x".into()],
                program: Some("/bin/y=z".into()),
                same: vec![Same {
                    path: "/a:b=c".into(),
                    device: 1,
                    inode: u64::MAX,
                }],
                sockets: Sockets {
                    netlink: true,
                    ..Sockets::default()
                },
                required: true,
            }),
        };
        let mut arguments = terms.arguments();
        arguments.push("command".into());
        let mut arguments = arguments.into_iter();
        assert_eq!(Terms::read(&mut arguments), Some(terms));
        assert_eq!(arguments.next(), Some("command".into()));
    }

    #[test]
    fn what_has_no_end_is_no_terms() {
        for words in [&["nice=1"][..], &["what=1", "--"], &["x", "--"], &[]] {
            let mut arguments = words.iter().map(OsString::from);
            assert_eq!(Terms::read(&mut arguments), None, "{words:?}");
        }
    }
}
