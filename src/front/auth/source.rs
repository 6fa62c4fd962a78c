//! Where the keys of an authorization server come from, and how they are kept fresh. Keys are fetched by one task; a
//! request may ask for new ones, and waits for them within a bound.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Uri};
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::background::Supervisor;
use crate::front::auth::Standing;
use crate::front::auth::keys::{Keys, accepted};
use crate::front::config::JwtConfig;
use crate::plugin::HttpClient;
use crate::runtime::mcp_http::outbound;

/// How long one fetch may take, discovery included.
const FETCH: Duration = Duration::from_secs(10);

/// How long a request waits for keys.
const WAIT: Duration = Duration::from_secs(3);

/// How often requests may have the keys fetched again, for a key that is not known.
const AGAIN: Duration = Duration::from_secs(30);

/// After how long a fetch that failed is tried again: at first, and at the most.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// The most bytes of a key set or of metadata.
const MAX_BYTES: usize = 256 << 10;

/// The keys of one authorization server.
pub(super) struct Source {
    place: Place,
    issuer: String,
    accepted: Vec<Algorithm>,
    /// Keys that are not fetched, such as a shared secret.
    fixed: Option<Fixed>,
    refresh: Duration,
    http: Option<HttpClient>,
    known: watch::Sender<Known>,
    /// Counts how often the keys have become others.
    generation: AtomicU64,
    /// When the keys were last fetched, or are.
    last: Mutex<Option<Instant>>,
    asked: Notify,
}

/// Keys in the configuration itself.
#[derive(Clone)]
struct Fixed {
    secret: Option<Vec<u8>>,
    keys: Vec<Value>,
}

/// Where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Nowhere else.
    Here,
    File(PathBuf),
    Url(String),
    /// Where the issuer's metadata says.
    Metadata,
}

#[derive(Default)]
struct Known {
    keys: Option<Arc<Keys>>,
    /// The text they were read from.
    text: Bytes,
    /// How often they were fetched, in vain or not.
    attempts: u64,
    trouble: Option<String>,
}

/// What we need of the metadata of an authorization server (RFC 8414 section 2).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Option<String>,
}

impl Source {
    pub(super) fn new(config: &JwtConfig) -> Arc<Self> {
        let place = Place::of(config);
        let is_remote = matches!(place, Place::Url(_) | Place::Metadata);
        let http = is_remote.then(|| outbound(env!("CARGO_PKG_VERSION")));
        Self::with(config, place, http)
    }

    fn with(config: &JwtConfig, place: Place, http: Option<HttpClient>) -> Arc<Self> {
        let source = Self {
            issuer: config.issuer.clone(),
            accepted: accepted(config),
            fixed: Fixed::of(config),
            refresh: Duration::from_secs(config.refresh_s),
            http,
            known: watch::Sender::new(Known::default()),
            generation: AtomicU64::new(0),
            last: Mutex::new(None),
            asked: Notify::new(),
            place,
        };
        if source.place == Place::Here {
            source.take_in(Ok(Bytes::new()));
        }
        Arc::new(source)
    }

