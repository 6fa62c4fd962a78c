//! What the tools do.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;

use crate::{Next, Server, asks, family, members, stamps, weight};

/// Carries out a call, and notes it in the ledger.
pub(crate) fn call(server: &Arc<Server>, id: &str, params: &str) -> Next {
    let parts = members(params);
    let name: String = parts
        .get("name")
        .and_then(|name| serde_json::from_str(name.get()).ok())
        .unwrap_or_default();
    let arguments = parts
        .get("arguments")
        .map_or("{}", |arguments| arguments.get());
    server.options.note(&format!("call {name} {id}"));
    let call = Call {
        server,
        id,
        params,
        arguments,
    };
    match name.as_str() {
        "ask" => asks::ask(server, id),
        "ask_back" => asks::ask_back(server, id, params),
        "crash" => std::process::abort(),
        "die" => call.die(),
        "exit" => return call.exit(),
        "half_line" => {
            server.voice.raw(
                format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"te"#)
                    .as_bytes(),
            );
            return Next::Exit(0);
        }
        "answer_then_die" => {
            call.text("the last answer");
            return Next::Exit(0);
        }
        "hang" => {}
        "late" => server
            .late
            .lock()
            .expect("no holder of this lock panics")
            .push(id.to_owned()),
        "freeze" => return Next::Freeze,
        "pause" => call.pause(),
        "hold" => call.hold(),
        "gather" => call.gather(),
        "progress" => call.progress(),
        "log" => call.log(),
        "flood" => call.flood(),
        "flood_forever" => call.flood_forever(),
        "stderr" => call.stderr(),
        "sigh" => call.sigh(),
        "family" => {
            let pids = family::beget(&server.options);
            call.value(&json!({ "pids": pids }));
        }
        "stray" => {
            let pid = weight::stray(&server.options);
            call.value(&json!({ "pid": pid }));
        }
        "hog" => weight::take_memory(call.number("mebibytes", 0)),
        "hog_in_a_child" => {
            weight::take_memory_in_a_child(call.number("mebibytes", 0), &server.options);
        }
        "bomb" => weight::multiply(call.number("generations", 0)),
        "burn" => {
            weight::burn(call.number("threads", 1));
            call.text("burning");
        }
        "grow" => call.grow(1),
        "storm" => call.grow(call.number("count", 1000)),
        "refuse" => server.voice.error(id, -32602, "not like this"),
        _ => return call.look(&name),
    }
    Next::Read
}

struct Call<'a> {
    server: &'a Arc<Server>,
    id: &'a str,
    params: &'a str,
    arguments: &'a str,
}

