//! A dagstack plugin that is reached over HTTP: its address, and what is shown there as a credential.

use crate::manifest::import::carry::Carry;

const KNOWN: [&str; 9] = [
    "url",
    "endpoint",
    "auth",
    "auth_header",
    "auth_secret_env",
    "headers",
    "timeout_sec",
    "tls_ca_bundle",
    "tls_verify",
];

/// Carries the section of `mcp_http`; false when there is no address.
pub(crate) fn url(carry: &mut Carry<'_>, wanted: bool) -> bool {
    let spellings: [&[&str]; 4] = [
        &["mcp_http", "url"],
        &["mcp_http", "endpoint"],
        &["endpoint"],
        &["url"],
    ];
    let found = carry.first(&spellings);
    match (found, wanted) {
        (None, false) => return false,
        (None, true) => {
            carry.problem(
                &["runtime"],
                "the runtime `mcp_http` needs an address",
                Some("write `url` in `[mcp_http]`, or `endpoint`"),
            );
            return false;
        }
        // A section for another day is nothing wrong; an address at the top is for a runtime that is not there.
        (Some([_, _]), false) => return false,
        (Some(at), false) => {
            let message = "an address is for the runtime `mcp_http`, which is not named";
            carry.problem(
                at,
                message,
                Some("name it in `runtime`, or take the address out"),
            );
            return false;
        }
        (Some(at), true) => {
            let Some(url) = carry.text(at) else {
                return false;
            };
            carry.put_text(&["mcp_http", "url"], url, at);
        }
    }
    auth_table(carry);
    auth_header(carry);
    headers(carry);
    call_timeout(carry);
    tls(carry);
    carry.note_unknown(&["mcp_http"], &KNOWN);
    true
}

/// `auth = { type = "bearer", token_env = "TOKEN" }`, or with the `token` itself.
fn auth_table(carry: &mut Carry<'_>) {
    let Some(at) = carry.first(&[&["mcp_http", "auth"], &["auth"]]) else {
        return;
    };
    if carry.table(at).is_none() {
        return;
    }
    let below = |key| -> Vec<&str> { at.iter().copied().chain([key]).collect() };
    match carry.text(&below("type")) {
        None | Some("bearer") => {}
        Some("none") => return,
        Some(other) => {
            let message =
                format!("callers cannot show themselves by `{other}` here: nothing is sent");
            let mend = "write what is needed as `headers` of `[mcp_http]`";
            return carry.note(&below("type"), message, Some(mend));
        }
    }
    let native = ["mcp_http", "bearer_token"];
    if let Some(variable) = carry.text(&below("token_env")) {
        carry.put_text(&native, format!("${{{variable}}}"), &below("token_env"));
    } else if let Some(token) = carry.text(&below("token")) {
        let place = below("token");
        carry.put_text(&native, token, &place);
        carry.secret(&place);
        if !token.contains("${") {
            let message = "the token itself stands in the manifest";
            carry.note(
                &place,
                message,
                Some("put it into a variable: `bearer_token = \"${NAME}\"`"),
            );
        }
    } else {
        let message = "neither `token_env` nor `token` is there: nothing is sent";
        carry.note(at, message, None);
    }
}

/// `auth_header` with the name of the variable in `auth_secret_env`.
fn auth_header(carry: &mut Carry<'_>) {
    let (header, variable) = (["mcp_http", "auth_header"], ["mcp_http", "auth_secret_env"]);
    let Some(name) = carry.text(&variable) else {
        if carry.text(&header).is_some() {
            let message = "there is no `auth_secret_env` for this header: nothing is sent";
            carry.note(&header, message, None);
        }
        return;
    };
    let value = format!("${{{name}}}");
    match carry.text(&header) {
        Some(header_name) => {
            carry.put_text(&["mcp_http", "headers", header_name], value, &variable);
        }
        None => carry.put_text(&["mcp_http", "bearer_token"], value, &variable),
    }
}

fn headers(carry: &mut Carry<'_>) {
    let Some(table) = carry.table(&["mcp_http", "headers"]) else {
        return;
    };
    for name in table.keys() {
        let at = ["mcp_http", "headers", name.as_str()];
        if let Some(text) = carry.text(&at) {
            carry.put_text(&at, text, &at);
            carry.secret(&at);
        }
    }
}

/// The longest call is made longer along with it where it must.
fn call_timeout(carry: &mut Carry<'_>) {
    const LONGEST_BY_DEFAULT_MS: u64 = 900_000;
    let Some(at) = carry.first(&[&["mcp_http", "timeout_sec"], &["timeout_sec"]]) else {
        return;
    };
    if let Some(ms) = carry.seconds(at) {
        carry.put_number(&["limits", "call_timeout_ms"], ms, at);
        if ms > LONGEST_BY_DEFAULT_MS {
            carry.put_number(&["limits", "max_call_ms"], ms, at);
        }
    }
}

fn tls(carry: &mut Carry<'_>) {
    if carry.flag(&["mcp_http", "tls_verify"]) == Some(false) {
        let message = "certificates are always checked here";
        let mend = "let the machine trust the server's certificate";
        carry.note(&["mcp_http", "tls_verify"], message, Some(mend));
    }
    if carry.has(&["mcp_http", "tls_ca_bundle"]) {
        let message = "the certificates that are trusted are those of the machine";
        let mend = "add the bundle to them, or start toolgate with `SSL_CERT_FILE`";
        carry.note(&["mcp_http", "tls_ca_bundle"], message, Some(mend));
    }
}
