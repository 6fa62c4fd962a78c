//! The files of a plugin. They are opened beneath its folder, by a capability of that directory: no name and no link
//! leads out of it.

use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION,
};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::front::admin::answer::refused as fault;
use crate::front::ext::answer::{not_allowed, nothing};
use crate::front::ext::path::parts;
use crate::front::http::HttpFront;
use crate::front::http::body::Body;
use crate::manifest::Grant;
use crate::manifest::host::StaticFiles;
use crate::model::fault::Fault;
use crate::registry::plugin::Plugin;
use crate::wire::hex::hex;

/// The most bytes of one file.
const MAX_BYTES: u64 = 8 << 20;

/// How many files are read at the same time.
static READS: Semaphore = Semaphore::const_new(16);

/// What was found under a path.
enum Found {
    File(Bytes),
    /// A directory that was named without its slash.
    Directory,
    Nothing,
    TooLarge,
}

/// Where the files are.
enum Place {
    Folder(PathBuf),
    Embedded(&'static include_dir::Dir<'static>),
}

/// Whether callers without a credential get the files of the plugin.
pub(super) fn are_public(plugin: &Plugin) -> bool {
    let files = plugin.manifest.static_files.as_ref();
    plugin.may(Grant::Static) && files.is_some_and(|files| files.public)
}

/// Sends the file that `rest` means.
pub(super) async fn answer(
    front: &HttpFront,
    plugin: &Plugin,
    request: &Parts,
    rest: &str,
) -> Response<Body> {
    let Some(files) = plugin.manifest.static_files.clone() else {
        return nothing(None);
    };
    if request.method != Method::GET && request.method != Method::HEAD {
        return not_allowed(&["GET", "HEAD"]);
    }
    let Some(parts) = parts(rest) else {
        return nothing(None);
    };
    let place = match place(front, plugin).await {
        Ok(Some(place)) => place,
        Ok(None) => return nothing(None),
        Err(failed) => return fault(&failed),
    };
    let path = file_path(&parts, &files.index);
    let kind = media_type(&path);
    let found = {
        // Nobody closes it.
        let _read = READS.acquire().await;
        let read = move || place.read(&files, &path);
        tokio::task::spawn_blocking(read).await
    };
    match found {
        Ok(Found::File(bytes)) => file(bytes, &kind, &request.headers),
        Ok(Found::Directory) => moved(request.uri.path()),
        Ok(Found::TooLarge) => {
            let why = format!("the file is larger than {MAX_BYTES} bytes");
            nothing(Some(&why))
        }
        Ok(Found::Nothing) | Err(_) => nothing(None),
    }
}

/// Where the files of the plugin are: in its folder, or in the program, where only the plugin itself can say it.
async fn place(front: &HttpFront, plugin: &Plugin) -> Result<Option<Place>, Fault> {
    if let Some(folder) = plugin.source.folder() {
        return Ok(Some(Place::Folder(folder.to_path_buf())));
    }
    let mut instance = plugin.pool.any_instance();
    if instance.is_none() {
        front.desk.dispatcher.wake_up(plugin).await?;
        instance = plugin.pool.any_instance();
    }
    let files = instance.and_then(|instance| instance.files());
    Ok(files.map(Place::Embedded))
}

/// The path below the directory; a directory stands for its index.
fn file_path(parts: &[String], index: &str) -> PathBuf {
    let mut path: PathBuf = parts.iter().collect();
    if parts.last().is_none_or(String::is_empty) {
        path = parts.iter().filter(|part| !part.is_empty()).collect();
        path.push(index);
    }
    path
}

impl Place {
    fn read(&self, files: &StaticFiles, path: &Path) -> Found {
        match self {
            Self::Folder(folder) => read_beneath(folder, &files.dir, path),
            Self::Embedded(root) => {
                let is_root = files.dir.components().all(|part| part.as_os_str() == ".");
                let whole = match is_root {
                    true => path.to_path_buf(),
                    false => files.dir.join(path),
                };
                match (root.get_file(&whole), root.get_dir(&whole)) {
                    (Some(file), _) => Found::File(Bytes::from_static(file.contents())),
                    (None, Some(_)) => Found::Directory,
                    (None, None) => Found::Nothing,
                }
            }
        }
    }
}

