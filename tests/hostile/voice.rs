//! What the server writes.

use std::io::{Stdout, Write};
use std::sync::{Mutex, MutexGuard};

/// Lines that are no messages: banners, logs in JSON, colours, arrays, half a message, bytes that are no text.
const GARBAGE: [&[u8]; 8] = [
    b"Loading the model ...",
    b"{\"level\":30,\"msg\":\"listening\",\"error\":null}",
    b"\x1b[32mready\x1b[0m \x1b]0;x\x07",
    b"[]",
    b"null",
    b"",
    b"\xff\xfe\x00",
    b"{\"time\":1,\"id\":\"a1\"}",
];

pub(crate) struct Voice {
    out: Mutex<Stdout>,
    garbage: bool,
}

impl Voice {
    pub(crate) fn new(garbage: bool) -> Self {
        Self {
            out: Mutex::new(std::io::stdout()),
            garbage,
        }
    }

    fn out(&self) -> MutexGuard<'_, Stdout> {
        self.out.lock().expect("no holder of this lock panics")
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        let mut out = self.out();
        // Nobody may be listening any more.
        out.write_all(bytes).and_then(|()| out.flush()).ok();
    }

    /// Writes a line.
    pub(crate) fn line(&self, text: &str) {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        if self.garbage {
            GARBAGE
                .iter()
                .for_each(|line| bytes.extend([line, &b"\n"[..]].concat()));
        }
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(b'\n');
        self.raw(&bytes);
    }

    pub(crate) fn result(&self, id: &str, result: &str) {
        self.line(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#
        ));
    }

    pub(crate) fn error(&self, id: &str, code: i64, message: &str) {
        self.line(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{message}"}}}}"#
        ));
    }

    pub(crate) fn notify(&self, method: &str, params: &str) {
        self.line(&format!(
            r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#
        ));
    }
}
