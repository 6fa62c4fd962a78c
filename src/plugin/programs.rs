//! Programs that a compiled-in plugin runs to their end. How that is done is the business of the runtime below.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::fault::Fault;

/// The most bytes that a program may write, both streams together, before it is stopped: what is read beyond what is kept is
/// thrown away, but costs time.
pub(crate) const MAX_OUTPUT_BYTES: u64 = 256 << 20;

/// A program to run, and what it may use.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The program, best as an absolute path, and its arguments. No shell reads them.
    pub(crate) command: Vec<String>,
    /// Its variables, besides those that every child gets (such as `PATH`), which stand back behind these.
    pub(crate) variables: BTreeMap<String, String>,
    /// Where it works; the root directory where there is none.
    pub(crate) directory: Option<PathBuf>,
    /// What it reads from its standard input, which is closed then.
    pub(crate) input: Vec<u8>,
    /// How long it may take. Then it is ended with all it started.
    pub(crate) timeout: Duration,
    /// How many bytes of each stream are kept, half from its beginning, half from its end.
    pub(crate) output_bytes: usize,
    /// Bytes of memory that it and all it started may hold together. Looked at twice a second.
    pub(crate) memory_bytes: Option<u64>,
    /// How many processes there may be.
    pub(crate) processes: Option<u64>,
    /// How many files each of them may have open.
    pub(crate) open_files: Option<u64>,
    /// Seconds of processor time that each may use.
    pub(crate) cpu_seconds: Option<u64>,
    /// What it can reach; `None` is whatever the gateway can.
    pub(crate) confinement: Option<Confinement>,
}

/// What a program can reach of the machine, kept by the kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Confinement {
    /// Files it may read, and directories with all that is below them. Those that are not there are left out.
    pub(crate) read: Vec<PathBuf>,
    /// Those it may change as well.
    pub(crate) write: Vec<PathBuf>,
    /// Programs that it may start, besides itself.
    pub(crate) start: Vec<PathBuf>,
    /// The file that the path of the program must lead to; nothing else is started by that path.
    pub(crate) program: Option<PathBuf>,
    /// Those of all these that must be what they were. Where one is not, or is a link by now, nothing is started.
    pub(crate) same: Vec<Same>,
    /// What it may open sockets for.
    pub(crate) sockets: Sockets,
    /// Whether it is not to be started where the system cannot do all of this.
    pub(crate) required: bool,
}

/// A file or directory as it was found, to be known again whatever its path leads to by then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Same {
    /// Without links.
    pub(crate) path: PathBuf,
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

#[cfg(feature = "shell")]
impl Same {
    /// What a path without links leads to now.
    #[cfg(unix)]
    pub(crate) fn of(path: PathBuf) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;

        let found = std::fs::symlink_metadata(&path)?;
        Ok(Self {
            path,
            device: found.dev(),
            inode: found.ino(),
        })
    }

    /// Where nothing can be confined nothing is known again.
    #[cfg(not(unix))]
    pub(crate) fn of(path: PathBuf) -> std::io::Result<Self> {
        Ok(Self {
            path,
            device: 0,
            inode: 0,
        })
    }
}

/// What a program may open sockets for. Nothing, unless said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sockets {
    /// Other programs on this machine.
    pub(crate) unix: bool,
    /// The kernel's tables of the network. A confined program has no right to change them.
    pub(crate) netlink: bool,
    /// Other machines, and ports of this one.
    pub(crate) network: bool,
}

/// How a program ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Finished {
    /// Its exit code, if it ended by itself.
    pub(crate) code: Option<i32>,
    /// The signal that ended it, if one did.
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: Kept,
    pub(crate) stderr: Kept,
    pub(crate) took: Duration,
    /// Why it was stopped before its own end, as a sentence about `it`.
    pub(crate) stopped: Option<String>,
}

/// What is kept of a stream: all of it, or its two ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) head: Vec<u8>,
    /// What follows the head, after what was left out.
    pub(crate) tail: Vec<u8>,
    /// How many bytes between them were thrown away.
    pub(crate) left_out: u64,
}

/// What the system can do about a [`Confinement`], found out by trying it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sandbox {
    /// What was tried from inside, and whether it was refused.
    pub(crate) tried: Vec<(String, bool)>,
    /// Why there is none, or what does not hold.
    pub(crate) why_not: Option<String>,
}

/// Runs programs.
#[async_trait]
pub(crate) trait Programs: Send + Sync {
    /// Runs a program to its end. When the future is dropped, or the plugin stops, it is ended with all it started. A program
    /// that ends badly is no fault; one that cannot be started or confined is.
    async fn run(&self, run: Run) -> Result<Finished, Fault>;

    /// The file of a program: a path, or a name that is looked for in the gateway's `PATH`.
    fn find(&self, program: &str) -> Option<PathBuf>;

    /// Tries from inside whether a confinement holds: one that may write in one directory, if `write`.
    async fn sandbox(&self, write: bool) -> Sandbox;
}

impl Kept {
    /// The text, with a line that says what was left out where something was.
    pub(crate) fn text(&self) -> String {
        let head = String::from_utf8_lossy(&self.head);
        let tail = String::from_utf8_lossy(&self.tail);
        match self.left_out {
            0 => format!("{head}{tail}"),
            count => format!("{head}\n[… {count} bytes left out …]\n{tail}"),
        }
    }
}

impl Sandbox {
    /// Whether everything that was tried was refused.
    pub(crate) fn holds(&self) -> bool {
        self.why_not.is_none()
    }
}
