//! What a program cannot do that may do whatever it likes.

use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use serde_json::{Value, json};

use crate::shell::{PERL, Place};

/// What is refused where the kernel holds it; elsewhere the result must say that nothing does.
fn check(place: &Place, done: &Value, what: &str) {
    if !place.is_confined {
        assert!(
            done["sandbox"]
                .as_str()
                .is_some_and(|words| words.starts_with("does not hold")),
            "{done}"
        );
        return;
    }
    assert_ne!(done["exit_code"], 0, "{what}: {done}");
    let told = done["stderr"].to_string();
    assert!(
        ["Permission denied", "Operation not permitted"]
            .iter()
            .any(|words| told.contains(words)),
        "{what}: {done}"
    );
}

#[tokio::test]
async fn files_outside_cannot_be_read_and_nothing_can_be_written() {
    let place = Place::new(&format!("[plugins.shell.config.programs]\n{PERL}")).await;
    let (secret, known) = (place.path("outside/secret"), place.path("readable/known"));
    std::os::unix::fs::symlink(&secret, place.file("readable/link")).expect("made");
    let own = std::process::id();
    let home = std::env::home_dir().expect("who runs the tests has a home");
    for line in [
        format!("cat {secret}"),
        "cat link".to_owned(),
        "cat ../outside/secret".to_owned(),
        format!("ls {}", place.path("outside")),
        "cat /etc/shadow".to_owned(),
        "ls /root".to_owned(),
        format!(
            "cat /etc/ssh/sshd_config {}/.ssh/id_ed25519 /etc/sudoers /etc/shadow",
            home.display()
        ),
        format!("cat /proc/{own}/environ"),
        format!("cat /proc/{own}/mem"),
        format!("ls -L /proc/{own}/root"),
    ] {
        let done = place.run(json!({ "command": line })).await;
        check(&place, &done, &line);
        if place.is_confined {
            assert_eq!(done["stdout"], "", "{line}: {done}");
        }
    }
    for script in [
        format!("open F, '>>', '{known}' or die $!"),
        format!("open F, '+<', '{known}' or die $!"),
        format!("truncate '{known}', 0 or die $!"),
        format!("unlink '{known}' or die $!"),
        format!("rename '{known}', '{known}.old' or die $!"),
        format!("symlink 'x', '{known}.link' or die $!"),
        format!("link '{known}', '{known}.link' or die $!"),
        format!("chmod 0777, '{known}' or die $!"),
        format!("open F, '<', '{known}'; chmod 0777, *F or die $!"),
        format!("utime 1, 1, '{known}' or die $!"),
        format!("chown 1, 1, '{known}' or die $!"),
        format!("mkdir '{}/new' or die $!", place.path("readable")),
        "open F, '>', \"$ENV{HOME}/new\" or die $!".to_owned(),
        "open F, '>', '/tmp/toolgate-shell-test' or die $!".to_owned(),
        "open F, '>', '/proc/self/oom_score_adj' or die $!".to_owned(),
        "open F, '>', '/proc/sys/kernel/hostname' or die $!".to_owned(),
    ] {
        if place.is_confined {
            check(&place, &place.perl(&script).await, &script);
        }
    }
    let text = std::fs::read_to_string(place.file("readable/known")).expect("it is there");
    assert_eq!(text, "one\ntwo\n");
    assert_eq!(
        std::fs::read_dir(place.file("readable"))
            .expect("read")
            .count(),
        2
    );
    place.gateway.finish().await;
}

#[tokio::test]
async fn no_other_program_is_started_and_nobody_is_signalled() {
    let place = Place::new(&format!("[plugins.shell.config.programs]\n{PERL}\nstarter = {{ path = \"/usr/bin/perl\", i_know_it_runs_code = true, starts = [\"/usr/bin/id\"] }}")).await;
    let own = std::process::id();
    let scripts = [
        "exec '/usr/bin/id' or die $!".to_owned(),
        "exec '/bin/sh', '-c', 'id' or die $!".to_owned(),
        format!("kill 0, {own} or die $!"),
        "kill 0, getppid or die $!".to_owned(),
        format!("setpriority 0, {own}, 19 or die $!"),
        "my @a = ('none', '/tmp', 'tmpfs'); syscall(165, @a, 0, 0) == 0 or die $!".to_owned(),
    ];
    for script in scripts {
        if place.is_confined {
            check(&place, &place.perl(&script).await, &script);
        }
    }
    let started = place
        .run(json!({ "program": "starter", "args": ["-e", "exec '/usr/bin/id', '-u' or die $!"] }))
        .await;
    assert_eq!(started["exit_code"], 0, "{started}");
    // The rights of the superuser are gone, also for what is started.
    let status = place
        .run(json!({ "command": "grep -E 'CapEff|NoNewPrivs' /proc/self/status" }))
        .await;
    if place.is_confined {
        let text = status["stdout"].as_str().expect("a text");
        let rights = text
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:\t"))
            .expect("a line");
        let rights = u64::from_str_radix(rights, 16).expect("a number");
        assert_eq!(rights & !(1 << 2), 0, "{text}");
        assert!(text.contains("NoNewPrivs:\t1"), "{text}");
    }
    place.gateway.finish().await;
}