/// Reads a file beneath `folder/dir`. Blocks.
fn read_beneath(folder: &Path, dir: &Path, path: &Path) -> Found {
    let root = Dir::open_ambient_dir(folder, ambient_authority()).and_then(|at| at.open_dir(dir));
    let Ok(root) = root else {
        return Found::Nothing;
    };
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt;

        // Of a pipe nobody may have the other end.
        let flags = rustix::fs::OFlags::NONBLOCK.bits();
        options.custom_flags(i32::try_from(flags).unwrap_or_default());
    }
    let Ok(file) = root.open_with(path, &options) else {
        return Found::Nothing;
    };
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => return Found::Directory,
        Ok(metadata) if metadata.is_file() && metadata.len() <= MAX_BYTES => {}
        Ok(metadata) if metadata.is_file() => return Found::TooLarge,
        Ok(_) | Err(_) => return Found::Nothing,
    }
    let mut bytes = Vec::new();
    // It may grow meanwhile.
    match file.take(MAX_BYTES + 1).read_to_end(&mut bytes) {
        Ok(read) if read as u64 <= MAX_BYTES => Found::File(bytes.into()),
        Ok(_) => Found::TooLarge,
        Err(_) => Found::Nothing,
    }
}

fn file(bytes: Bytes, kind: &str, asked: &HeaderMap) -> Response<Body> {
    let tag = format!("\"{}\"", digest(&bytes));
    let mut response = Response::new(Body::of(bytes));
    if has(asked, &tag) {
        response = Response::new(Body::of(Bytes::new()));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    for (name, value) in [(ETAG, tag.as_str()), (CONTENT_TYPE, kind)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    // Kept by browsers, and asked for again each time: what a plugin serves may be exchanged at any moment.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The first half of the SHA-256 of the contents.
fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..16])
}

/// Whether the client has it already (RFC 9110 section 13.1.2).
fn has(asked: &HeaderMap, tag: &str) -> bool {
    let mut known = asked.get_all(IF_NONE_MATCH).iter();
    known.any(|known| {
        let known = known.to_str().unwrap_or_default().split(',');
        let mut known = known.map(|known| known.trim().trim_start_matches("W/"));
        known.any(|known| known == tag || known == "*")
    })
}

fn moved(path: &str) -> Response<Body> {
    let mut response = Response::new(Body::of(Bytes::new()));
    if let Ok(place) = HeaderValue::from_str(&format!("{path}/")) {
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

fn media_type(path: &Path) -> String {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let essence = kind.essence_str();
    let is_text = kind.type_() == mime_guess::mime::TEXT
        || matches!(
            essence,
            "application/json" | "application/javascript" | "image/svg+xml"
        );
    match is_text {
        true => format!("{essence}; charset=utf-8"),
        false => essence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn nothing_leads_out_of_the_directory() {
        use std::os::unix::fs::symlink;

        let temp = tempfile::tempdir().expect("a directory");
        let at = |name: &str| temp.path().join(name);
        std::fs::create_dir_all(at("plugin/static/sub")).expect("it can be made");
        for (name, text) in [
            ("secret", "out"),
            ("plugin/plugin.toml", "near"),
            ("plugin/static/a.txt", "in"),
            ("plugin/static/sub/index.html", "index"),
        ] {
            std::fs::write(at(name), text).expect("it can be written");
        }
        for (name, target) in [
            ("out", "../../secret"),
            ("near", "../plugin.toml"),
            ("in", "a.txt"),
        ] {
            symlink(target, at("plugin/static").join(name)).expect("a link");
        }
        symlink(temp.path(), at("plugin/static/away")).expect("a link");
        let read = |path: &str| {
            let found = read_beneath(&at("plugin"), Path::new("static"), Path::new(path));
            match found {
                Found::File(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Found::Directory => "directory".to_owned(),
                Found::Nothing => "nothing".to_owned(),
                Found::TooLarge => "too large".to_owned(),
            }
        };
        assert_eq!(
            (read("a.txt"), read("in"), read("sub")),
            ("in".into(), "in".into(), "directory".into())
        );
        for path in [
            "out",
            "near",
            "away/secret",
            "../plugin.toml",
            "/etc/hostname",
            "none",
        ] {
            assert_eq!(read(path), "nothing", "{path}");
        }
    }

    #[test]
    fn types_are_those_of_the_names() {
        let check = |name: &str, expect: &str| assert_eq!(media_type(Path::new(name)), expect);
        check("a/style.css", "text/css; charset=utf-8");
        check("index.html", "text/html; charset=utf-8");
        check("app.js", "text/javascript; charset=utf-8");
        check("x.svg", "image/svg+xml; charset=utf-8");
        check("x.png", "image/png");
        check("x", "application/octet-stream");
    }
}
