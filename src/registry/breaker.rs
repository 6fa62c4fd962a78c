//! When a remote server is left alone: after failures in a row, until one call has shown that it answers again.
//!
//! A pure machine; whoever holds it says what time it is. Closed, it lets calls through and counts failures in a row.
//! Open, it refuses all calls for a while. Then it is half open: exactly one call is let through, and all others are
//! refused until that one has ended. What it brings closes the machine, or opens it again for twice the time.

pub mod guard;

use std::time::Duration;

use tokio::time::Instant;

use crate::manifest::upkeep::Breaker as Settings;

/// The machine of one server.
#[derive(Debug)]
pub struct Machine {
    failures: u32,
    first_wait: Duration,
    max_wait: Duration,
    state: State,
    /// Counts the changes of the state. What a call brings that was let through before the latest says nothing any more.
    epoch: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
        wait: Duration,
    },
    /// The call that tries is on its way.
    Trying {
        since: Instant,
        wait: Duration,
    },
}

/// A call that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    epoch: u64,
}

/// What a call that was let through has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The server answers, whatever it says.
    Answers,
    /// The server does not.
    Fails,
    /// Neither: nothing was sent, or the call was given up.
    Nothing,
}

/// Where the machine stands, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// Calls go through.
    Closed,
    /// Calls are refused, for so long still.
    Open(Duration),
    /// One call tries, or the next one will.
    HalfOpen,
}

impl Machine {
    /// A closed one.
    pub fn new(settings: &Settings) -> Self {
        let first_wait = Duration::from_millis(settings.open_ms);
        Self {
            failures: settings.failures,
            first_wait,
            max_wait: Duration::from_millis(settings.max_open_ms).max(first_wait),
            state: State::Closed { failures: 0 },
            epoch: 0,
        }
    }

