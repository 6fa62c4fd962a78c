//! Fills a ledger with millions of calls and asks it what people ask: does inserting stay flat, are answers quick?
//!
//! ```text
//! ledger_fill MILLIONS FOLDER
//! ```

#![expect(clippy::print_stdout, reason = "a program for people at a terminal")]

use std::path::Path;
use std::time::{Duration, Instant};

use toolgate::background::Supervisor;
use toolgate::ledger::Ledger;
use toolgate::ledger::config::LedgerConfig;
use toolgate::ledger::ids::{Ids, now_ms};
use toolgate::ledger::record::{Call, CallFilter, Marks, Page};
use toolgate::wire::json::Json;
use toolgate::wire::method::Method;

/// How many calls one step has.
const STEP: u64 = 1_000_000;

/// How many wait to be written at one time: below what the ledger begins to drop at.
const WAITING: u64 = 8_000;

/// How many calls a session makes.
const PER_SESSION: u64 = 100;

/// How often each question is asked.
const ASKED: usize = 200;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let millions: u64 = arguments
        .next()
        .map_or(10, |text| text.parse().expect("a number of millions"));
    let folder = arguments.next().unwrap_or_else(|| ".".to_owned());
    let path = Path::new(&folder).join("ledger.db");
    let config = LedgerConfig {
        url: Some(format!("sqlite:{}", path.display()).as_str().into()),
        max_bytes: 1 << 50,
        ..LedgerConfig::default()
    };
    let ledger = Ledger::new(&config, None);
    let supervisor = Supervisor::new();
    let task = ledger.clone();
    supervisor.spawn("ledger", |stop| task.run(stop));
    let big = ledger
        .open_incident("a big one", "ops", true)
        .await
        .expect("it opens");
    let big_name = format!("{:016x}", big.id);
    let (ids, mut seen) = (Ids::default(), Vec::new());
    println!(
        "calls      inserted/s   last hundred of a session   of the big incident   newest 100   file"
    );
    for step in 0..millions {
        let begun = Instant::now();
        for n in step * STEP..(step + 1) * STEP {
            if n % 500 == 0 {
                while ledger.waiting() > WAITING {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            // Every tenth call belongs to one incident, the others to that of their session.
            let incident = (n % 10 == 0).then(|| big_name.as_str().into());
            ledger.record(call(&ids, n, incident));
        }
        while ledger.waiting() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let rate = STEP as f64 / begun.elapsed().as_secs_f64();
        let page = Page {
            before: None,
            limit: 100,
        };
        let newest = ledger
            .calls(&CallFilter::default(), page)
            .await
            .expect("it answers");
        seen.extend(
            newest
                .iter()
                .filter_map(|call| call.incident)
                .find(|id| *id != big.id),
        );
        let sessions = asked(&ledger, &seen).await;
        let of_big = asked(&ledger, &[big.id]).await;
        let all = {
            let mut times = Vec::new();
            for _ in 0..ASKED {
                let begun = Instant::now();
                ledger
                    .calls(&CallFilter::default(), page)
                    .await
                    .expect("it answers");
                times.push(begun.elapsed());
            }
            shown(times)
        };
        let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
        println!(
            "{:>9}  {rate:>10.0}   {sessions:>25}   {of_big:>19}   {all:>10}   {} MB",
            (step + 1) * STEP,
            bytes / 1_000_000
        );
    }
    let status = ledger.status().await;
    println!("written {}, dropped {}", status.written, status.dropped);
    ledger.close().await;
    supervisor.stop(Duration::from_secs(5)).await;
}

fn call(ids: &Ids, n: u64, incident: Option<Box<str>>) -> Call {
    let tool = n % 200;
    Call {
        id: ids.next(),
        began_ms: now_ms(),
        principal: format!("user-{}", n / PER_SESSION % 50).into(),
        session: Some(format!("session-{:028}", n / PER_SESSION).into()),
        incident,
        method: Method::ToolsCall,
        subject: format!("plugin{}__tool_{tool}", tool % 20).into(),
        plugin: Some(format!("plugin{}", tool % 20).parse().expect("an id")),
        runtime: Some("mcp_stdio"),
        era: "modern",
        taken_us: Some(n % 90_000),
        outcome: if n.is_multiple_of(50) {
            "timeout"
        } else {
            "answered"
        },
        reason: None,
        arguments: Some(Json::of(
            &serde_json::json!({ "n": n, "text": "some words" }),
        )),
        result: None,
        marks: Marks::default(),
    }
}

/// How long the last hundred calls of these incidents take to be found.
async fn asked(ledger: &Ledger, incidents: &[u64]) -> String {
    let mut times = Vec::new();
    for at in 0..ASKED {
        let filter = CallFilter {
            incident: Some(incidents[at % incidents.len()]),
            ..CallFilter::default()
        };
        let page = Page {
            before: None,
            limit: 100,
        };
        let begun = Instant::now();
        let calls = ledger.calls(&filter, page).await.expect("it answers");
        times.push(begun.elapsed());
        assert!(!calls.is_empty());
    }
    shown(times)
}

/// The median and the longest.
fn shown(mut times: Vec<Duration>) -> String {
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    format!(
        "{:.2} / {:.2} ms",
        ms(times[times.len() / 2]),
        ms(times[times.len() - 1])
    )
}
