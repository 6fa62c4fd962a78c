//! One keep-alive connection to a server, with a reader of HTTP answers that does the least a driver can get by with.

use std::ops::Range;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Problem;
use crate::prepared::{Prepared, Target};

const BUFFER_BYTES: usize = 64 * 1024;
const SMALL_BUFFER_BYTES: usize = 2 * 1024;

/// A connection. One request at a time: the answer is read whole before the next is sent.
pub(crate) struct Link {
    stream: TcpStream,
    buffer: Vec<u8>,
    n_read: usize,
    /// The body of the last answer, when it came in pieces.
    joined: Vec<u8>,
}

/// An answer, inside the buffers of its link.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
}

/// How the end of a body is known.
enum Length {
    Bytes(usize),
    Chunks,
}

impl Link {
    pub(crate) async fn open(target: &Target) -> Result<Self, Problem> {
        Self::with_buffer(target, BUFFER_BYTES).await
    }

    /// One of many: with a buffer that begins small.
    pub(crate) async fn small(target: &Target) -> Result<Self, Problem> {
        Self::with_buffer(target, SMALL_BUFFER_BYTES).await
    }

    async fn with_buffer(target: &Target, n_bytes: usize) -> Result<Self, Problem> {
        let stream = TcpStream::connect(&target.authority).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; n_bytes],
            n_read: 0,
            joined: Vec::new(),
        })
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, Problem> {
        self.stream.write_all(request).await?;
        self.n_read = 0;
        let head_end = self.read_head().await?;
        let status = status(&self.buffer)?;
        let body = match length(&self.buffer[..head_end])? {
            Length::Bytes(n_bytes) => {
                self.read_until(head_end + n_bytes).await?;
                &self.buffer[head_end..head_end + n_bytes]
            }
            Length::Chunks => {
                self.read_chunks(head_end).await?;
                &self.joined
            }
        };
        Ok(Answer {
            status,
            head: &self.buffer[..head_end],
            body,
        })
    }

    /// Opens a legacy session on this connection; its id.
    pub(crate) async fn open_session(&mut self, target: &Target) -> Result<String, Problem> {
        let answer = self.exchange(Prepared::initialize(target).bytes()).await?;
        answer.expect_status(200)?;
        let session = answer
            .header("mcp-session-id")
            .ok_or("initialize was answered without a session id")?
            .to_owned();
        let initialized = Prepared::initialized(target, &session);
        self.exchange(initialized.bytes())
            .await?
            .expect_status(202)?;
        Ok(session)
    }

    /// Reads until the blank line that ends the head; where the body begins.
    async fn read_head(&mut self) -> Result<usize, Problem> {
        loop {
            self.read_more().await?;
            if let Some(at) = memmem::find(&self.buffer[..self.n_read], b"\r\n\r\n") {
                return Ok(at + 4);
            }
        }
    }

    async fn read_until(&mut self, end: usize) -> Result<(), Problem> {
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        while self.n_read < end {
            self.read_more().await?;
        }
        Ok(())
    }

    async fn read_chunks(&mut self, mut at: usize) -> Result<(), Problem> {
        self.joined.clear();
        loop {
            let chunk = self.read_chunk(at).await?;
            at = chunk.end + 2;
            if chunk.is_empty() {
                return Ok(());
            }
            self.joined.extend_from_slice(&self.buffer[chunk]);
        }
    }

    /// The next chunk's place in the buffer, once it is there with its line end.
    async fn read_chunk(&mut self, at: usize) -> Result<Range<usize>, Problem> {
        let line_end = loop {
            match memmem::find(&self.buffer[at..self.n_read], b"\r\n") {
                Some(found) => break at + found,
                None => self.read_more().await?,
            }
        };
        let size = std::str::from_utf8(&self.buffer[at..line_end])?;
        let start = line_end + 2;
        let end = start + usize::from_str_radix(size, 16)?;
        self.read_until(end + 2).await?;
        Ok(start..end)
    }

    async fn read_more(&mut self) -> Result<(), Problem> {
        if self.n_read == self.buffer.len() {
            self.buffer.resize(self.n_read * 2, 0);
        }
        let n_bytes = self.stream.read(&mut self.buffer[self.n_read..]).await?;
        if n_bytes == 0 {
            return Err("the server closed the connection".into());
        }
        self.n_read += n_bytes;
        Ok(())
    }
}

impl Answer<'_> {
    /// The value of a header; `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = std::str::from_utf8(self.head).ok()?;
        head.split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    pub(crate) fn expect_status(&self, status: u16) -> Result<(), Problem> {
        if self.status == status {
            return Ok(());
        }
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(500)]);
        Err(format!("expected status {status}, got {}: {body}", self.status).into())
    }
}

fn status(head: &[u8]) -> Result<u16, Problem> {
    let digits = head
        .strip_prefix(b"HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    Ok(std::str::from_utf8(digits.ok_or("not an HTTP/1.1 answer")?)?.parse()?)
}

fn length(head: &[u8]) -> Result<Length, Problem> {
    let head = std::str::from_utf8(head)?;
    for line in head.split("\r\n").skip(1) {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            return Ok(Length::Bytes(value.trim().parse()?));
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Ok(Length::Chunks);
        }
    }
    // A 202 or 204 has no body to measure.
    Ok(Length::Bytes(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the link makes of an answer that arrives in the given pieces.
    async fn check(pieces: &'static [&'static str], body: &str) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let target: Target = format!("http://127.0.0.1:{port}/mcp")
            .parse()
            .expect("a URL");
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("the link connects");
            stream.read_exact(&mut [0]).await.expect("the link sends");
            for piece in pieces {
                stream
                    .write_all(piece.as_bytes())
                    .await
                    .expect("the link reads");
                stream.flush().await.expect("the link reads");
                tokio::task::yield_now().await;
            }
        };
        let client = async {
            let mut link = Link::open(&target).await.expect("the server listens");
            let answer = link.exchange(b"x").await.expect("a whole answer");
            assert_eq!(answer.status, 200);
            assert_eq!(String::from_utf8_lossy(answer.body), body);
        };
        tokio::join!(server, client);
    }

    #[tokio::test]
    async fn answers_are_read_whole_however_they_are_framed() {
        check(
            &["HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r", "\nab", "cd"],
            "abcd",
        )
        .await;
        check(
            &[
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3",
                "\r\nabc\r\n1\r\n",
                "d\r\n0\r\n\r\n",
            ],
            "abcd",
        )
        .await;
        check(&["HTTP/1.1 200 OK\r\n\r\n"], "").await;
    }
}