impl Call<'_> {
    fn text(&self, text: &str) {
        self.server.voice.result(
            self.id,
            &json!({ "content": [{ "type": "text", "text": text }] }).to_string(),
        );
    }

    fn value(&self, value: &serde_json::Value) {
        self.raw(&value.to_string());
    }

    fn raw(&self, value: &str) {
        self.server.voice.result(
            self.id,
            &format!(r#"{{"content":[],"structuredContent":{value}}}"#),
        );
    }

    fn number(&self, key: &str, default: u64) -> u64 {
        members(self.arguments)
            .get(key)
            .and_then(|number| number.get().parse().ok())
            .unwrap_or(default)
    }

    /// The tools that only answer.
    fn look(&self, name: &str) -> Next {
        match name {
            "echo" => self.raw(self.arguments),
            "params" => self.raw(self.params),
            "stamp" => self.value(&stamps::stamp(self.arguments)),
            "odd" => self.odd(),
            "publish" => self.publish(),
            "pid" => self.text(&std::process::id().to_string()),
            "count" => {
                self.text(&(self.server.count.fetch_add(1, Ordering::SeqCst) + 1).to_string())
            }
            "env" => self.value(&json!(std::env::vars().collect::<BTreeMap<_, _>>())),
            "argv" => self.value(&json!({ "argv": std::env::args().skip(1).collect::<Vec<_>>() })),
            "fds" => self.fds(),
            "big" => {
                let bytes = usize::try_from(self.number("bytes", 0)).expect("fits");
                self.text(&"b".repeat(bytes));
            }
            _ => return self.lie(name),
        }
        Next::Read
    }

    /// The tools that break the protocol.
    fn lie(&self, name: &str) -> Next {
        let (id, voice) = (self.id, &self.server.voice);
        match name {
            "huge_line" => {
                let bytes = usize::try_from(self.number("bytes", 100 << 20)).expect("fits");
                voice.raw(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"x":""#).as_bytes());
                let chunk = vec![b'x'; 1 << 20];
                (0..bytes >> 20).for_each(|_| voice.raw(&chunk));
                voice.raw(b"\"}}\n");
            }
            "not_utf8" => {
                let head = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[],"x":""#);
                voice.raw(&[head.as_bytes(), b"\xff\xc0\"}}\n"].concat());
            }
            "no_jsonrpc" => voice.line(&format!(r#"{{"id":{id},"result":{{"content":[]}}}}"#)),
            "deep" => {
                let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
                voice.result(id, &format!(r#"{{"content":{deep}}}"#));
            }
            "wrong_id" => voice.result("987654321", r#"{"content":[]}"#),
            "no_object" => voice.result(id, "5"),
            "result_and_error" => voice.line(&format!(
                r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}},"error":{{"code":1,"message":"no"}}}}"#
            )),
            "strange_type" => voice.result(id, r#"{"resultType":"banana","content":[]}"#),
            "cut_json" => voice.line(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":["#)),
            "batch" => voice.line(&format!(r#"[{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":"in a batch"}}]}}}}]"#)),
            "twice" => {
                self.text("first");
                self.text("second");
            }
            _ => voice.error(id, -32602, "Unknown tool"),
        }
        Next::Read
    }

    /// The arguments as they came, between members that a proxy could lose.
    fn odd(&self) {
        let result = format!(
            r#"{{"zz":[1.0,1e5,-0],"content":[{{"type":"text","text":"caf\u00e9 \/ \ud83d\ude00","x":1}}],"structuredContent":{},"n":1234567890123456789012345,"_meta":{{"com.example/k":{{"z":1,"a":2}}}},"isError":false}}"#,
            self.arguments
        );
        self.server.voice.result(self.id, &result);
    }

    /// Publishes what it was called with.
    fn publish(&self) {
        let result = format!(
            r#"{{"content":[],"_meta":{{"com.example/k":1,"toolgate\/events":[{{"topic":"step.two","payload":{}}}]}},"x":1}}"#,
            self.arguments
        );
        self.server.voice.result(self.id, &result);
    }

    fn argument(&self, key: &str) -> String {
        let value = members(self.arguments)
            .get(key)
            .map_or_else(String::new, |value| value.get().to_owned());
        serde_json::from_str(&value).expect("a text")
    }

    /// Reads nothing until a file is there.
    fn pause(&self) {
        let path = self.argument("until");
        while !std::path::Path::new(&path).exists() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        self.text("resumed");
    }

    /// Answers once a file is there, and takes other calls meanwhile.
    fn hold(&self) {
        let (server, id) = (Arc::clone(self.server), self.id.to_owned());
        let path = self.argument("until");
        std::thread::spawn(move || {
            while !std::path::Path::new(&path).exists() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            server
                .voice
                .result(&id, r#"{"content":[{"type":"text","text":"let go"}]}"#);
        });
    }

    /// Says something on stderr.
    fn sigh(&self) {
        let line = format!("{}\n", self.argument("text"));
        std::io::stderr().write_all(line.as_bytes()).ok();
        self.text("sighed");
    }

    fn die(&self) {
        let own = std::process::id().to_string();
        std::process::Command::new("kill")
            .args(["-9", &own])
            .status()
            .ok();
    }

    fn exit(&self) -> Next {
        std::io::stderr().write_all(b"out of cheese\n").ok();
        Next::Exit(u8::try_from(self.number("code", 3)).expect("an exit code"))
    }

    /// Answers when as many calls as it says have come, the last one first.
    fn gather(&self) {
        let of = usize::try_from(self.number("of", 2)).expect("fits");
        let mut gathered = self
            .server
            .gathered
            .lock()
            .expect("no holder of this lock panics");
        gathered.push((self.id.to_owned(), self.arguments.to_owned()));
        if gathered.len() >= of {
            for (id, arguments) in gathered.drain(..).rev() {
                self.server.voice.result(
                    &id,
                    &format!(r#"{{"content":[],"structuredContent":{arguments}}}"#),
                );
            }
        }
    }

    /// Progress under the token of the call, some under others, and then the answer.
    fn progress(&self) {
        let meta = members(self.params)
            .get("_meta")
            .map_or_else(String::new, |meta| meta.get().to_owned());
        let token = members(&meta)
            .get("progressToken")
            .map_or_else(|| "null".to_owned(), |token| token.get().to_owned());
        for (token, n) in [
            (&*token, 1),
            ("\"stranger\"", 2),
            ("424242", 3),
            (&*token, 4),
        ] {
            let params = format!(
                r#"{{"progressToken":{token},"progress":{n},"total":4.0,"x":{{"b":1,"a":2}}}}"#
            );
            self.server.voice.notify("notifications/progress", &params);
        }
        self.value(&json!({ "token": token }));
    }

    fn log(&self) {
        let text = members(self.arguments)
            .get("text")
            .map_or_else(|| "\"\"".to_owned(), |text| text.get().to_owned());
        let params = format!(r#"{{"level":"error","logger":"hostile","data":{text},"x":1.0}}"#);
        self.server.voice.notify("notifications/message", &params);
        self.text("logged");
    }

    fn flood(&self) {
        for n in 0..self.number("count", 10_000) {
            self.server.voice.notify(
                "notifications/message",
                &format!(r#"{{"level":"error","data":{n}}}"#),
            );
        }
        self.text("flooded");
    }

    fn flood_forever(&self) {
        let server = Arc::clone(self.server);
        std::thread::spawn(move || {
            loop {
                server.voice.notify(
                    "notifications/message",
                    r#"{"level":"error","data":"on and on"}"#,
                );
            }
        });
    }

    fn stderr(&self) {
        let mebibytes = self.number("mebibytes", 1);
        let line = [&[b'e'; 1023][..], b"\n"].concat();
        let mut stderr = std::io::stderr();
        let chunk = line.repeat(1024);
        (0..mebibytes).for_each(|_| drop(stderr.write_all(&chunk)));
        self.text("written");
    }

    fn fds(&self) {
        let open = std::fs::read_dir("/proc/self/fd")
            .into_iter()
            .flatten()
            .flatten();
        let targets: BTreeMap<String, String> = open
            .filter_map(|entry| {
                let target = std::fs::read_link(entry.path()).ok()?;
                Some((
                    entry.file_name().into_string().ok()?,
                    target.to_string_lossy().into_owned(),
                ))
            })
            .collect();
        self.value(&json!(targets));
    }

    /// Has one more tool and says so, `count` times.
    fn grow(&self, count: u64) {
        for _ in 0..count {
            self.server.grown.fetch_add(1, Ordering::SeqCst);
            self.server
                .voice
                .notify("notifications/tools/list_changed", "{}");
        }
        self.text("grown");
    }
}
