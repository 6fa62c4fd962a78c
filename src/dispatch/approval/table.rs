//! The approvals that are remembered: pure, the time is handed in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dispatch::approval::record::{Approval, Decision, Status};
use crate::plugin::utc;

/// The most approvals that wait for a decision or for their call.
const MAX_OPEN: usize = 1_000;

/// The most of these that are of one principal.
const MAX_OPEN_OF_ONE: usize = 100;

/// The most that are remembered in all.
const MAX_KEPT: usize = 2_000;

/// An approval and which calls it is for. This is what a store keeps of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) approval: Approval,
    /// Of principal, plugin, tool and arguments.
    pub(super) digest: String,
    /// In milliseconds since 1970.
    pub(super) expires_ms: u64,
}

/// All that are remembered, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<Kept>);

/// Why nothing was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecided {
    /// There is no such approval.
    Unknown,
    /// It is not pending any more.
    Not(Status),
    /// The store did not keep the decision, so it was not made.
    NotKept,
}

/// Too many are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Kept {
    fn is_open(&self) -> bool {
        matches!(self.approval.status, Status::Pending | Status::Approved)
    }

    fn until(&mut self, expires_ms: u64) {
        self.expires_ms = expires_ms;
        self.approval.expires = utc(Duration::from_millis(expires_ms));
    }
}

impl Table {
    /// Ends those whose time is over; gives their ids.
    pub(super) fn sweep(&mut self, now_ms: u64) -> Vec<String> {
        let over = |kept: &&mut Kept| kept.is_open() && kept.expires_ms <= now_ms;
        let over = self.0.iter_mut().filter(over).map(|kept| {
            kept.approval.status = Status::Expired;
            kept.approval.id.clone()
        });
        over.collect()
    }

    /// Remembers one. Those that are over make place, the oldest first.
    pub(super) fn add(&mut self, kept: Kept) -> Result<(), Full> {
        let open = || self.0.iter().filter(|known| known.is_open());
        let own = open().filter(|known| known.approval.principal == kept.approval.principal);
        if kept.is_open() && (open().count() >= MAX_OPEN || own.count() >= MAX_OPEN_OF_ONE) {
            return Err(Full);
        }
        if self.0.len() >= MAX_KEPT
            && let Some(at) = self.0.iter().position(|kept| !kept.is_open())
        {
            self.0.remove(at);
        }
        self.0.push(kept);
        Ok(())
    }

    /// The one that waits for a decision about such a call.
    pub(super) fn pending(&self, digest: &str) -> Option<&Kept> {
        let mut known = self.0.iter();
        known.find(|kept| kept.digest == digest && kept.approval.status == Status::Pending)
    }

    /// Uses the approval for such a call, if there is one.
    pub(super) fn take(&mut self, digest: &str) -> Option<Approval> {
        let mut known = self.0.iter_mut();
        let fits =
            |kept: &&mut Kept| kept.digest == digest && kept.approval.status == Status::Approved;
        let kept = known.find(fits)?;
        kept.approval.status = Status::Used;
        Some(kept.approval.clone())
    }

    /// It was not used after all.
    pub(super) fn untake(&mut self, id: &str) {
        let mut known = self.0.iter_mut();
        let fits =
            |kept: &&mut Kept| kept.approval.id == id && kept.approval.status == Status::Used;
        if let Some(kept) = known.find(fits) {
            kept.approval.status = Status::Approved;
        }
    }

    /// Decides; what is given can be used for `ttl_ms` from now on.
    pub(super) fn decide(
        &mut self,
        id: &str,
        decision: &Decision,
        (now_ms, ttl_ms): (u64, u64),
    ) -> Result<Kept, Undecided> {
        let mut known = self.0.iter_mut();
        let kept = known.find(|kept| kept.approval.id == id);
        let kept = kept.ok_or(Undecided::Unknown)?;
        match kept.approval.status {
            Status::Pending => {}
            status @ (Status::Approved | Status::Declined | Status::Expired | Status::Used) => {
                return Err(Undecided::Not(status));
            }
        }
        if decision.approve {
            kept.until(now_ms.saturating_add(ttl_ms));
        }
        let approval = &mut kept.approval;
        approval.status = match decision.approve {
            true => Status::Approved,
            false => Status::Declined,
        };
        approval.decided_by = Some(decision.by.clone());
        approval.decided_at = Some(utc(Duration::from_millis(now_ms)));
        approval.reason.clone_from(&decision.reason);
        Ok(kept.clone())
    }

