//! Who waits for whom, and who is at the head of all that wait.

use std::collections::{BTreeMap, BTreeSet};

/// A session that waits.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) pid: i32,
    /// Seconds that it has waited.
    pub(super) seconds: f64,
    /// Seconds that its transaction has been open.
    pub(super) transaction_seconds: f64,
    /// For whom. 0 stands for transactions that are prepared and have no session.
    pub(super) blocked_by: Vec<i32>,
}

/// A session that others wait for and that waits for none, or the one to end of those that wait in a circle.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub(super) pid: i32,
    /// How many wait for it, directly or behind others.
    pub(super) blocks: usize,
    /// The longest that any of them has waited, in seconds.
    pub(super) longest_seconds: f64,
    /// Those that wait in a circle, itself among them; empty where it waits for nobody.
    pub(super) circle: Vec<i32>,
}

/// The heads: circles first, then those that most wait for, then those that are waited for the longest.
pub(super) fn heads(waits: &[Waiting]) -> Vec<Head> {
    let mut followers: BTreeMap<i32, BTreeSet<i32>> = BTreeMap::new();
    for wait in waits {
        for blocker in &wait.blocked_by {
            followers.entry(*blocker).or_default().insert(wait.pid);
        }
    }
    let by_pid: BTreeMap<i32, &Waiting> = waits.iter().map(|wait| (wait.pid, wait)).collect();
    let head = |pid: i32, behind: &BTreeSet<i32>, circle: Vec<i32>| Head {
        pid,
        blocks: behind.iter().filter(|other| **other != pid).count(),
        longest_seconds: behind
            .iter()
            .filter_map(|pid| by_pid.get(pid))
            .fold(0.0, |longest: f64, wait| longest.max(wait.seconds)),
        circle,
    };
    let mut heads = Vec::new();
    let mut left: BTreeSet<i32> = by_pid.keys().copied().collect();
    for pid in followers.keys().filter(|pid| !by_pid.contains_key(pid)) {
        let behind = behind(*pid, &followers);
        left.retain(|pid| !behind.contains(pid));
        heads.push(head(*pid, &behind, Vec::new()));
    }
    // Who is behind no root is in a circle, or behind one.
    while let Some(pid) = left.pop_first() {
        let own = behind(pid, &followers);
        if !own.contains(&pid) {
            continue;
        }
        let circle: Vec<i32> = own
            .iter()
            .copied()
            .filter(|other| behind(*other, &followers).contains(&pid))
            .collect();
        left.retain(|pid| !circle.contains(pid));
        let age = |pid: &i32| by_pid.get(pid).map_or(0.0, |wait| wait.transaction_seconds);
        let youngest = circle
            .iter()
            .copied()
            .min_by(|one, other| age(one).total_cmp(&age(other)));
        heads.push(head(youngest.unwrap_or(pid), &own, circle));
    }
    heads.sort_by(|one, other| {
        let rank = |head: &Head| (head.circle.is_empty(), usize::MAX - head.blocks);
        let longest = other.longest_seconds.total_cmp(&one.longest_seconds);
        rank(one).cmp(&rank(other)).then(longest)
    });
    heads
}

/// All that wait for this one, directly or behind others; itself where it waits in a circle.
fn behind(pid: i32, followers: &BTreeMap<i32, BTreeSet<i32>>) -> BTreeSet<i32> {
    let (mut found, mut next) = (BTreeSet::new(), vec![pid]);
    while let Some(pid) = next.pop() {
        let direct = followers.get(&pid).into_iter().flatten();
        next.extend(direct.filter(|follower| found.insert(**follower)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits as (who, for how long, for whom); the transactions are as old as their processes' numbers.
    fn check(waits: &[(i32, f64, &[i32])], expect: &[(i32, usize, f64, &[i32])]) {
        let waits: Vec<Waiting> = waits
            .iter()
            .map(|(pid, seconds, blocked_by)| Waiting {
                pid: *pid,
                seconds: *seconds,
                transaction_seconds: f64::from(*pid),
                blocked_by: blocked_by.to_vec(),
            })
            .collect();
        let expect: Vec<Head> = expect
            .iter()
            .map(|(pid, blocks, longest_seconds, circle)| Head {
                pid: *pid,
                blocks: *blocks,
                longest_seconds: *longest_seconds,
                circle: circle.to_vec(),
            })
            .collect();
        assert_eq!(heads(&waits), expect, "{waits:?}");
    }

    #[test]
    fn the_head_waits_for_nobody_or_is_the_youngest_of_a_circle() {
        check(&[], &[]);
        // A queue: 3 behind 2 behind 1.
        check(&[(2, 5.0, &[1]), (3, 9.0, &[2])], &[(1, 2, 9.0, &[])]);
        // Two heads: who holds up more comes first.
        check(
            &[(3, 1.0, &[1]), (4, 9.0, &[2]), (5, 1.0, &[1, 1])],
            &[(1, 2, 1.0, &[]), (2, 1, 9.0, &[])],
        );
        // One behind two heads counts for both; the longer wait comes first.
        check(
            &[(3, 1.0, &[1, 2]), (4, 2.0, &[2])],
            &[(2, 2, 2.0, &[]), (1, 1, 1.0, &[])],
        );
        // A circle of 5 and 6, 7 behind it; before a root with more.
        check(
            &[
                (5, 1.0, &[6]),
                (6, 2.0, &[5]),
                (7, 3.0, &[6]),
                (8, 1.0, &[1]),
                (9, 1.0, &[1]),
                (10, 1.0, &[1]),
            ],
            &[(5, 2, 3.0, &[5, 6]), (1, 3, 1.0, &[])],
        );
        // A circle that hangs on a root is the root's.
        check(&[(5, 1.0, &[6]), (6, 2.0, &[5, 1])], &[(1, 2, 2.0, &[])]);
        // A transaction that is prepared has no session.
        check(&[(2, 1.0, &[0])], &[(0, 1, 1.0, &[])]);
    }
}
