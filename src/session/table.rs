//! The table of sessions that clients reach by id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::model::caller::{Caller, ClientProfile, Rights};
use crate::session::Session;
use crate::session::streams::Replay;

/// The bounds of a table.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The most sessions at once.
    pub max: usize,
    /// The most sessions of one principal.
    pub max_per_principal: usize,
    /// How long an unused session is kept.
    pub idle: Duration,
    /// How long any session is kept.
    pub total: Duration,
    /// What each keeps for a client that comes back.
    pub replay: Replay,
}

/// How long a session must have been unused before another may take its place in a full table.
const SPARED: Duration = Duration::from_secs(60);

/// The sessions of one front.
#[derive(Debug)]
pub struct Sessions {
    bounds: Bounds,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    sessions: HashMap<Arc<str>, Owned>,
    per_principal: HashMap<Arc<str>, usize>,
    /// No session can be evicted before this: spares a full table from being searched at every refusal.
    nothing_to_evict_before: Option<Instant>,
}

/// A session, and what its caller might do when it opened it.
#[derive(Debug)]
struct Owned {
    session: Arc<Session>,
    rights: Rights,
}

impl Sessions {
    /// An empty table.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            table: Mutex::default(),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no holder of this lock panics")
    }

    /// Opens a session for `caller`. `None` when the table is full of sessions that are in use.
    pub fn open(&self, caller: &Caller, profile: Arc<ClientProfile>) -> Option<Arc<Session>> {
        let principal = &caller.principal;
        let now = Instant::now();
        let mut table = self.table();
        let of_principal = table.per_principal.get(principal).copied().unwrap_or(0);
        let full = table.sessions.len() >= self.bounds.max;
        let has_its_share = of_principal >= self.bounds.max_per_principal;
        if has_its_share || full {
            let only = has_its_share.then_some(principal);
            let evicted = table.evict(only, now)?;
            drop(table);
            evicted.end();
            table = self.table();
        }
        let id = new_id();
        let session = Session::with_replay(id, Arc::clone(principal), profile, self.bounds.replay);
        *table
            .per_principal
            .entry(Arc::clone(principal))
            .or_default() += 1;
        let owned = Owned {
            session: Arc::clone(&session),
            rights: caller.rights(),
        };
        table.sessions.insert(Arc::clone(&session.id), owned);
        Some(session)
    }

    /// The session `id`, if it is alive and belongs to `caller`. Someone else's is answered like an unknown one, and so is
    /// one that was opened with other rights: what may be done in it was decided by those.
    pub fn get(&self, id: &str, caller: &Caller) -> Option<Arc<Session>> {
        let (session, has_its_rights) = {
            let table = self.table();
            let owned = table.sessions.get(id)?;
            (Arc::clone(&owned.session), caller.has(&owned.rights))
        };
        let principal = &*caller.principal;
        if &*session.principal != principal {
            tracing::warn!(target: "toolgate::audit", ?principal, "Refused a session of another principal");
            return None;
        }
        if !has_its_rights {
            tracing::warn!(target: "toolgate::audit", ?principal, "Refused a session that was opened with other rights");
            return None;
        }
        if self.is_over(&session, Instant::now()) {
            self.close(&session);
            return None;
        }
        Some(session)
    }

    /// Whether there is a session `id`, whoever may use it.
    pub fn knows(&self, id: &str) -> bool {
        self.table().sessions.contains_key(id)
    }

    /// Ends a session and forgets it.
    pub fn close(&self, session: &Session) {
        self.table().forget(session);
        session.end();
    }

    /// Ends the sessions whose time is up; the others forget what they have kept for long enough.
    pub fn sweep(&self) {
        let now = Instant::now();
        let mut over = Vec::new();
        for Owned { session, .. } in self.table().sessions.values() {
            if self.is_over(session, now) {
                over.push(Arc::clone(session));
            } else {
                session.sweep(now);
            }
        }
        over.iter().for_each(|session| self.close(session));
    }

    /// Ends all sessions.
    pub fn close_all(&self) {
        let all: Vec<_> = {
            let table = self.table();
            let all = table.sessions.values();
            all.map(|owned| Arc::clone(&owned.session)).collect()
        };
        all.iter().for_each(|session| self.close(session));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table().sessions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn is_over(&self, session: &Session, now: Instant) -> bool {
        let (last_used, opened) = session.times();
        now.duration_since(opened) >= self.bounds.total
            || (now.saturating_duration_since(last_used) >= self.bounds.idle && session.is_idle())
    }
}

