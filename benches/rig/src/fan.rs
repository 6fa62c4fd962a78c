//! `rig fan`: the floor of a fan-out. It takes `subscriptions/listen` on any number of connections, and writes one event
//! to each when anything else is asked. One thread, no HTTP library, nothing is looked at.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use memchr::memmem;

use crate::Problem;
use crate::args::Args;

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\ntransfer-encoding: chunked\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n";
const ACKNOWLEDGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/subscriptionId":100000000}}}"#;
const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":100000000}}}"#;
const ANSWER: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

pub(crate) fn run(mut args: Args) -> Result<(), Problem> {
    let listen = args.get_or("listen", SocketAddr::from(([127, 0, 0, 1], 0)))?;
    args.done()?;
    let listener = TcpListener::bind(listen)?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    let (mut streams, mut request) = (Vec::new(), vec![0; 16 * 1024]);
    loop {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        // A request of the driver comes in one piece.
        let n_bytes = stream.read(&mut request)?;
        if memmem::find(&request[..n_bytes], b"subscriptions/listen").is_some() {
            stream.write_all(HEAD.as_bytes())?;
            stream.write_all(&chunk(ACKNOWLEDGED))?;
            streams.push(stream);
        } else {
            tell_all(&mut streams)?;
            stream.write_all(ANSWER.as_bytes())?;
        }
    }
}

fn tell_all(streams: &mut [TcpStream]) -> Result<(), Problem> {
    let event = chunk(CHANGED);
    for stream in streams {
        stream.write_all(&event)?;
    }
    Ok(())
}

fn chunk(message: &str) -> Vec<u8> {
    let event = format!("event: message\ndata: {message}\n\n");
    format!("{:X}\r\n{event}\r\n", event.len()).into_bytes()
}