    /// Fetches the keys now and again, in a task of its own, where they are fetched at all.
    pub(super) fn keep(self: &Arc<Self>, supervisor: &Supervisor) {
        if self.place == Place::Here {
            return;
        }
        let source = Arc::clone(self);
        supervisor.spawn("keys of the authorization server", |stop| async move {
            tokio::select! {
                () = source.keep_fetching() => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Counts how often the keys have become others.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn standing(&self) -> Standing {
        let known = self.known.borrow();
        Standing {
            has_keys: known.keys.is_some(),
            trouble: known.trouble.clone(),
        }
    }

    /// The keys, with their generation. Where none of them fits it waits for new ones, if some may be on their way; `None`
    /// when there are none at all.
    pub(super) async fn keys_with(&self, fits: impl Fn(&Keys) -> bool) -> Option<(Arc<Keys>, u64)> {
        let mut known = self.known.subscribe();
        let (is_there, attempts) = {
            let known = known.borrow();
            let keys = known.keys.as_ref();
            (keys.map(|keys| fits(keys)), known.attempts)
        };
        let may_come = match is_there {
            Some(true) => false,
            Some(false) => self.ask_again(),
            // After the first attempt nobody waits for what does not come.
            None => attempts == 0 && self.place != Place::Here,
        };
        if may_come {
            let came = known.wait_for(|known| known.attempts != attempts);
            tokio::time::timeout(WAIT, came).await.ok();
        }
        let generation = self.generation();
        let keys = self.known.borrow().keys.clone();
        Some((keys?, generation))
    }

    /// Has the keys fetched again, unless that was done a moment ago; whether they are being fetched for us.
    fn ask_again(&self) -> bool {
        if self.place == Place::Here {
            return false;
        }
        let mut last = self.last.lock().expect("no holder of this lock panics");
        if last.is_some_and(|last| last.elapsed() < AGAIN) {
            return false;
        }
        *last = Some(Instant::now());
        self.asked.notify_one();
        true
    }

    async fn keep_fetching(&self) {
        let mut retry = RETRY[0];
        loop {
            let pause = match self.fetch().await {
                true => {
                    retry = RETRY[0];
                    self.refresh
                }
                false => {
                    let pause = retry;
                    retry = (retry * 2).min(RETRY[1]);
                    pause
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.asked.notified() => {}
            }
        }
    }

    /// Fetches the keys; whether that went well.
    pub(super) async fn fetch(&self) -> bool {
        *self.last.lock().expect("no holder of this lock panics") = Some(Instant::now());
        let read = tokio::time::timeout(FETCH, self.read()).await;
        let too_late = || Err(format!("they did not come within {} s", FETCH.as_secs()));
        self.take_in(read.unwrap_or_else(|_| too_late()))
    }

    /// Takes in what was read; whether it was well. What cannot be read leaves the keys as they are.
    fn take_in(&self, read: Result<Bytes, String>) -> bool {
        let is_same = |text: &Bytes| {
            let known = self.known.borrow();
            known.keys.is_some() && known.text == *text
        };
        let keys = match read {
            Ok(text) if is_same(&text) => Ok(None),
            Ok(text) => self.keys_of(&text).map(|keys| Some((keys, text))),
            Err(why) => Err(why),
        };
        let trouble = keys.as_ref().err().cloned();
        if let Some(why) = &trouble {
            tracing::warn!("The keys of the authorization server cannot be had: {why}");
        }
        self.known.send_modify(|known| {
            known.attempts += 1;
            known.trouble.clone_from(&trouble);
            if let Ok(Some((keys, text))) = keys {
                known.keys = Some(Arc::new(keys));
                known.text = text;
                self.generation.fetch_add(1, Ordering::AcqRel);
            }
        });
        trouble.is_none()
    }

    /// All keys: those in the text of a set, if there is one, and those in the configuration.
    fn keys_of(&self, text: &Bytes) -> Result<Keys, String> {
        let fixed = self.fixed.as_ref();
        let fixed = fixed.map(|fixed| fixed.keys(&self.accepted)).transpose()?;
        let fetched = match self.place == Place::Here {
            true => None,
            false => Some(Keys::read(text, &self.accepted)?),
        };
        match (fetched, fixed) {
            (Some(fetched), Some(fixed)) => Ok(fetched.and(fixed)),
            (Some(keys), None) | (None, Some(keys)) => Ok(keys),
            (None, None) => Err("there are none".to_owned()),
        }
    }

    async fn read(&self) -> Result<Bytes, String> {
        match &self.place {
            Place::Here => Ok(Bytes::new()),
            Place::File(file) => read_file(file).await,
            Place::Url(url) => self.get(url).await,
            Place::Metadata => self.get(&self.discover().await?).await,
        }
    }

    /// Asks the issuer where its keys are (RFC 8414 section 3, OpenID Connect Discovery section 4).
    async fn discover(&self) -> Result<String, String> {
        let mut last = String::new();
        for url in metadata_urls(&self.issuer)? {
            let text = match self.get(&url).await {
                Ok(text) => text,
                Err(why) => {
                    last = why;
                    continue;
                }
            };
            let metadata: Metadata = serde_json::from_slice(&text)
                .map_err(|_| format!("what is at `{url}` is no metadata"))?;
            if metadata.issuer != self.issuer {
                return Err(format!(
                    "what is at `{url}` is the metadata of another issuer"
                ));
            }
            let keys = metadata.jwks_uri;
            let keys = keys.ok_or_else(|| format!("what is at `{url}` names no `jwks_uri`"))?;
            return match is_safe(&keys) {
                true => Ok(keys),
                false => Err(format!(
                    "the `jwks_uri` at `{url}` is not an `https://` URL"
                )),
            };
        }
        Err(last)
    }

    async fn get(&self, url: &str) -> Result<Bytes, String> {
        let http = self.http.as_ref().ok_or("there is no client for it")?;
        let answer = http.get(url).await.map_err(|fault| fault.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(format!("`{url}` answered {}", answer.status().as_u16()));
        }
        let body = answer.into_body();
        match body.len() <= MAX_BYTES {
            true => Ok(body),
            false => Err(format!(
                "what is at `{url}` is larger than {MAX_BYTES} bytes"
            )),
        }
    }
}

impl Place {
    fn of(config: &JwtConfig) -> Self {
        let has_own = !config.keys.is_empty() || config.secret.is_some();
        match &config.jwks {
            Some(url) if url.contains("://") => Self::Url(url.clone()),
            Some(file) => Self::File(file.into()),
            None if has_own => Self::Here,
            None => Self::Metadata,
        }
    }
}

impl Fixed {
    fn of(config: &JwtConfig) -> Option<Self> {
        let secret = config.secret.as_ref();
        let fixed = Self {
            secret: secret.map(|secret| secret.expose().as_bytes().to_vec()),
            keys: config.keys.iter().cloned().map(Value::Object).collect(),
        };
        (fixed.secret.is_some() || !fixed.keys.is_empty()).then_some(fixed)
    }

    fn keys(&self, accepted: &[Algorithm]) -> Result<Keys, String> {
        let secret = self.secret.as_ref();
        let secret = secret.map(|secret| Keys::shared(secret, accepted));
        let public = match self.keys.is_empty() {
            true => None,
            false => Some(Keys::of(self.keys.iter().cloned(), accepted)?),
        };
        match (secret, public) {
            (Some(secret), Some(public)) => Ok(secret.and(public)),
            (Some(keys), None) | (None, Some(keys)) => Ok(keys),
            (None, None) => Err("there are none".to_owned()),
        }
    }
}

/// Reads the keys that are on this machine, for who checks the configuration.
pub(super) fn check(config: &JwtConfig) -> Result<(), String> {
    let accepted = accepted(config);
    if let Some(fixed) = Fixed::of(config) {
        fixed.keys(&accepted)?;
    }
    if let Place::File(file) = Place::of(config) {
        let text = std::fs::read(&file);
        let text = text.map_err(|err| format!("`{}` cannot be read: {err}", file.display()))?;
        Keys::read(&text, &accepted)?;
    }
    Ok(())
}

async fn read_file(file: &Path) -> Result<Bytes, String> {
    let failed = |err: std::io::Error| format!("`{}` cannot be read: {err}", file.display());
    let open = tokio::fs::File::open(file).await.map_err(failed)?;
    let mut text = Vec::new();
    let mut open = open.take(MAX_BYTES as u64 + 1);
    open.read_to_end(&mut text).await.map_err(failed)?;
    match text.len() <= MAX_BYTES {
        true => Ok(text.into()),
        false => Err(format!(
            "`{}` is larger than {MAX_BYTES} bytes",
            file.display()
        )),
    }
}

/// Where the metadata of an issuer may be.
fn metadata_urls(issuer: &str) -> Result<Vec<String>, String> {
    let uri: Uri = issuer
        .parse()
        .map_err(|_| format!("the issuer `{issuer}` is not a URL"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(format!("the issuer `{issuer}` is not a URL"));
    };
    let path = uri.path().trim_end_matches('/');
    let at = |name: &str, path: &str| format!("{scheme}://{authority}/.well-known/{name}{path}");
    let mut urls = vec![
        at("oauth-authorization-server", path),
        at("openid-configuration", path),
    ];
    if !path.is_empty() {
        let issuer = issuer.trim_end_matches('/');
        urls.push(format!("{issuer}/.well-known/openid-configuration"));
    }
    Ok(urls)
}

/// Whether nobody on the way can change what is fetched from there: TLS, or this machine.
pub fn is_safe(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let is_local = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_local,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
