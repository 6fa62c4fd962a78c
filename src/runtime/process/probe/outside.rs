//! The part of a probe that the gateway does: it lays out what must not be reached, and judges what the other part tells.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::plugin::{Confinement, Finished, Programs, Run, Sandbox, Sockets};
use crate::runtime::process::Runner;
use crate::runtime::process::probe::PROBE_ARGUMENT;
use crate::runtime::process::probe::inside::{DONE, Places, REFUSED, can_be_bound};
use crate::runtime::temp_dir::TempDir;

/// How long it may take.
const BOUND: Duration = Duration::from_secs(10);

/// Bytes that it says, at the most.
const OUTPUT: usize = 16 << 10;

/// What the gateway's own program is made of, and what it looks into.
const SYSTEM: [&str; 5] = ["/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/proc"];

/// Those of the tries that must be possible, the second one with a directory to write in only.
const MUST: [&str; 2] = ["read what it may", "write where it may"];

/// What is laid out, until it is dropped.
struct Scene {
    places: Places,
    _tcp: TcpListener,
    _udp: UdpSocket,
    _sockets: (UnixListener, Option<UnixListener>),
}

/// Tries whether a confinement holds.
pub(super) async fn probe(runner: &Runner, write: bool) -> Sandbox {
    let Some(helper) = runner.launcher.helper.clone() else {
        return none(
            "this gateway cannot start its own program as the helper that confines others",
        );
    };
    let directory = match TempDir::make(&runner.launcher.homes, runner.plugin()) {
        Ok(directory) => directory,
        Err(fault) => return none(format!("there is no place to try it: {}", fault.message)),
    };
    let tried = match Scene::lay_out(directory.path()) {
        Ok(scene) => {
            let run = run(&helper, &scene.places, write);
            runner.run(run).await.map_err(|fault| fault.message)
        }
        Err(err) => Err(format!("there is no place to try it: {err}")),
    };
    directory.remove().await;
    match tried {
        Ok(finished) => judge(&finished, write),
        Err(why) => none(why),
    }
}

fn none(why: impl Into<String>) -> Sandbox {
    Sandbox {
        tried: Vec::new(),
        why_not: Some(why.into()),
    }
}

impl Scene {
    fn lay_out(directory: &Path) -> io::Result<Self> {
        // Confined by where they lead to.
        let directory = directory.canonicalize()?;
        let [readable, outside, writable] =
            ["readable", "outside", "writable"].map(|name| directory.join(name));
        for made in [&readable, &outside, &writable] {
            fs::create_dir(made)?;
        }
        fs::write(readable.join("known"), "known")?;
        fs::write(outside.join("secret"), "secret")?;
        let other = readable.join("other");
        fs::write(&other, "#!/nowhere/to/be/found\n")?;
        fs::set_permissions(&other, fs::Permissions::from_mode(0o755))?;
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let name = format!("toolgate-{}", crate::session::table::new_id());
        let named = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        let socket = outside.join("socket");
        let placed = can_be_bound(&socket).then(|| UnixListener::bind(&socket));
        let placed = placed.transpose()?;
        let places = Places {
            readable,
            outside,
            writable,
            tcp: tcp.local_addr()?.port(),
            udp: udp.local_addr()?.port(),
            name,
        };
        Ok(Self {
            places,
            _tcp: tcp,
            _udp: udp,
            _sockets: (named, placed),
        })
    }
}

fn run(helper: &Path, places: &Places, write: bool) -> Run {
    let mut command = vec![helper.display().to_string(), PROBE_ARGUMENT.to_owned()];
    command.extend(places.arguments());
    let mut read: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    read.push(places.readable.clone());
    let writable = write.then(|| places.writable.clone());
    Run {
        command,
        variables: BTreeMap::new(),
        directory: None,
        input: Vec::new(),
        timeout: BOUND,
        output_bytes: OUTPUT,
        memory_bytes: None,
        processes: None,
        open_files: None,
        cpu_seconds: None,
        confinement: Some(Confinement {
            read,
            write: writable.into_iter().collect(),
            sockets: Sockets::default(),
            required: true,
            ..Confinement::default()
        }),
    }
}

/// What the tries say: the first must be possible, the others refused.
fn judge(finished: &Finished, write: bool) -> Sandbox {
    let text = finished.stdout.text();
    let lines: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect();
    if let (true, how) = (lines.is_empty(), finished.stderr.text()) {
        let ended = finished.stopped.clone().unwrap_or_default();
        return none(format!(
            "the try did not come to an end: {ended} {}",
            how.trim()
        ));
    }
    let musts = &MUST[..1 + usize::from(write)];
    let mut wrong = Vec::new();
    for (came, what) in &lines {
        match (musts.contains(what), *came) {
            (true, DONE) | (false, REFUSED) => {}
            (true, came) => wrong.push(format!("it cannot {what} ({came})")),
            (false, DONE) => wrong.push(format!("it can {what}")),
            (false, came) => wrong.push(format!("nothing but `{came}` keeps it from this: {what}")),
        }
    }
    let tried = lines
        .iter()
        .map(|(came, what)| ((*what).to_owned(), *came == REFUSED));
    Sandbox {
        tried: tried.collect(),
        why_not: (!wrong.is_empty())
            .then(|| format!("a confined program was tried: {}", wrong.join("; "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::Kept;

    fn judged(lines: &[&str], write: bool) -> Option<String> {
        let stdout = Kept {
            head: lines.join("\n").into_bytes(),
            ..Kept::default()
        };
        let finished = Finished {
            stdout,
            ..Finished::default()
        };
        judge(&finished, write).why_not
    }

    #[test]
    fn what_does_not_hold_is_named() {
        let good = [
            "done\tread what it may",
            "refused\twrite where it may",
            "refused\tx",
        ];
        assert_eq!(judged(&good, false), None);
        let told = |lines: &[&str], write| judged(lines, write).expect("it does not hold");
        assert!(told(&good, true).contains("it cannot write where it may (refused)"));
        assert!(told(&["done\tread what it may", "done\tx"], false).contains("it can x"));
        let odd = told(&["done\tread what it may", "no route\tx"], false);
        assert!(odd.contains("nothing but `no route` keeps it from this: x"));
        assert!(told(&[], false).contains("did not come to an end"));
    }
}
