//! The raw echo: the least an MCP server on hyper can do. Also the upstream of the gateway and of the proxy.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Request, StatusCode};

use crate::Problem;
use crate::args::Args;
use crate::echo::{Echo, Reply};
use crate::scenes;
use crate::serve::{Always, Place, bare, event_stream, json};

struct Server {
    echo: Echo,
    /// Open legacy sessions: bare table entries, the floor of what a session can cost.
    sessions: Mutex<HashSet<u64>>,
    n_opened: AtomicU64,
    /// The last id the list was asked under, and the answer: asked so again, it costs the writing of its bytes.
    list: Mutex<Option<(Box<str>, Bytes)>>,
}

pub(crate) fn run(mut args: Args) -> Result<(), Problem> {
    let place = Place::from_args(&mut args)?;
    let echo = Echo::from_args(&mut args)?;
    args.done()?;
    let server = Arc::new(Server {
        echo,
        sessions: Mutex::default(),
        n_opened: AtomicU64::new(1),
        list: Mutex::default(),
    });
    place.runtime()?.block_on(place.serve(server, handle))
}

async fn handle(server: Arc<Server>, request: Request<Incoming>) -> Always {
    if request.method() != Method::POST {
        return Ok(bare(StatusCode::METHOD_NOT_ALLOWED));
    }
    let Ok(body) = request.into_body().collect().await else {
        return Ok(bare(StatusCode::BAD_REQUEST));
    };
    Ok(match server.echo.answer(&body.to_bytes()) {
        Ok(Reply::Answer(bytes)) => json(bytes),
        Ok(Reply::List(id)) => json(server.list(id)),
        Ok(Reply::Opened(bytes)) => {
            let mut response = json(bytes);
            response
                .headers_mut()
                .insert("mcp-session-id", server.open_session());
            response
        }
        Ok(Reply::Told(messages)) => event_stream(scenes::events(&messages)),
        Ok(Reply::Nothing) => bare(StatusCode::ACCEPTED),
        Err(_) => bare(StatusCode::BAD_REQUEST),
    })
}

impl Server {
    fn open_session(&self) -> HeaderValue {
        let number = self.n_opened.fetch_add(1, Ordering::Relaxed);
        self.sessions
            .lock()
            .expect("no holder of this lock panics")
            .insert(number);
        HeaderValue::from(number)
    }

    fn list(&self, id: Box<str>) -> Bytes {
        let mut kept = self.list.lock().expect("no holder of this lock panics");
        if let Some((known, answer)) = kept.as_ref()
            && *known == id
        {
            return answer.clone();
        }
        let answer = Bytes::from(self.echo.list(&id));
        *kept = Some((id, answer.clone()));
        answer
    }
}