    /// How long a call that comes at `now` would be refused for; `None` lets it through.
    pub fn refuses(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Closed { .. } => None,
            State::Open { until, .. } => Some(until - now).filter(|wait| !wait.is_zero()),
            // How long the one that tries takes is not known.
            State::Trying { .. } => Some(self.first_wait),
        }
    }

    /// Lets a call through, or says how long it is refused for. What it shows must be told by [`Machine::take`].
    pub fn admit(&mut self, now: Instant) -> Result<Ticket, Duration> {
        if let Some(wait) = self.refuses(now) {
            return Err(wait);
        }
        if let State::Open { wait, .. } = self.state {
            self.turn(State::Trying { since: now, wait });
        }
        Ok(Ticket { epoch: self.epoch })
    }

    /// Takes in what a call has shown. `true` when the machine has opened by that.
    pub fn take(&mut self, ticket: Ticket, shown: Shown, now: Instant) -> bool {
        if ticket.epoch != self.epoch {
            return false;
        }
        match (self.state, shown) {
            (State::Closed { .. }, Shown::Answers) => self.state = State::Closed { failures: 0 },
            (State::Closed { failures }, Shown::Fails) => {
                let failures = failures + 1;
                if failures >= self.failures {
                    return self.open(self.first_wait, now);
                }
                self.state = State::Closed { failures };
            }
            (State::Trying { .. }, Shown::Answers) => self.turn(State::Closed { failures: 0 }),
            (State::Trying { wait, .. }, Shown::Fails) => {
                return self.open((wait * 2).min(self.max_wait), now);
            }
            // The next call tries.
            (State::Trying { wait, .. }, Shown::Nothing) => {
                self.turn(State::Open { until: now, wait });
            }
            (State::Closed { .. }, Shown::Nothing) | (State::Open { .. }, _) => {}
        }
        false
    }

    /// The server was heard at `at`. If that is since a call tries, the server answers, however long that call may take.
    pub fn hear(&mut self, at: Instant) {
        if let State::Trying { since, .. } = self.state
            && at > since
        {
            self.turn(State::Closed { failures: 0 });
        }
    }

    /// Closes it, whatever was before.
    pub fn close(&mut self) {
        self.turn(State::Closed { failures: 0 });
    }

    /// Where it stands at `now`.
    pub fn circuit(&self, now: Instant) -> Circuit {
        match (self.state, self.refuses(now)) {
            (State::Closed { .. }, _) => Circuit::Closed,
            (State::Open { .. }, Some(wait)) => Circuit::Open(wait),
            (State::Open { .. }, None) | (State::Trying { .. }, _) => Circuit::HalfOpen,
        }
    }

    fn open(&mut self, wait: Duration, now: Instant) -> bool {
        let until = now + wait;
        self.turn(State::Open { until, wait });
        true
    }

    fn turn(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens to the machine, and what must come of it.
    #[derive(Debug)]
    enum Step {
        /// A call comes and is let through; it is known by its place among these.
        Comes,
        /// A call comes and is refused for so many milliseconds.
        Refused(u64),
        /// The call at that place shows this.
        Shows(usize, Shown),
        /// The server is heard.
        Heard,
        /// So many milliseconds pass.
        Passes(u64),
        /// It stands there.
        Is(Circuit),
    }

    fn check(steps: &[Step]) {
        let mut machine = Machine::new(&Settings {
            failures: 3,
            open_ms: 1_000,
            max_open_ms: 3_000,
        });
        let mut now = Instant::now();
        let mut tickets = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            match step {
                Step::Comes => tickets.push(machine.admit(now).expect("it is let through")),
                Step::Refused(ms) => {
                    let wait = machine.admit(now);
                    assert_eq!(wait, Err(Duration::from_millis(*ms)), "step {at}");
                }
                Step::Shows(place, shown) => drop(machine.take(tickets[*place], *shown, now)),
                Step::Heard => machine.hear(now),
                Step::Passes(ms) => now += Duration::from_millis(*ms),
                Step::Is(circuit) => assert_eq!(machine.circuit(now), *circuit, "step {at}"),
            }
        }
    }

    use Shown::{Answers, Fails, Nothing};
    use Step::{Comes, Heard, Is, Passes, Refused, Shows};

    /// The same behind three calls that fail.
    fn after_three_failures(rest: Vec<Step>) {
        let three = [0, 1, 2];
        let calls = three.map(|_| Comes).into_iter();
        let failures = three.map(|at| Shows(at, Fails));
        let steps: Vec<Step> = calls.chain(failures).chain(rest).collect();
        check(&steps);
    }

    #[test]
    fn failures_in_a_row_open_it_and_answers_between_them_do_not() {
        check(&[
            Comes,
            Comes,
            Comes,
            Shows(0, Fails),
            Shows(1, Fails),
            Shows(2, Answers),
            Comes,
            Comes,
            Shows(3, Fails),
            Shows(4, Nothing),
            Is(Circuit::Closed),
            Comes,
            Comes,
            Shows(5, Fails),
            Is(Circuit::Closed),
            Shows(6, Fails),
            Is(Circuit::Open(Duration::from_secs(1))),
        ]);
    }

    #[test]
    fn while_it_is_open_nobody_passes_and_then_exactly_one() {
        after_three_failures(vec![
            Refused(1_000),
            Passes(400),
            Refused(600),
            Passes(600),
            Is(Circuit::HalfOpen),
            Comes,
            Is(Circuit::HalfOpen),
            Refused(1_000),
            Passes(50_000),
            Refused(1_000),
            Shows(3, Answers),
            Is(Circuit::Closed),
            Comes,
            Comes,
        ]);
    }

    #[test]
    fn the_wait_doubles_up_to_its_bound_and_starts_over_when_it_was_closed() {
        after_three_failures(vec![
            Passes(1_000),
            Comes,
            Shows(3, Fails),
            Is(Circuit::Open(Duration::from_secs(2))),
            Passes(2_000),
            Comes,
            Shows(4, Fails),
            Is(Circuit::Open(Duration::from_secs(3))),
            Passes(3_000),
            Comes,
            Shows(5, Answers),
            Comes,
            Comes,
            Comes,
            Shows(6, Fails),
            Shows(7, Fails),
            Shows(8, Fails),
            Is(Circuit::Open(Duration::from_secs(1))),
        ]);
    }

    #[test]
    fn a_try_that_shows_nothing_leaves_it_to_the_next() {
        after_three_failures(vec![
            Passes(1_000),
            Comes,
            Shows(3, Nothing),
            Is(Circuit::HalfOpen),
            Comes,
            Refused(1_000),
            Shows(4, Fails),
            Is(Circuit::Open(Duration::from_secs(2))),
        ]);
    }

    #[test]
    fn a_try_that_takes_long_ends_the_waiting_as_soon_as_the_server_is_heard() {
        after_three_failures(vec![
            Heard,
            Passes(1_000),
            Comes,
            Heard,
            Refused(1_000),
            Passes(1),
            Heard,
            Is(Circuit::Closed),
            Comes,
            Shows(3, Fails),
            Is(Circuit::Closed),
        ]);
    }

    #[test]
    fn what_was_let_through_before_decides_nothing_after() {
        check(&[
            Comes,
            Comes,
            Comes,
            Comes,
            Comes,
            Comes,
            Shows(0, Fails),
            Shows(1, Fails),
            Shows(2, Fails),
            Shows(3, Answers),
            Is(Circuit::Open(Duration::from_secs(1))),
            Passes(1_000),
            Comes,
            Shows(4, Answers),
            Shows(5, Fails),
            Is(Circuit::HalfOpen),
            Refused(1_000),
        ]);
    }
}