    /// Puts back what was there before something that was not kept.
    pub(super) fn put_back(&mut self, before: Kept) {
        let mut known = self.0.iter_mut();
        let kept = known.find(|kept| kept.approval.id == before.approval.id);
        // One that was used meanwhile stays so.
        if let Some(kept) = kept.filter(|kept| kept.approval.status != Status::Used) {
            *kept = before;
        }
    }

    /// The approval of that id.
    pub(super) fn get(&self, id: &str) -> Option<&Kept> {
        self.0.iter().find(|kept| kept.approval.id == id)
    }

    /// All, the newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Approval> {
        self.0.iter().rev().map(|kept| &kept.approval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json::Json;

    fn kept(id: &str, digest: &str) -> Kept {
        let approval = Approval {
            id: id.to_owned(),
            tool: "k8s__restart".into(),
            plugin: "k8s".into(),
            principal: "ann".into(),
            session: None,
            arguments: Json::literal("{}"),
            effect: "changes things".into(),
            risk: None,
            status: Status::Pending,
            created: utc(Duration::ZERO),
            expires: utc(Duration::from_millis(100)),
            decided_by: None,
            decided_at: None,
            reason: None,
            incident: None,
        };
        Kept {
            approval,
            digest: digest.to_owned(),
            expires_ms: 100,
        }
    }

    fn decision(approve: bool) -> Decision {
        Decision {
            approve,
            by: "eve".into(),
            reason: None,
        }
    }

    #[test]
    fn what_is_given_is_used_once_by_a_call_that_is_the_same() {
        let mut table = Table::default();
        table.add(kept("a", "one")).expect("there is room");
        assert!(table.take("one").is_none(), "it is pending");
        let given = table
            .decide("a", &decision(true), (50, 100))
            .expect("pending");
        assert_eq!(given.expires_ms, 150);
        assert_eq!(given.approval.expires, "1970-01-01T00:00:00.150Z");
        assert!(table.take("two").is_none(), "another call");
        let used = table.take("one").expect("it was given");
        assert_eq!((&*used.id, used.status), ("a", Status::Used));
        assert!(table.take("one").is_none(), "once");
        table.untake("a");
        assert!(table.take("one").is_some(), "it was not used after all");
        let again = table.decide("a", &decision(false), (50, 100));
        assert_eq!(again.err(), Some(Undecided::Not(Status::Used)));
        let unknown = table.decide("b", &decision(true), (50, 100));
        assert_eq!(unknown.err(), Some(Undecided::Unknown));
    }

    #[test]
    fn time_ends_what_is_pending_and_what_is_given() {
        let mut table = Table::default();
        table.add(kept("a", "one")).expect("there is room");
        table.add(kept("b", "two")).expect("there is room");
        table
            .decide("b", &decision(true), (99, 100))
            .expect("pending");
        assert_eq!(table.sweep(99), Vec::<String>::new());
        assert_eq!(table.sweep(100), ["a"]);
        assert!(table.pending("one").is_none());
        let late = table.decide("a", &decision(true), (101, 100));
        assert_eq!(late.err(), Some(Undecided::Not(Status::Expired)));
        assert_eq!(table.sweep(199), ["b"]);
        assert!(table.take("two").is_none());
    }

    #[test]
    fn there_is_a_bound_for_what_is_open_and_for_all() {
        let of = |n: usize| {
            let mut one = kept(&n.to_string(), "d");
            one.approval.principal = format!("p{}", n / MAX_OPEN_OF_ONE);
            one
        };
        let mut table = Table::default();
        for n in 0..MAX_OPEN_OF_ONE {
            table.add(of(n)).expect("there is room");
        }
        let mut more = of(0);
        more.approval.id = "more".into();
        assert_eq!(table.add(more), Err(Full), "of one principal");
        for n in MAX_OPEN_OF_ONE..MAX_OPEN {
            table.add(of(n)).expect("there is room");
        }
        assert_eq!(table.add(of(MAX_OPEN)), Err(Full));
        for n in 0..MAX_OPEN {
            let done = table.decide(&n.to_string(), &decision(false), (1, 1));
            done.expect("pending");
        }
        for n in MAX_OPEN..MAX_KEPT + 1 {
            table.add(of(n)).ok();
        }
        assert!(table.newest_first().count() <= MAX_KEPT);
    }
}
