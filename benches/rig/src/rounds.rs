//! `rig rounds`: calls that are answered by a question first (MCP 2026-07-28, multi round-trip requests), one after the
//! other or many of them at once.

use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::task::{JoinSet, LocalSet};

use crate::Problem;
use crate::args::Args;
use crate::link::{Answer, Link};
use crate::prepared::{Asked, Era, Prepared, Target};
use crate::process::Process;

/// How long memory may settle before it is read.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    result: Questions<'a>,
}

/// What a question leaves to be said again. The rest is known here.
#[derive(Deserialize)]
struct Questions<'a> {
    #[serde(borrow, rename = "inputRequests")]
    requests: Option<std::collections::HashMap<&'a str, &'a RawValue>>,
    #[serde(borrow, rename = "requestState")]
    state: Option<&'a RawValue>,
}

struct Client {
    target: Target,
    tool: String,
}

pub(crate) fn run(mut args: Args) -> Result<(), Problem> {
    let client = Client {
        target: args.need("url")?,
        tool: args.need("tool")?,
    };
    let n_calls: usize = args.get_or("calls", 500)?;
    let n_at_once: usize = args.get_or("at-once", 0)?;
    let process = args.get("pid")?.map(Process);
    args.done()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        match (n_at_once, process) {
            (0, process) => client.one_by_one(n_calls, process).await,
            (n_calls, Some(process)) => at_once(Rc::new(client), n_calls, process).await,
            (_, None) => Err("--at-once needs --pid".into()),
        }
    })
}

/// Many calls that are all parked before the first is answered.
async fn at_once(client: Rc<Client>, n_calls: usize, process: Process) -> Result<(), Problem> {
    let mut links = Vec::new();
    for _ in 0..n_calls {
        links.push(Link::small(&client.target).await?);
    }
    let before = process.resident_kib()?;
    let begun = Instant::now();
    let mut asking = JoinSet::new();
    for mut link in links {
        let client = Rc::clone(&client);
        asking.spawn_local(async move {
            let retry = client.ask(&mut link).await?;
            Ok::<_, Problem>((link, retry))
        });
    }
    let parked: Result<Vec<_>, Problem> = asking.join_all().await.into_iter().collect();
    let (parked, asked_in) = (parked?, begun.elapsed());
    tokio::time::sleep(PAUSE).await;
    let parked_kib = process.resident_kib()?;
    let begun = Instant::now();
    let mut answering = JoinSet::new();
    for (mut link, retry) in parked {
        let client = Rc::clone(&client);
        answering.spawn_local(async move { client.answer(&mut link, &retry).await });
    }
    let done: Result<Vec<()>, Problem> = answering.join_all().await.into_iter().collect();
    let (n_done, answered_in) = (done?.len(), begun.elapsed());
    tokio::time::sleep(PAUSE).await;
    println!(
        r#"{{"done":{n_done},"asked_ms":{:.1},"answered_ms":{:.1},"before_kib":{before},"parked_kib":{parked_kib},"after_kib":{}}}"#,
        asked_in.as_secs_f64() * 1e3,
        answered_in.as_secs_f64() * 1e3,
        process.resident_kib()?,
    );
    Ok(())
}

impl Client {
    async fn one_by_one(&self, n_calls: usize, process: Option<Process>) -> Result<(), Problem> {
        let mut link = Link::open(&self.target).await?;
        for _ in 0..n_calls.min(20) {
            self.whole(&mut link).await?;
        }
        let before = process.map(Process::cpu_ns).transpose()?;
        let begun = Instant::now();
        for _ in 0..n_calls {
            self.whole(&mut link).await?;
        }
        let (took, after) = (begun.elapsed(), process.map(Process::cpu_ns).transpose()?);
        let cpu_us = before.zip(after).map(|(before, after)| {
            format!("{:.1}", (after - before) as f64 / 1e3 / n_calls as f64)
        });
        println!(
            r#"{{"calls":{n_calls},"mean_us":{:.1},"cpu_us":{}}}"#,
            took.as_secs_f64() * 1e6 / n_calls as f64,
            cpu_us.as_deref().unwrap_or("null"),
        );
        Ok(())
    }

    /// A call with its one round.
    async fn whole(&self, link: &mut Link) -> Result<(), Problem> {
        let retry = self.ask(link).await?;
        self.answer(link, &retry).await
    }

    /// The first request; the members that the second needs besides.
    async fn ask(&self, link: &mut Link) -> Result<String, Problem> {
        let answer = link.exchange(self.request("").bytes()).await?;
        answer.expect_status(200)?;
        let message: Message<'_> =
            serde_json::from_slice(answer.body).map_err(|_| wrong(&answer))?;
        let (Some(requests), Some(state)) = (message.result.requests, message.result.state) else {
            return Err(wrong(&answer));
        };
        let key = requests.keys().next().ok_or_else(|| wrong(&answer))?;
        Ok(format!(
            r#","inputResponses":{{"{key}":{{"action":"accept","content":{{"answer":"yes"}}}}}},"requestState":{state}"#
        ))
    }

    /// The second request.
    async fn answer(&self, link: &mut Link, retry: &str) -> Result<(), Problem> {
        let answer = link.exchange(self.request(retry).bytes()).await?;
        answer.expect_status(200)?;
        match memchr::memmem::find(answer.body, br#""text":"done""#) {
            Some(_) => Ok(()),
            None => Err(wrong(&answer)),
        }
    }

    fn request(&self, more: &str) -> Prepared {
        let mut asked = Asked::call(&self.tool, r#"{"text":"x"}"#);
        asked.params.push_str(more);
        asked.capabilities = r#"{"elicitation":{}}"#;
        Prepared::request(&self.target, &Era::Modern, &asked)
    }
}

fn wrong(answer: &Answer<'_>) -> Problem {
    let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(500)]);
    format!("not what was expected in a round: {body}").into()
}
