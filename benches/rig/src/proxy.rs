//! The minimal reverse proxy: hyper on both sides, a keep-alive pool, headers and bodies passed as they are.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::Problem;
use crate::args::Args;
use crate::serve::Place;

struct Proxy {
    client: Client<HttpConnector, Incoming>,
    to: Uri,
    host: HeaderValue,
}

pub(crate) fn run(mut args: Args) -> Result<(), Problem> {
    let place = Place::from_args(&mut args)?;
    let to: Uri = args.need("to")?;
    args.done()?;
    let host = to.authority().ok_or("--to needs a host")?.as_str();
    let host = HeaderValue::from_str(host)?;
    let runtime = place.runtime()?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let proxy = Arc::new(Proxy { client, to, host });
    runtime.block_on(place.serve(proxy, handle))
}

async fn handle(
    proxy: Arc<Proxy>,
    mut request: Request<Incoming>,
) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
    *request.uri_mut() = proxy.to.clone();
    request.headers_mut().insert(HOST, proxy.host.clone());
    proxy.client.request(request).await
}
