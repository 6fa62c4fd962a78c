//! Files and templates of plugins.

use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use crate::ext::get;
use crate::support::{Request, Site, TestGateway};
use crate::tokens::{ANN, token};

const MANIFEST: &str = r#"
id = "site"
version = "1.0.0"
runtime = "in_process"
requests = ["ROUTES", "STATIC"]
[in_process]
entry = "builtin:code"
[static]
dir = "static"
"#;

/// A folder of a plugin as O20 has it, with a secret beside it and links to that.
fn folder() -> TempDir {
    let temp = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = temp.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    };
    write("secret.txt", "secret");
    write("plugins/site/plugin.toml", MANIFEST);
    write("plugins/site/static/index.html", "<h1>Index</h1>");
    write("plugins/site/static/style.css", "h1 { color: red }");
    write("plugins/site/static/sub/index.html", "<h1>Sub</h1>");
    write("plugins/site/static/.hidden", "secret");
    write("plugins/site/static/.git/config", "secret");
    write(
        "plugins/site/templates/dashboard.html",
        "<h1>{{ title }}</h1>{% for item in items %}<i>{{ item }}</i>{% endfor %}",
    );
    let at = |name: &str| temp.path().join("plugins/site/static").join(name);
    symlink("../../../secret.txt", at("link")).expect("a link");
    symlink(temp.path(), at("away")).expect("a link");
    symlink("../plugin.toml", at("near")).expect("a link");
    temp
}

async fn gateway(folder: &Path, more: &str) -> TestGateway {
    let dir = folder.join("plugins");
    let config = format!(
        "plugin_dirs = [\"{}\"]\n{more}\n[plugins.code]\nenabled = false\n[plugins.site]\ngrants = [\"ROUTES\", \"STATIC\"]\n",
        dir.display()
    );
    TestGateway::builder()
        .config(&config)
        .plugin("code", Site::new())
        .build()
        .await
}

/// O8: files of the directory, the index at `/`; browsers need not fetch what they have.
#[tokio::test]
async fn files_are_served() {
    let folder = folder();
    let gateway = gateway(folder.path(), "").await;
    let style = get(&gateway, "/ext/site/style.css").await;
    assert_eq!(
        (style.status, style.text().as_str()),
        (200, "h1 { color: red }")
    );
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(style.header("x-content-type-options"), "nosniff");
    assert_eq!(style.header("x-frame-options"), "DENY");
    assert_eq!(style.header("referrer-policy"), "no-referrer");
    let tag = style.header("etag").to_owned();
    let again = Request::new("GET", "/ext/site/style.css").header("if-none-match", &tag);
    let again = gateway.send(&again).await;
    assert_eq!((again.status, again.text().as_str()), (304, ""));
    let mut connection = gateway.connect().await;
    let head = connection
        .begin(&Request::new("HEAD", "/ext/site/style.css"))
        .await;
    assert_eq!((head.status, head.header("content-length")), (200, "17"));
    for (path, text) in [("/ext/site/", "Index"), ("/ext/site/sub/", "Sub")] {
        let answer = get(&gateway, path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().contains(text), "{path}: {}", answer.text());
    }
    for (path, place) in [
        ("/ext/site", "/ext/site/"),
        ("/ext/site/sub", "/ext/site/sub/"),
    ] {
        let answer = get(&gateway, path).await;
        assert_eq!((answer.status, answer.header("location")), (308, place));
    }
    let post = gateway
        .send(&Request::new("POST", "/ext/site/style.css"))
        .await;
    assert_eq!(post.status, 405, "{}", post.text());
    gateway.finish().await;
}

/// S29, O8: nothing leads out of the directory, whatever is sent as a path.
#[tokio::test]
async fn no_path_leads_out_of_the_directory() {
    let folder = folder();
    let gateway = gateway(folder.path(), "").await;
    for path in [
        "..%2f..%2f..%2fsecret.txt",
        "%2e%2e/%2e%2e/%2e%2e/secret.txt",
        "../../../secret.txt",
        "..\\..\\..\\secret.txt",
        "..%5c..%5c..%5csecret.txt",
        "sub/../../plugin.toml",
        "sub/..%2f..%2fplugin.toml",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "//etc/passwd",
        "style.css%00.html",
        "link",
        "near",
        "away/secret.txt",
        ".hidden",
        "%2ehidden",
        ".git/config",
        "sub/%2e%2e/style.css",
        "./style.css",
        "....//style.css",
        "style.css/",
        "style.css/..",
        "c:/secret.txt",
        "%c0%ae%c0%ae/secret.txt",
    ] {
        let answer = get(&gateway, &format!("/ext/site/{path}")).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert!(!answer.text().contains("secret\n"), "{path}");
    }
    for id in ["..%2fsite", "%2e%2e", "si%74e", ".."] {
        let answer = get(&gateway, &format!("/ext/{id}/style.css")).await;
        assert_eq!(answer.status, 404, "{id}");
    }
    gateway.finish().await;
}

