//! The part of a probe that runs confined: it tries everything that it must not be able to do.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, XattrFlags};
use rustix::process::{getppid, test_kill_process};

/// How long a connection may take that must not come to be.
const SHORT: Duration = Duration::from_secs(1);

/// What a try came to.
pub(super) const REFUSED: &str = "refused";
pub(super) const DONE: &str = "done";

/// What a probe is told: as arguments, in this order.
#[derive(Debug)]
pub(super) struct Places {
    /// What may be read: in it the files `known` and `other`, which is a program.
    pub(super) readable: PathBuf,
    /// What may not: in it the files `secret` and `socket`.
    pub(super) outside: PathBuf,
    /// What may be written as well, or a directory that may not even be read.
    pub(super) writable: PathBuf,
    pub(super) tcp: u16,
    pub(super) udp: u16,
    /// The name of a socket that has no path.
    pub(super) name: String,
}

impl Places {
    pub(super) fn arguments(&self) -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        vec![
            path(&self.readable),
            path(&self.outside),
            path(&self.writable),
            self.tcp.to_string(),
            self.udp.to_string(),
            self.name.clone(),
        ]
    }

    fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut next = || arguments.next()?.into_string().ok();
        Some(Self {
            readable: next()?.into(),
            outside: next()?.into(),
            writable: next()?.into(),
            tcp: next()?.parse().ok()?,
            udp: next()?.parse().ok()?,
            name: next()?,
        })
    }
}

/// Tries all of it. A line for each: what came of it, a tab, and what it was.
pub(super) fn run(arguments: impl Iterator<Item = OsString>) -> String {
    let Some(places) = Places::read(arguments) else {
        return String::new();
    };
    let tries = of_files(&places).into_iter().chain(of_others(&places));
    let lines = tries.map(|(what, came)| match came {
        Ok(()) => format!("{DONE}\t{what}"),
        Err(err) if err.kind() == io::ErrorKind::PermissionDenied => format!("{REFUSED}\t{what}"),
        Err(err) => format!("{err}\t{what}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

type Tries = Vec<(&'static str, io::Result<()>)>;

fn of_files(places: &Places) -> Tries {
    let known = places.readable.join("known");
    let secret = places.outside.join("secret");
    let open_to_write = OpenOptions::new().write(true).open(&secret);
    // Not to be had of the standard library: it knows that this makes no sense.
    let emptied = rustix::fs::open(&known, OFlags::RDONLY | OFlags::TRUNC, Mode::empty());
    let mut tries = vec![
        ("read what it may", fs::read(&known).map(drop)),
        (
            "write where it may",
            File::create(places.writable.join("new")).map(drop),
        ),
        ("read a file outside", fs::read(&secret).map(drop)),
        (
            "list a directory outside",
            fs::read_dir(&places.outside).map(drop),
        ),
        ("write to a file outside", open_to_write.map(drop)),
        (
            "make a file where it may only read",
            File::create(places.readable.join("new")).map(drop),
        ),
        (
            "empty a file that it may only read",
            emptied.map(drop).map_err(io::Error::from),
        ),
        (
            "remove a file that it may only read",
            fs::remove_file(&known),
        ),
        (
            "change the mode of a file",
            fs::set_permissions(&known, Permissions::from_mode(0o600)),
        ),
        (
            "start another program",
            start(&places.readable.join("other")),
        ),
    ];
    tries.extend(of_attributes(&known));
    tries
}

/// What Landlock does not know of, by each of the calls that libraries have for it.
fn of_attributes(known: &Path) -> Tries {
    use rustix::fs::{
        Timespec, Timestamps, chmodat, chownat, lremovexattr, lsetxattr, removexattr, setxattr,
        utimensat,
    };

    const NAME: &str = "user.toolgate";
    let (follow, nothing) = (AtFlags::empty(), XattrFlags::empty());
    let early = Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: early,
        last_modification: early,
    };
    let tries = [
        (
            "change the mode of a file by its directory",
            chmodat(CWD, known, Mode::RUSR, follow),
        ),
        (
            "change the owner of a file",
            chownat(CWD, known, None, None, follow),
        ),
        (
            "change the times of a file",
            utimensat(CWD, known, &times, follow),
        ),
        (
            "set an attribute of a file",
            setxattr(known, NAME, b"x", nothing),
        ),
        (
            "set an attribute of a file or link",
            lsetxattr(known, NAME, b"x", nothing),
        ),
        ("remove an attribute of a file", removexattr(known, NAME)),
        (
            "remove an attribute of a file or link",
            lremovexattr(known, NAME),
        ),
    ];
    tries
        .map(|(what, came)| (what, came.map_err(io::Error::from)))
        .into()
}

/// A program that can be started is one without an interpreter.
fn start(program: &Path) -> io::Result<()> {
    let mut child = Command::new(program).spawn()?;
    child.wait().map(drop)
}

fn of_others(places: &Places) -> Tries {
    let here = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let gateway = getppid();
    let signalled = match gateway {
        Some(gateway) => test_kill_process(gateway).map_err(io::Error::from),
        None => Err(io::ErrorKind::NotFound.into()),
    };
    let pid = gateway.map_or(0, |pid| pid.as_raw_pid());
    let tcp = TcpStream::connect_timeout(&here(places.tcp), SHORT);
    let udp = UdpSocket::bind(here(0)).and_then(|socket| socket.send_to(b"x", here(places.udp)));
    let name = std::os::unix::net::SocketAddr::from_abstract_name(&places.name);
    let name = name.and_then(|name| UnixStream::connect_addr(&name));
    let mut tries = vec![
        ("send the gateway a signal", signalled),
        (
            "read the gateway's variables",
            fs::read(format!("/proc/{pid}/environ")).map(drop),
        ),
        ("connect to a TCP port", tcp.map(drop)),
        ("send a datagram by UDP", udp.map(drop)),
        ("connect to a socket by its name", name.map(drop)),
    ];
    let socket = places.outside.join("socket");
    if can_be_bound(&socket) {
        let placed = UnixStream::connect(socket);
        tries.push(("connect to a socket by its path", placed.map(drop)));
    }
    tries
}

/// Whether the path of a socket is not too long (unix(7), `sun_path`). Those with a name stand for it else.
pub(super) fn can_be_bound(socket: &Path) -> bool {
    const LONGEST: usize = 107;
    socket.as_os_str().len() <= LONGEST
}
