//! Tokens that were verified, so that each costs a digest from then on.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crate::model::caller::Caller;

/// The SHA-256 of a token.
pub(super) type TokenDigest = [u8; 32];

/// How many are kept in each half.
const HALF: usize = 2_048;

/// Verified tokens. Those that are used are kept when others come.
#[derive(Default)]
pub(super) struct Kept(Mutex<Halves>);

#[derive(Default)]
struct Halves {
    /// The generation of keys that they were verified with.
    generation: u64,
    /// Those that were used lately.
    young: HashMap<TokenDigest, Entry>,
    /// Those that are forgotten next.
    old: HashMap<TokenDigest, Entry>,
}

#[derive(Clone)]
struct Entry {
    caller: Arc<Caller>,
    expires: SystemTime,
}

impl Kept {
    /// The caller of a token that was verified with keys of this generation and is still good.
    pub(super) fn get(
        &self,
        digest: &TokenDigest,
        generation: u64,
        now: SystemTime,
    ) -> Option<Arc<Caller>> {
        let mut halves = self.0.lock().expect("no holder of this lock panics");
        halves.begin(generation);
        let is_young = halves.young.get(digest).cloned();
        let entry = match is_young {
            Some(entry) => entry,
            None => {
                let entry = halves.old.remove(digest)?;
                halves.put(*digest, entry.clone());
                entry
            }
        };
        if entry.expires <= now {
            halves.young.remove(digest);
            return None;
        }
        Some(entry.caller)
    }

    /// Keeps a token until it expires, or until many others have come.
    pub(super) fn put(
        &self,
        digest: TokenDigest,
        generation: u64,
        caller: Arc<Caller>,
        expires: SystemTime,
    ) {
        let mut halves = self.0.lock().expect("no holder of this lock panics");
        halves.begin(generation);
        halves.put(digest, Entry { caller, expires });
    }
}

impl Halves {
    /// With other keys none of them may be good any more.
    fn begin(&mut self, generation: u64) {
        if self.generation != generation {
            self.generation = generation;
            self.young.clear();
            self.old.clear();
        }
    }

    fn put(&mut self, digest: TokenDigest, entry: Entry) {
        if self.young.len() >= HALF {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(digest, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn digest(number: usize) -> TokenDigest {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        digest
    }

    #[test]
    fn a_token_is_known_until_it_expires_or_the_keys_are_others() {
        let (kept, now) = (Kept::default(), SystemTime::now());
        let caller = Arc::new(Caller::anonymous());
        let later = now + Duration::from_secs(10);
        kept.put(digest(1), 1, Arc::clone(&caller), later);
        assert!(kept.get(&digest(1), 1, now).is_some());
        assert!(kept.get(&digest(2), 1, now).is_none());
        assert!(kept.get(&digest(1), 1, later).is_none());
        kept.put(digest(1), 1, caller, later);
        assert!(kept.get(&digest(1), 2, now).is_none());
        assert!(kept.get(&digest(1), 1, now).is_none(), "it is forgotten");
    }

    #[test]
    fn what_is_used_stays_and_the_number_is_bounded() {
        let (kept, now) = (Kept::default(), SystemTime::now());
        let caller = Arc::new(Caller::anonymous());
        let later = now + Duration::from_secs(10);
        for number in 0..5 * HALF {
            kept.put(digest(number), 0, Arc::clone(&caller), later);
            assert!(kept.get(&digest(0), 0, now).is_some(), "{number}");
        }
        let halves = kept.0.lock().expect("nobody panicked");
        assert!(halves.young.len() + halves.old.len() <= 2 * HALF);
        assert!(!halves.young.contains_key(&digest(1)) && !halves.old.contains_key(&digest(1)));
    }
}