/// O20: a page from the plugin's templates, what is put in escaped.
#[tokio::test]
async fn pages_are_made_of_templates() {
    let folder = folder();
    let gateway = gateway(folder.path(), "").await;
    let page = get(&gateway, "/ext/site/page/dashboard.html").await;
    assert_eq!(page.text(), "<h1>&lt;Title&gt;</h1><i>one</i><i>two</i>");
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let none = get(&gateway, "/ext/site/page/none.html").await;
    assert!(none.text().contains("none.html"), "{}", none.text());
    gateway.finish().await;
}

/// O8, O22: files need the scope as routes do, unless they are for everyone.
#[tokio::test]
async fn files_are_for_those_with_the_scope_or_for_everyone() {
    let folder = folder();
    let tokens = token("ann", ANN, "");
    let guarded = gateway(folder.path(), &tokens).await;
    assert_eq!(get(&guarded, "/ext/site/style.css").await.status, 401);
    let ann = Request::new("GET", "/ext/site/style.css").token(ANN);
    let refused = guarded.send(&ann).await;
    assert_eq!(
        refused.text(),
        r#"{"detail":"missing scope ext:site:routes"}"#
    );
    guarded.finish().await;

    let manifest = format!("{MANIFEST}public = true\n");
    std::fs::write(folder.path().join("plugins/site/plugin.toml"), manifest).expect("written");
    let open = gateway(folder.path(), &tokens).await;
    assert_eq!(get(&open, "/ext/site/style.css").await.status, 200);
    assert_eq!(get(&open, "/ext/site/").await.status, 200);
    assert_eq!(open.send(&ann).await.status, 200);
    assert_eq!(get(&open, "/ext/site/link").await.status, 404);
    // Its routes are not.
    assert_eq!(get(&open, "/ext/site/greet").await.status, 404);
    open.finish().await;
}

/// Whoever opens the gateway's address in a browser sees the page for operators; programs are told what there is.
#[tokio::test]
async fn a_browser_is_shown_the_page() {
    let root = |accept: &str| Request::new("GET", "/").header("accept", accept);
    let with_page = format!(
        "{}\n[plugins.webui]\nenabled = true\n",
        token("ann", ANN, "")
    );
    let gateway = TestGateway::builder().config(&with_page).build().await;
    let answer = gateway.send(&root("text/html,*/*;q=0.8")).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/ext/webui/")
    );
    assert_eq!(gateway.send(&root("*/*")).await.status, 404);
    assert_eq!(get(&gateway, "/ext/webui/").await.status, 200);
    gateway.finish().await;
    let gateway = TestGateway::plain().await;
    assert_eq!(gateway.send(&root("text/html")).await.status, 404);
    gateway.finish().await;
}

/// S36: a page of a plugin that did not come along shares nothing with the page for operators.
#[tokio::test]
async fn pages_of_other_plugins_have_an_origin_of_their_own() {
    let folder = folder();
    let with_page = "[plugins.webui]\nenabled = true";
    let gateway = gateway(folder.path(), with_page).await;
    for (path, apart) in [("/ext/site/", true), ("/ext/webui/", false)] {
        let answer = get(&gateway, path).await;
        assert_eq!(answer.status, 200, "{path}");
        let policies = answer.headers.get_all("content-security-policy");
        let policies: Vec<&str> = policies
            .iter()
            .map(|policy| policy.to_str().expect("a text"))
            .collect();
        let is = |start: &str| policies.iter().any(|policy| policy.starts_with(start));
        assert!(is("default-src 'self'"), "{path} {policies:?}");
        assert_eq!(is("sandbox "), apart, "{path} {policies:?}");
    }
    gateway.finish().await;
}
