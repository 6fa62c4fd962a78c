//! The programs that are listed unless the operator says otherwise, and what is known of others.

use crate::builtin::shell::rules::Rules;

/// A program that is known.
pub(super) struct Known {
    pub(super) name: &'static str,
    /// Whether it is listed by itself: it only looks, and starts nothing.
    pub(super) is_listed: bool,
    deny: &'static [&'static str],
    operands: Option<usize>,
    /// Whether it asks the kernel about the network.
    pub(super) netlink: bool,
}

const fn plain(name: &'static str) -> Known {
    Known {
        name,
        is_listed: true,
        deny: &[],
        operands: None,
        netlink: false,
    }
}

const fn without(name: &'static str, deny: &'static [&'static str]) -> Known {
    Known {
        deny,
        ..plain(name)
    }
}

/// Its last operands would be files to write to, or settings of the machine.
const fn at_most(operands: usize, name: &'static str, deny: &'static [&'static str]) -> Known {
    Known {
        operands: Some(operands),
        ..without(name, deny)
    }
}

const fn asks_kernel(known: Known) -> Known {
    Known {
        netlink: true,
        ..known
    }
}

/// Not listed by itself; when the operator lists it, this is refused.
const fn only_rules(name: &'static str, deny: &'static [&'static str]) -> Known {
    Known {
        is_listed: false,
        ..without(name, deny)
    }
}

const ALL: &[Known] = &[
    plain("basename"),
    plain("cat"),
    plain("cksum"),
    plain("cmp"),
    plain("comm"),
    plain("cut"),
    at_most(0, "date", &["-s", "--set"]),
    plain("df"),
    // It would print through `pr`.
    without("diff", &["-l", "--paginate"]),
    plain("dirname"),
    plain("du"),
    without("file", &["-C", "--compile"]),
    without(
        "find",
        &[
            "-exec", "-execdir", "-ok", "-okdir", "-delete", "-fprint*", "-fls",
        ],
    ),
    plain("fold"),
    plain("free"),
    plain("getent"),
    plain("grep"),
    plain("head"),
    at_most(0, "hostname", &["-F", "--file", "-b", "--boot"]),
    plain("id"),
    asks_kernel(without("ip", &["=-b", "-ba*", "-fo*", "=-n", "-ne*"])),
    plain("join"),
    without(
        "journalctl",
        &[
            "--vacuum*",
            "--rotate",
            "--flush",
            "--sync",
            "--relinquish-var",
            "--smart-relinquish-var",
            "--setup-keys",
            "--update-catalog",
            "-M",
            "--machine",
        ],
    ),
    plain("jq"),
    plain("ls"),
    plain("lsblk"),
    plain("lscpu"),
    plain("md5sum"),
    plain("nl"),
    plain("nproc"),
    plain("od"),
    plain("paste"),
    plain("pgrep"),
    plain("ps"),
    plain("readlink"),
    plain("realpath"),
    plain("seq"),
    plain("sha1sum"),
    plain("sha256sum"),
    without("sort", &["-o", "--output", "--compress-program"]),
    asks_kernel(without("ss", &["-K", "--kill", "-D", "--diag"])),
    plain("stat"),
    plain("strings"),
    plain("tac"),
    plain("tail"),
    plain("tr"),
    plain("uname"),
    at_most(1, "uniq", &[]),
    plain("uptime"),
    plain("vmstat"),
    plain("wc"),
    at_most(1, "xxd", &["-r", "-revert"]),
    only_rules(
        "git",
        &[
            "-c",
            "--config-env",
            "--exec-path",
            "--ext-diff",
            "--textconv",
            "--output",
            "--upload-pack",
            "--receive-pack",
            "--open-files-in-pager",
            "-O",
            "--paginate",
        ],
    ),
    only_rules(
        "systemctl",
        &["-H", "--host", "-M", "--machine", "--root", "--image"],
    ),
    only_rules(
        "tar",
        &[
            "--to-command",
            "--checkpoint-action",
            "--use-compress-program",
            "-I",
            "--info-script",
            "--new-volume-script",
            "-F",
            "--rsh-command",
            "--rmt-command",
            "-P",
            "--absolute-names",
        ],
    ),
];

/// What `ip` may be asked about, and the words that would change it.
const IP_OBJECTS: &str = "a addr address l link r route ru rule n neigh neighbour maddress ntable";
const IP_VERBS: &str =
    "add append change delete down exec flush monitor promote replace restore save set up";

/// Its options that take a value; it matches them by their beginning, `-f` as `-family`.
const IP_WITH_VALUE: &str = "=-f -fa* =-l -lo* -rc*";

/// Programs that start others, or read code that does whatever it likes.
const CODE: &[&str] = &[
    "ash",
    "at",
    "awk",
    "bash",
    "batch",
    "bun",
    "busybox",
    "cargo",
    "chroot",
    "chrt",
    "cmake",
    "coreutils",
    "crontab",
    "csh",
    "dash",
    "dc",
    "deno",
    "doas",
    "docker",
    "dotnet",
    "ed",
    "emacs",
    "entr",
    "env",
    "ex",
    "expect",
    "fish",
    "flock",
    "gawk",
    "gcc",
    "gdb",
    "go",
    "ionice",
    "java",
    "ksh",
    "ld.so",
    "ldd",
    "less",
    "lua",
    "m4",
    "make",
    "man",
    "mawk",
    "mksh",
    "more",
    "most",
    "mysql",
    "nano",
    "nawk",
    "nc",
    "ncat",
    "netcat",
    "nice",
    "node",
    "nodejs",
    "nohup",
    "npm",
    "npx",
    "nsenter",
    "nvim",
    "parallel",
    "perl",
    "php",
    "pip",
    "pkexec",
    "podman",
    "psql",
    "pwsh",
    "python",
    "rsync",
    "ruby",
    "run-parts",
    "runuser",
    "scp",
    "screen",
    "script",
    "sed",
    "setpriv",
    "setsid",
    "sftp",
    "sh",
    "socat",
    "sqlite3",
    "ssh",
    "start-stop-daemon",
    "stdbuf",
    "strace",
    "su",
    "sudo",
    "systemd-run",
    "taskset",
    "tclsh",
    "tcpdump",
    "tcsh",
    "telnet",
    "time",
    "timeout",
    "tmux",
    "toybox",
    "unshare",
    "vi",
    "view",
    "vim",
    "watch",
    "xargs",
    "zsh",
];

/// Programs that are many, by the name they are called by.
const MANY: &[&str] = &["busybox", "coreutils", "toybox"];

/// All that are listed by themselves.
pub(super) fn listed() -> impl Iterator<Item = &'static Known> {
    ALL.iter().filter(|known| known.is_listed)
}

/// What is known of a program.
pub(super) fn known(name: &str) -> Option<&'static Known> {
    ALL.iter().find(|known| known.name == name)
}

/// Whether a program of that name starts others or reads code; with or without a version.
pub(super) fn runs_code(name: &str) -> bool {
    let bare =
        name.trim_end_matches(|letter: char| letter.is_ascii_digit() || ".-".contains(letter));
    let is_loader = name.starts_with("ld-linux") || name.starts_with("ld-musl");
    is_loader || [name, bare].iter().any(|name| CODE.contains(name))
}

/// Whether a file of that name is many programs.
pub(super) fn is_many(name: &str) -> bool {
    MANY.contains(&name)
}

impl Known {
    pub(super) fn rules(&self) -> Rules {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let is_ip = self.name == "ip";
        Rules {
            deny: self
                .deny
                .iter()
                .map(|pattern| (*pattern).to_owned())
                .collect(),
            operands: self.operands,
            subcommands: is_ip.then(|| words(IP_OBJECTS)),
            options_first: is_ip,
            any_hyphens: is_ip,
            with_value: if is_ip {
                words(IP_WITH_VALUE)
            } else {
                Vec::new()
            },
            verbs: if is_ip { words(IP_VERBS) } else { Vec::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_code_is_known_by_any_version() {
        for name in [
            "bash",
            "python3.13",
            "python",
            "perl5.36",
            "ld-linux-x86-64.so.2",
            "awk",
            "mawk",
        ] {
            assert!(runs_code(name), "{name}");
        }
        for known in ALL {
            assert!(!runs_code(known.name), "{}", known.name);
        }
    }

    #[test]
    fn ways_around_are_refused() {
        let refuses = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let rules = known(&words[0]).expect("it is known").rules();
            rules.check(&words[0], &words[1..]).is_err()
        };
        for line in [
            "find . -exec rm {} +",
            "find . -execdir x ;",
            "find . -ok x",
            "find . -okdir x",
            "find . -delete",
            "find . -fprint x",
            "find . -fprintf x y",
            "find . -fprint0 x",
            "find . -fls x",
            "sort -o x y",
            "sort -rox y",
            "sort --outp=x y",
            "sort --compress-program=x y",
            "sort --comp=x",
            "date -s 1",
            "date --set=1",
            "date --se=1",
            "date 01010000",
            "hostname x",
            "hostname -F x",
            "ip link set eth0 down",
            "ip -b x",
            "ip -batch x",
            "ip netns exec a b",
            "ip -n a link",
            "ip --force addr",
            "ip -fo addr",
            "ip --netns a addr",
            "ip -ne a addr",
            "ip --batch link",
            "ip --b link",
            "ip -f link netns",
            "ip --family link netns",
            "ip -l 1 netns",
            "ip -rcvbuf link netns",
            "ip -f inet link s lo up",
            "ss -K",
            "uniq a b",
            "xxd -r a",
            "xxd a b",
            "journalctl --vacuum-size=1",
            "journalctl --rot",
            "diff -l a b",
            "file -C",
            "tar -I x",
            "tar --to-command=x",
            "git -c a=b",
            "git --output=x",
        ] {
            assert!(refuses(line), "{line}");
        }
        for line in [
            "find . -name *.log -newer x",
            "sort -rn x",
            "date -u +%s",
            "hostname",
            "ip -br addr",
            "ip -f inet addr show",
            "ip --brief -rc 65536 link",
            "ip -l 3 -family inet6 route",
            "xxd -l16 a",
            "ip -s link show eth0",
            "ip route get 1.1.1.1",
            "ss -tlnp",
            "uniq -c a",
            "journalctl -u x --since=today",
            "diff -u a b",
        ] {
            assert!(!refuses(line), "{line}");
        }
    }
}
