//! Which incident a call belongs to: the one it names, else the one of its session.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::ledger::engine::StoreError;
use crate::ledger::ids::{self, Ids};
use crate::ledger::record::{Call, Incident};
use crate::ledger::store::Store;
use crate::ledger::text;

/// How many incidents are remembered; beyond that the database is asked again.
const MAX_KNOWN: usize = 10_000;

/// How long it is remembered that an incident is open. Another gateway may close it.
const FRESH: Duration = Duration::from_secs(10);

/// How many digits of a session's digest tell sessions apart.
const KEY: usize = 32;

/// How much of a session's id is shown: enough to tell sessions apart, too little to use one.
const SHOWN: usize = 8;

/// Remembers incidents.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// With the incident itself while it is not known to be written.
    of_sessions: HashMap<String, (u64, Option<Incident>)>,
    named: HashMap<u64, Known>,
}

#[derive(Debug, Clone)]
struct Known {
    incident: Option<Incident>,
    since: Instant,
}

/// What was found out about a call.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) incident: Option<u64>,
    /// The incident, where it begins with this call and is not written yet.
    pub(super) new: Option<Incident>,
    /// Whether the call names an incident that it cannot belong to.
    pub(super) strayed: bool,
}

impl Book {
    /// Finds the incident of a call.
    pub(super) async fn find(
        &mut self,
        call: &Call,
        store: &Store,
        ids: &Ids,
    ) -> Result<Found, StoreError> {
        if let Some(named) = &call.incident {
            let takes = match ids::read(named) {
                Some(id) => self.takes(id, &call.principal, store).await?.then_some(id),
                None => None,
            };
            return Ok(Found {
                incident: takes,
                new: None,
                strayed: takes.is_none(),
            });
        }
        match &call.session {
            Some(session) => self.of_session(session, &call.principal, store, ids).await,
            None => Ok(Found::default()),
        }
    }

    async fn of_session(
        &mut self,
        session: &str,
        principal: &str,
        store: &Store,
        ids: &Ids,
    ) -> Result<Found, StoreError> {
        let mut key = text::sha256(session.as_bytes());
        key.truncate(KEY);
        if let Some((id, new)) = self.of_sessions.get(&key) {
            return Ok(Found {
                incident: Some(*id),
                new: new.clone(),
                strayed: false,
            });
        }
        let known = store.incident_of_session(&key).await?;
        let new = known.is_none().then(|| Incident {
            id: ids.next(),
            title: format!("Session {}", shown(session)),
            principal: text::name(principal),
            session: Some(text::name(shown(session))),
            session_key: Some(key.clone()),
            ..Incident::default()
        });
        let id = known.or(new.clone()).map(|incident| incident.id);
        if let Some(id) = id {
            bounded(&mut self.of_sessions).insert(key, (id, new.clone()));
        }
        Ok(Found {
            incident: id,
            new,
            strayed: false,
        })
    }

    /// These are in the database.
    pub(super) fn written(&mut self, incidents: &[Incident]) {
        let keys = incidents
            .iter()
            .filter_map(|incident| incident.session_key.as_ref());
        for key in keys {
            if let Some((_, new)) = self.of_sessions.get_mut(key) {
                *new = None;
            }
        }
    }

    /// Whether calls of `principal` may belong to it.
    pub(super) async fn takes(
        &mut self,
        id: u64,
        principal: &str,
        store: &Store,
    ) -> Result<bool, StoreError> {
        let fresh = |known: &&Known| known.since.elapsed() < FRESH;
        let known = match self.named.get(&id).filter(fresh) {
            Some(known) => known.incident.clone(),
            None => {
                let incident = store.incident(id).await?;
                let known = Known {
                    incident: incident.clone(),
                    since: Instant::now(),
                };
                bounded(&mut self.named).insert(id, known);
                incident
            }
        };
        Ok(known.is_some_and(|known| {
            known.closed_ms.is_none() && (known.shared || known.principal == principal)
        }))
    }

    /// Forgets what is known of an incident.
    pub(super) fn forget(&mut self, id: u64) {
        self.named.remove(&id);
    }
}

/// The beginning of a session's id, as it is kept.
pub(super) fn shown(session: &str) -> &str {
    session.get(..SHOWN).unwrap_or(session)
}

fn bounded<K, V>(map: &mut HashMap<K, V>) -> &mut HashMap<K, V> {
    if map.len() >= MAX_KNOWN {
        map.clear();
    }
    map
}
