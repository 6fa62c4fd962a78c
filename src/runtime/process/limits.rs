//! What the system lets this process have.

/// Lets the gateway open as many files as it may: each connection and each pipe is one.
#[cfg(unix)]
pub fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(err) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!("Could not raise the limit on open files: {err}");
    }
}

/// There is no such limit here.
#[cfg(not(unix))]
pub fn raise_file_limit() {}
