//! The signals that the program listens to. They are caught from the moment this is made.

/// The signals that ask the program to stop, and the one that asks it to read its configuration again.
#[cfg(unix)]
pub(super) struct Signals {
    stop: [(&'static str, tokio::signal::unix::Signal); 2],
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Must be called on the runtime.
    pub(super) fn catch() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            stop: [
                ("SIGTERM", signal(SignalKind::terminate())?),
                ("SIGINT", signal(SignalKind::interrupt())?),
            ],
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Signalled {
        let [(term, terms), (interrupt, interrupts)] = &mut self.stop;
        tokio::select! {
            _ = terms.recv() => Signalled::Stop(term),
            _ = interrupts.recv() => Signalled::Stop(interrupt),
            _ = self.hangup.recv() => Signalled::Reload,
        }
    }

    /// Waits for the next one that asks the program to stop.
    pub(super) async fn stop(&mut self) -> &'static str {
        loop {
            if let Signalled::Stop(signal) = self.next().await {
                return signal;
            }
        }
    }
}

/// What the program is asked.
pub(super) enum Signalled {
    /// To stop; by which signal.
    Stop(&'static str),
    /// To read its configuration again.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is no such signal"))]
    Reload,
}

/// What asks the program to stop.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Must be called on the runtime.
    pub(super) fn catch() -> std::io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Signalled {
        Signalled::Stop(self.stop().await)
    }

    /// Waits for the next one.
    pub(super) async fn stop(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            Err(_) => std::future::pending().await,
        }
    }
}
