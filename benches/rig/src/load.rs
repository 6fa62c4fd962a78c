//! The closed loop: each connection sends its next request when the answer to the last has come.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use memchr::memmem;

use crate::Problem;
use crate::link::{Answer, Link};
use crate::prepared::{Era, Prepared, Target, id_in_answer};
use crate::wish::Wish;

/// What all connections of a run look at.
pub(crate) struct Phase {
    /// Latencies are noted while this is set.
    pub(crate) measuring: Cell<bool>,
    /// Connections end when this is set.
    pub(crate) over: Cell<bool>,
}

/// What one connection sends.
#[derive(Clone)]
pub(crate) struct Calls {
    pub(crate) target: Target,
    /// Whether each connection opens a legacy session first.
    pub(crate) legacy: bool,
    pub(crate) wish: Wish,
    /// After so many the connection ends; none: when the phase is over.
    pub(crate) n_calls: Option<u64>,
}

/// Sends calls on one connection; the latencies that were measured.
pub(crate) async fn run(
    calls: Rc<Calls>,
    phase: Rc<Phase>,
    connection: usize,
) -> Result<Vec<Duration>, Problem> {
    let mut link = Link::open(&calls.target).await?;
    let era = match calls.legacy {
        true => Era::Legacy(Some(link.open_session(&calls.target).await?)),
        false => Era::Modern,
    };
    let mut call = Prepared::request(&calls.target, &era, &calls.wish.asked());
    let mut latencies = Vec::with_capacity(1 << 16);
    let mut usual_length = None;
    let mut count = 0;
    while !phase.over.get() && calls.n_calls.is_none_or(|n_calls| count < n_calls) {
        let measured = phase.measuring.get();
        let sent = Instant::now();
        let answer = link.exchange(call.numbered(connection, count)).await?;
        let took = sent.elapsed();
        check(
            &answer,
            &id_in_answer(connection, count),
            &calls,
            &mut usual_length,
        )?;
        // An answer that came after the end of the measurement belongs to no window.
        if measured && phase.measuring.get() {
            latencies.push(took);
        }
        count += 1;
    }
    Ok(latencies)
}

/// Every answer must have the status and the id; one of an unusual length (the first, above all) is looked through.
fn check(
    answer: &Answer<'_>,
    id: &[u8],
    calls: &Calls,
    usual_length: &mut Option<usize>,
) -> Result<(), Problem> {
    answer.expect_status(200)?;
    if memmem::find(answer.body, id).is_none() {
        return Err(wrong("an answer without the id of its request", answer));
    }
    if *usual_length == Some(answer.body.len()) {
        return Ok(());
    }
    if !calls.wish.is_granted_by(answer.body) {
        return Err(wrong("an answer that is not what was asked for", answer));
    }
    *usual_length = Some(answer.body.len());
    Ok(())
}

fn wrong(what: &str, answer: &Answer<'_>) -> Problem {
    let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(500)]);
    format!("{what}: {body}").into()
}
