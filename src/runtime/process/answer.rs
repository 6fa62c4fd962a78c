//! Short answers of programs, such as their version.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::background::Supervisor;
use crate::runtime::process::{Bounds, Child, Launcher, Program};

/// The most bytes of an answer that are read.
const MAX_ANSWER: u64 = 4096;

impl Launcher {
    /// Runs `command` to its end: the first line it writes to stdout, or else to stderr. It is ended with all it started
    /// after `bound`, which is an error, as it is to exit without success.
    pub(crate) async fn first_line(
        &self,
        command: &[String],
        bound: Duration,
        supervisor: &Supervisor,
    ) -> io::Result<String> {
        let program = Program {
            command,
            variables: BTreeMap::new(),
            directory: None,
            bounds: Bounds::none(),
            confinement: None,
        };
        let Child {
            stdin,
            stdout,
            stderr,
            process,
            ..
        } = self.start(&program, supervisor, &command[0])?;
        drop(stdin);
        let answered = async {
            let (stdout, stderr) = tokio::join!(line(stdout), line(stderr));
            let exit = process.ended().await;
            match exit.is_success() {
                true => Ok([stdout, stderr].into_iter().find(|line| !line.is_empty())),
                false => Err(io::Error::other(format!("it ended ({exit})"))),
            }
        };
        let answered = tokio::time::timeout(bound, answered).await;
        process.kill().await;
        let answer = answered.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok(answer.unwrap_or_default())
    }
}

/// The first line, read together with what follows it.
async fn line<R: AsyncRead + Unpin>(pipe: R) -> String {
    let mut bytes = Vec::new();
    // What was read before an error is as good as any.
    pipe.take(MAX_ANSWER).read_to_end(&mut bytes).await.ok();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.unwrap_or_default().trim().to_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    async fn ask(script: &str, bound: Duration) -> Result<String, io::ErrorKind> {
        let launcher = Launcher::default();
        let supervisor = Supervisor::new();
        let command = ["/bin/sh", "-c", script].map(str::to_owned);
        let answer = launcher.first_line(&command, bound, &supervisor).await;
        supervisor.stop(Duration::from_secs(5)).await;
        answer.map_err(|err| err.kind())
    }

    #[tokio::test]
    async fn the_first_line_is_the_answer() {
        let bound = Duration::from_secs(20);
        let check = async |script, expect: &str| {
            assert_eq!(ask(script, bound).await.as_deref(), Ok(expect), "{script}");
        };
        check("echo; echo v1.2; echo more", "v1.2").await;
        check("echo v3 >&2", "v3").await;
        check(":", "").await;
        assert_eq!(
            ask("echo v1; exit 3", bound).await,
            Err(io::ErrorKind::Other)
        );
    }

    #[tokio::test]
    async fn who_does_not_end_is_ended() {
        let ended = ask("echo v1; exec sleep 1000", Duration::from_millis(50)).await;
        assert_eq!(ended, Err(io::ErrorKind::TimedOut));
    }
}
