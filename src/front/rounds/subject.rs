//! What a call is about: whoever comes back for it must say the same again.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::front::rounds::seal::Bound;
use crate::model::caller::Caller;
use crate::wire::digest::{Digest, digest};
use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::method::Method;

/// Members of the params that differ from round to round.
const OF_ONE_ROUND: [&[u8]; 3] = [b"_meta", b"inputResponses", b"requestState"];

/// Who calls, what, and with which arguments.
pub(super) struct Subject {
    caller: Arc<Caller>,
    method: Method,
    /// What the digest is made of, should it be needed. Mostly a name and arguments.
    members: SmallVec<[(Bytes, Json); 2]>,
    digest: OnceLock<Digest>,
    rights: OnceLock<[u8; 32]>,
}

impl Subject {
    pub(super) fn new(caller: &Arc<Caller>, method: &Method, params: &Params) -> Self {
        let members = match may_be_parked(method) {
            true => params
                .members
                .shared()
                .filter(|(key, _)| !OF_ONE_ROUND.contains(&&key[..]))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            false => SmallVec::new(),
        };
        Self {
            caller: Arc::clone(caller),
            method: method.clone(),
            members,
            digest: OnceLock::new(),
            rights: OnceLock::new(),
        }
    }

    pub(super) fn principal(&self) -> &Arc<str> {
        &self.caller.principal
    }

    /// Whether it is a call of this caller, with the same rights.
    pub(super) fn is_of(&self, caller: &Caller) -> bool {
        *self.caller == *caller
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    /// Whether requests of its method may be answered by questions.
    pub(super) fn may_be_parked(&self) -> bool {
        may_be_parked(&self.method)
    }

    /// Made once.
    pub(super) fn digest(&self) -> &Digest {
        self.digest
            .get_or_init(|| digest(self.members.iter().map(|(key, value)| (&key[..], value))))
    }

    /// What a state for it is bound to.
    pub(super) fn bound(&self) -> Bound<'_> {
        Bound {
            principal: self.principal(),
            rights: self.rights.get_or_init(|| self.caller.rights().digest()),
            method: &self.method,
            params: self.digest(),
        }
    }
}

/// The methods that `input_required` may answer (MCP 2026-07-28, multi round-trip requests).
pub(super) fn may_be_parked(method: &Method) -> bool {
    matches!(
        method,
        Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead
    )
}
