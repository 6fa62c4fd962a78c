//! What a database says when it does not do what it is asked, in a sentence with the mend. Never the address, which may
//! hold a password.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use sqlx::Error;

use crate::plugin::ToolError;

/// The sentence for the database of that name.
pub(super) fn said(name: &str, error: &Error) -> ToolError {
    ToolError::new(match error {
        Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let message = error.message();
            let advice = advice(name, &code, message);
            format!("`{name}` says: {message} ({code}){advice}")
        }
        Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => format!(
            "`{name}` could not be reached, the connection was refused: does the server run, and does `connections.{name}.url` lead to it?"
        ),
        Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            format!("`{name}` ended the connection; see the server's log")
        }
        Error::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<Silent>()) => {
            format!(
                "`{name}` did not answer within {error}: does `connections.{name}.url` lead to it, and does a firewall let it through?"
            )
        }
        Error::Io(error) => format!("`{name}` could not be reached: {error}"),
        Error::Tls(error) => {
            format!(
                "the connection to `{name}` could not be secured: {error}; see `sslmode` in its url"
            )
        }
        other => format!("`{name}` could not be asked: {other}"),
    })
}

/// A server that said nothing for so long.
pub(super) fn silent(patience: Duration) -> Error {
    Error::Io(io::Error::new(ErrorKind::TimedOut, Silent(patience)))
}

/// How long nothing was said.
#[derive(Debug)]
struct Silent(Duration);

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

impl std::error::Error for Silent {}

/// Whether the server said so with this code.
pub(super) fn is(error: &Error, code: &str) -> bool {
    let error = error.as_database_error();
    error
        .and_then(|error| error.code())
        .is_some_and(|found| found == code)
}

fn advice(name: &str, code: &str, message: &str) -> String {
    match code {
        "57014" if message.contains("statement timeout") => {
            format!("; `connections.{name}.statement_timeout_ms` allows no more")
        }
        "55P03" => "; another session holds it: see `lock_waits`".to_owned(),
        "42501" => "; the role of this connection may not do that: to see others' sessions it needs `pg_monitor`, to end them `pg_signal_backend`, and superusers' sessions only a superuser ends".to_owned(),
        "28P01" | "28000" => format!("; look at the user and the password of `connections.{name}`, and at the server's pg_hba.conf"),
        "3D000" => format!("; look at the database in `connections.{name}.url`"),
        "53300" => "; all its connections are in use".to_owned(),
        "57P03" => "; try again when it has started".to_owned(),
        "57P01" => "; somebody ended this session".to_owned(),
        _ => String::new(),
    }
}