impl Table {
    /// Takes out the session that has been unused longest, among those of `only` if given.
    fn evict(&mut self, only: Option<&Arc<str>>, now: Instant) -> Option<Arc<Session>> {
        if self.nothing_to_evict_before.is_some_and(|then| now < then) {
            return None;
        }
        let mine =
            |session: &&Arc<Session>| only.is_none_or(|principal| session.principal == *principal);
        let idle = self
            .sessions
            .values()
            .map(|owned| &owned.session)
            .filter(mine)
            .filter(|session| session.is_idle());
        let oldest = idle
            .map(|session| (session.times().0, session))
            .min_by_key(|(used, _)| *used);
        match oldest {
            Some((used, session)) if now.saturating_duration_since(used) >= SPARED => {
                let session = Arc::clone(session);
                self.forget(&session);
                Some(session)
            }
            Some((used, _)) if only.is_none() => {
                self.nothing_to_evict_before = Some(used + SPARED);
                None
            }
            _ => None,
        }
    }

    fn forget(&mut self, session: &Session) {
        if self.sessions.remove(&session.id).is_none() {
            return;
        }
        if let Some(count) = self.per_principal.get_mut(&session.principal) {
            *count -= 1;
            if *count == 0 {
                self.per_principal.remove(&session.principal);
            }
        }
    }
}

/// 128 bits from the system's generator, as hexadecimal digits.
pub fn new_id() -> Arc<str> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).expect("the system has a random generator");
    bits.iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0'))
        .collect::<String>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(max: usize, idle_ms: u64) -> Sessions {
        let idle = Duration::from_millis(idle_ms);
        Sessions::new(Bounds {
            max,
            max_per_principal: max,
            idle,
            total: Duration::from_secs(60),
            replay: Replay::default(),
        })
    }

    fn caller(principal: &str) -> Caller {
        Caller {
            principal: principal.into(),
            ..Caller::anonymous()
        }
    }

    fn open(sessions: &Sessions, principal: &str) -> Option<Arc<Session>> {
        sessions.open(&caller(principal), Arc::new(ClientProfile::bare()))
    }

    #[test]
    fn a_session_is_found_by_its_principal_with_the_same_rights_only() {
        let sessions = table(4, 60_000);
        let session = open(&sessions, "ann").expect("room");
        assert!(sessions.get(&session.id, &caller("ann")).is_some());
        assert!(sessions.get(&session.id, &caller("bob")).is_none());
        let less = Caller {
            read_only: true,
            ..caller("ann")
        };
        assert!(sessions.get(&session.id, &less).is_none());
        sessions.close(&session);
        assert!(sessions.get(&session.id, &caller("ann")).is_none());
        assert!(sessions.is_empty());
    }

    #[test]
    fn a_full_table_refuses_and_spares_what_is_fresh() {
        let sessions = table(2, 60_000);
        let kept = [open(&sessions, "ann"), open(&sessions, "ann")];
        assert!(kept.iter().all(Option::is_some));
        assert!(open(&sessions, "ann").is_none());
        assert!(open(&sessions, "bob").is_none());
    }

    #[test]
    fn an_idle_session_ends_and_one_in_use_does_not() {
        let sessions = table(4, 0);
        let idle = open(&sessions, "ann").expect("room");
        let busy = open(&sessions, "ann").expect("room");
        let _request = busy.begin(&crate::wire::message::Id::number(1));
        sessions.sweep();
        assert!(idle.ended().is_cancelled() && !busy.ended().is_cancelled());
        assert_eq!(sessions.len(), 1);
    }

    #[test]
    fn ids_are_unguessable_and_printable() {
        let (one, two) = (new_id(), new_id());
        assert_eq!(one.len(), 32);
        assert_ne!(one, two);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
