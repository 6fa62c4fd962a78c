//! S18 and what else is wrong with credentials: named before anything starts.

use crate::support::Program;

async fn check(config: &str) -> (i32, String) {
    Program::run(&["check"], config).await
}

fn jwt(lines: &str) -> String {
    format!("[auth.jwt]\nissuer = \"https://as.example\"\n{lines}\n")
}

/// S18: a secret that can be guessed, or that stands in somebody's documentation, is refused; also by `serve`.
#[tokio::test]
async fn a_weak_secret_stops_the_start() {
    for secret in [
        "",
        "short",
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef",
        "change-me-change-me-change-me-change-me",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ] {
        let config = jwt(&format!("secret = \"{secret}\""));
        for arguments in [&["check"][..], &["serve", "--listen", "127.0.0.1:0"]] {
            let (code, said) = Program::run(arguments, &config).await;
            assert_eq!(code, 1, "{arguments:?} {secret}: {said}");
            assert!(
                said.contains("auth.jwt.secret") || said.contains("/auth/jwt/secret"),
                "{said}"
            );
            assert!(
                secret.len() < 6 || !said.contains(secret),
                "it is quoted: {said}"
            );
        }
    }
    let (code, said) = check(&jwt("secret = \"6e2a9b1f4c7d8053e1b6a2f9c4d7e805\"")).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn what_is_wrong_with_an_authorization_server_is_named() {
    for (config, key, words) in [
        (jwt("").replace("https:", "http:"), "issuer", "https://"),
        (jwt("jwks = \"http://keys.example/k\""), "jwks", "https://"),
        (jwt("jwks = \"nowhere.json\""), "jwks", "cannot be read"),
        (
            jwt("keys = [{ kty = \"oct\", k = \"AAAA\" }]"),
            "keys",
            "no public key",
        ),
        (jwt("algorithms = [\"none\"]"), "algorithms", "none"),
        (jwt("algorithms = []"), "algorithms", "no algorithm"),
        (jwt("algorithms = [\"HS256\"]"), "algorithms", "secret"),
        (jwt("leeway_s = 3600"), "leeway_s", "300"),
        (jwt("audience = [\"\"]"), "audience", "nobody"),
        (jwt("audiance = [\"x\"]"), "audiance", "audience"),
        (
            format!("server = {{ listen = \"0.0.0.0:1\" }}\n{}", jwt("")),
            "jwt",
            "server.public_url",
        ),
        (
            "server = { public_url = \"http://gate.example\" }".to_owned(),
            "public_url",
            "https://",
        ),
        (
            "auth = { authorization_servers = [\"x\"] }".to_owned(),
            "authorization_servers",
            "https://",
        ),
        (
            "auth = { scopes_supported = [\"a b\"] }".to_owned(),
            "scopes_supported",
            "without spaces",
        ),
    ] {
        let (code, said) = check(&config).await;
        assert_eq!(code, 1, "{config}: {said}");
        assert!(
            said.contains(key) && said.contains(words),
            "{config}: {said}"
        );
    }
    // Who listens on a network with an authorization server needs no token of the configuration.
    let open = format!(
        "server = {{ listen = \"0.0.0.0:1\", public_url = \"https://g.example\" }}\n{}",
        jwt("")
    );
    let (code, said) = check(&open).await;
    assert_eq!(code, 0, "{said}");
}

/// What `token new` prints can be put into the configuration as it is.
#[tokio::test]
async fn a_new_token_may_be_narrow() {
    let arguments = [
        "token",
        "new",
        "--name",
        "ci",
        "--scope",
        "ext:echo:tools,read",
        "--plugins",
        "echo,clock",
        "--read-only",
    ];
    let (code, said) = Program::run(&arguments, "").await;
    assert_eq!(code, 0, "{said}");
    for line in [
        "name = \"ci\"",
        "plugins = [\"echo\", \"clock\"]",
        "scopes = [\"ext:echo:tools\", \"read\"]",
        "read_only = true",
    ] {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
    let (_, lines) = said.split_once("toolgate.toml:\n").expect("the lines");
    let (lines, _) = lines.split_once("\nended with").expect("the end");
    let (code, said) = check(&format!("{lines}\n[plugins.echo]\n[plugins.clock]\n")).await;
    assert_eq!(code, 0, "{said}");
    let (code, _) = Program::run(&["token", "new", "--scope", "a\"b"], "").await;
    assert_ne!(code, 0);
}
