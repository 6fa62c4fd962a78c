//! `rig drive`: calls on some connections for some time, and what they cost.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, LocalSet};

use crate::Problem;
use crate::args::Args;
use crate::load::{self, Calls, Phase};
use crate::process::Process;
use crate::wish::Wish;

/// How a run ends and what is measured of it.
struct Plan {
    n_connections: usize,
    warm_up: Duration,
    window: Duration,
    /// The server, when its CPU time and memory are wanted.
    process: Option<Process>,
}

/// One run, measured.
struct Outcome {
    latencies: Vec<Duration>,
    elapsed: Duration,
    server_cpu_ns: Option<u64>,
    driver_cpu_ns: u64,
}

pub(crate) fn run(mut args: Args) -> Result<(), Problem> {
    let calls = Calls {
        target: args.need("url")?,
        legacy: legacy(&args.get_or("era", "modern".to_owned())?)?,
        wish: Wish::from_args(&mut args)?,
        n_calls: args.get("calls")?,
    };
    let plan = Plan {
        n_connections: args.get_or("connections", 1)?,
        warm_up: Duration::from_millis(args.get_or("warm-ms", 200)?),
        window: Duration::from_millis(args.get_or("ms", 1000)?),
        process: args.get("pid")?.map(Process),
    };
    args.done()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = LocalSet::new().block_on(&runtime, measure(Rc::new(calls), &plan))?;
    print(&plan, outcome)
}

fn legacy(era: &str) -> Result<bool, Problem> {
    match era {
        "modern" => Ok(false),
        "legacy" => Ok(true),
        _ => Err("--era is `modern` or `legacy`".into()),
    }
}

async fn measure(calls: Rc<Calls>, plan: &Plan) -> Result<Outcome, Problem> {
    let counted = calls.n_calls.is_some();
    let phase = Rc::new(Phase {
        measuring: Cell::new(counted),
        over: Cell::new(false),
    });
    let started = Instant::now();
    let connections: Vec<_> = (0..plan.n_connections)
        .map(|number| {
            tokio::task::spawn_local(load::run(Rc::clone(&calls), Rc::clone(&phase), number))
        })
        .collect();
    if counted {
        return Ok(Outcome {
            latencies: joined(connections).await?,
            elapsed: started.elapsed(),
            server_cpu_ns: None,
            driver_cpu_ns: 0,
        });
    }
    let driver = Process(std::process::id());
    tokio::time::sleep(plan.warm_up).await;
    let server_before = server_cpu(plan)?;
    let driver_before = driver.cpu_ns()?;
    let started = Instant::now();
    phase.measuring.set(true);
    tokio::time::sleep(plan.window).await;
    phase.measuring.set(false);
    let elapsed = started.elapsed();
    let server_after = server_cpu(plan)?;
    let driver_after = driver.cpu_ns()?;
    phase.over.set(true);
    Ok(Outcome {
        latencies: joined(connections).await?,
        elapsed,
        server_cpu_ns: server_before
            .zip(server_after)
            .map(|(before, after)| after - before),
        driver_cpu_ns: driver_after - driver_before,
    })
}

fn server_cpu(plan: &Plan) -> Result<Option<u64>, Problem> {
    plan.process.map(Process::cpu_ns).transpose()
}

async fn joined(
    connections: Vec<JoinHandle<Result<Vec<Duration>, Problem>>>,
) -> Result<Vec<Duration>, Problem> {
    let mut all = Vec::new();
    for connection in connections {
        all.extend(connection.await??);
    }
    Ok(all)
}

fn print(plan: &Plan, outcome: Outcome) -> Result<(), Problem> {
    let Outcome {
        mut latencies,
        elapsed,
        server_cpu_ns,
        driver_cpu_ns,
    } = outcome;
    if latencies.is_empty() {
        return Err("not one call was answered in the time given".into());
    }
    latencies.sort_unstable();
    let n_calls = latencies.len();
    let at =
        |share: f64| latencies[((n_calls - 1) as f64 * share) as usize].as_nanos() as f64 / 1e3;
    let per_call = |ns: u64| ns as f64 / 1e3 / n_calls as f64;
    let cpu_us = server_cpu_ns.map_or("null".to_owned(), |ns| format!("{:.3}", per_call(ns)));
    let rss_kib = match plan.process {
        Some(process) => process.resident_kib()?.to_string(),
        None => "null".to_owned(),
    };
    println!(
        r#"{{"calls":{n_calls},"calls_per_s":{:.1},"p50_us":{:.1},"p99_us":{:.1},"cpu_us":{cpu_us},"driver_cpu_us":{:.3},"rss_kib":{rss_kib}}}"#,
        n_calls as f64 / elapsed.as_secs_f64(),
        at(0.5),
        at(0.99),
        per_call(driver_cpu_ns),
    );
    Ok(())
}