#[tokio::test]
async fn no_port_and_no_socket_is_reached() {
    let place = Place::new(&format!("[plugins.shell.config.programs]\n{PERL}")).await;
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let name = format!("toolgate-test-{}", std::process::id());
    let named = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).expect("a name"))
        .expect("bound");
    // Where it may be read, so that only the socket is in the way.
    let placed = UnixListener::bind(place.file("readable/socket")).expect("bound");
    for listener in [&named, &placed] {
        listener.set_nonblocking(true).expect("set");
    }
    tcp.set_nonblocking(true).expect("set");
    udp.set_nonblocking(true).expect("set");
    let port = |address: std::io::Result<std::net::SocketAddr>| address.expect("bound").port();
    let inet = |kind: &str, proto: &str, port| {
        format!(
            "use Socket; socket(S, PF_INET, {kind}, getprotobyname('{proto}')) or die $!; connect(S, sockaddr_in({port}, INADDR_LOOPBACK)) or die $!; syswrite(S, 'x') or die $!"
        )
    };
    let unix = |path: &str| {
        format!(
            "use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0) or die $!; connect(S, pack('S a*', AF_UNIX, \"{path}\")) or die $!"
        )
    };
    for script in [
        inet("SOCK_STREAM", "tcp", port(tcp.local_addr())),
        inet("SOCK_DGRAM", "udp", port(udp.local_addr())),
        unix(&format!("{}\\0", place.path("readable/socket"))),
        unix(&format!("\\0{name}")),
        "use Socket; socket(S, PF_INET6, SOCK_STREAM, 6) or die $!".to_owned(),
        "use Socket; socket(S, 16, SOCK_RAW, 0) or die $!".to_owned(),
        "use Socket; socket(S, 17, SOCK_RAW, 0) or die $!".to_owned(),
        "use Socket; socket(S, PF_INET, SOCK_STREAM, 6) or die $!; bind(S, sockaddr_in(0, INADDR_ANY)) or die $!".to_owned(),
    ] {
        if place.is_confined {
            check(&place, &place.perl(&script).await, &script);
        }
    }
    if place.is_confined {
        let nothing = std::io::ErrorKind::WouldBlock;
        assert_eq!(tcp.accept().expect_err("nobody came").kind(), nothing);
        assert_eq!(
            udp.recv(&mut [0; 8]).expect_err("nothing came").kind(),
            nothing
        );
        assert_eq!(named.accept().expect_err("nobody came").kind(), nothing);
        assert_eq!(placed.accept().expect_err("nobody came").kind(), nothing);
    }
    place.gateway.finish().await;
}

/// What the operator allows a program to reach it reaches, and no more than that.
#[tokio::test]
async fn sockets_that_are_allowed_are_all_that_is() {
    let settings = "[plugins.shell.config.programs]\nlocal = { path = \"/usr/bin/perl\", i_know_it_runs_code = true, sockets = [\"unix\"] }\nwide = { path = \"/usr/bin/perl\", i_know_it_runs_code = true, sockets = [\"network\"] }";
    let place = Place::new(settings).await;
    let _placed = UnixListener::bind(place.file("readable/socket")).expect("bound");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let path = place.path("readable/socket");
    let to_path = format!(
        "use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0) or die $!; connect(S, sockaddr_un('{path}')) or die $!"
    );
    let to_port = format!(
        "use Socket; socket(S, PF_INET, SOCK_STREAM, 6) or die $!; connect(S, sockaddr_in({}, INADDR_LOOPBACK)) or die $!",
        tcp.local_addr().expect("bound").port()
    );
    for (program, script, is_allowed) in [
        ("local", &to_path, true),
        ("local", &to_port, false),
        ("wide", &to_port, true),
        ("wide", &to_path, false),
    ] {
        let done = place
            .run(json!({ "program": program, "args": ["-e", script] }))
            .await;
        match is_allowed {
            true => assert_eq!(done["exit_code"], 0, "{done}"),
            false => check(&place, &done, script),
        }
    }
    place.gateway.finish().await;
}
