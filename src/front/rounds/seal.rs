//! What a client carries for us between two rounds: sealed, so that it can neither be read nor altered nor used
//! elsewhere.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use tokio::time::Instant;

use crate::wire::digest::Digest;
use crate::wire::method::Method;

/// The length of a key, in bytes.
const KEY_LEN: usize = 32;

/// The first byte of what is sealed says what follows the time.
const PARKED: u8 = 1;
const OF_PLUGIN: u8 = 2;

/// Seals and opens `requestState` (MCP 2026-07-28, multi round-trip requests). The key lives as long as this process, so
/// what an earlier one has sealed is refused.
pub(super) struct Seal {
    key: LessSafeKey,
    /// No nonce is used twice under one key: they are counted.
    sealed: AtomicU64,
    /// What times are counted from. Nobody sets this clock.
    epoch: Instant,
}

/// What a state is good for, and nothing else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound<'a> {
    pub(super) principal: &'a str,
    /// What that may do, as a digest.
    pub(super) rights: &'a [u8; 32],
    pub(super) method: &'a Method,
    pub(super) params: &'a Digest,
}

/// What is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// A parked call, and the round in which the client was asked.
    Parked { id: u128, round: u32 },
    /// The state of a modern plugin.
    OfPlugin(String),
}

/// Why a state is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsealed {
    /// Altered, made up, sealed by another process, or sealed for another principal, other rights, another method or
    /// other arguments.
    #[error("it is not one that this request was answered with")]
    Foreign,
    /// Its time is up.
    #[error("it has expired")]
    Expired,
}

impl Seal {
    /// A seal with a new key from the system's generator.
    pub(super) fn new() -> Self {
        let mut key = [0; KEY_LEN];
        getrandom::fill(&mut key).expect("the system has a random generator");
        let key = UnboundKey::new(&AES_256_GCM, &key).expect("the key has the algorithm's length");
        Self {
            key: LessSafeKey::new(key),
            sealed: AtomicU64::new(0),
            epoch: Instant::now(),
        }
    }

    /// Seals `state` until `expires`.
    pub(super) fn seal(&self, state: &State, bound: &Bound<'_>, expires: Instant) -> String {
        let mut text = Vec::with_capacity(64);
        let (kind, content) = match state {
            State::Parked { id, round } => {
                let content = [&id.to_be_bytes()[..], &round.to_be_bytes()].concat();
                (PARKED, content)
            }
            State::OfPlugin(state) => (OF_PLUGIN, state.clone().into_bytes()),
        };
        text.push(kind);
        text.extend_from_slice(&self.since_epoch(expires).to_be_bytes());
        text.extend_from_slice(&content);
        let nonce = self.next_nonce();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                bound.to_aad(),
                &mut text,
            )
            .expect("a state is far smaller than what one seal may hold");
        URL_SAFE_NO_PAD.encode([&nonce[..], &text].concat())
    }

    /// Opens a sealed state for what it is bound to.
    pub(super) fn open(&self, sealed: &str, bound: &Bound<'_>) -> Result<State, Unsealed> {
        let mut text = URL_SAFE_NO_PAD
            .decode(sealed)
            .map_err(|_| Unsealed::Foreign)?;
        let (nonce, text) = text
            .split_at_mut_checked(NONCE_LEN)
            .ok_or(Unsealed::Foreign)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unsealed::Foreign)?;
        let text = self.key.open_in_place(nonce, bound.to_aad(), text);
        let text = text.map_err(|_| Unsealed::Foreign)?;
        let (kind, text) = text.split_first().ok_or(Unsealed::Foreign)?;
        let (expires, content) = text.split_first_chunk().ok_or(Unsealed::Foreign)?;
        if u64::from_be_bytes(*expires) <= self.since_epoch(Instant::now()) {
            return Err(Unsealed::Expired);
        }
        read(*kind, content).ok_or(Unsealed::Foreign)
    }

    fn next_nonce(&self) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        let number = self.sealed.fetch_add(1, Ordering::Relaxed);
        nonce[NONCE_LEN - size_of::<u64>()..].copy_from_slice(&number.to_be_bytes());
        nonce
    }

    /// In microseconds.
    fn since_epoch(&self, time: Instant) -> u64 {
        let since: Duration = time.saturating_duration_since(self.epoch);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

fn read(kind: u8, content: &[u8]) -> Option<State> {
    match kind {
        PARKED => {
            let (id, round) = content.split_first_chunk()?;
            Some(State::Parked {
                id: u128::from_be_bytes(*id),
                round: u32::from_be_bytes(round.try_into().ok()?),
            })
        }
        OF_PLUGIN => Some(State::OfPlugin(String::from_utf8(content.to_vec()).ok()?)),
        _ => None,
    }
}

impl Bound<'_> {
    /// Each part with its length before it, so that no two bounds are the same bytes.
    fn to_aad(self) -> Aad<Vec<u8>> {
        let mut bytes = Vec::with_capacity(96);
        for part in [
            self.principal.as_bytes(),
            &self.rights[..],
            self.method.as_str().as_bytes(),
            &self.params[..],
        ] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        Aad::from(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Bound<'static> = Bound {
        principal: "ann",
        rights: &[6; 32],
        method: &Method::ToolsCall,
        params: &[7; 32],
    };

    fn states() -> [State; 3] {
        let id = 0x0123_4567_89ab_cdef;
        [
            State::Parked { id, round: 1 },
            State::OfPlugin("opaque é".to_owned()),
            State::OfPlugin(String::new()),
        ]
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn what_is_sealed_is_opened_and_does_not_repeat() {
        let seal = Seal::new();
        for state in states() {
            let sealed = seal.seal(&state, &BOUND, soon());
            assert_eq!(seal.open(&sealed, &BOUND), Ok(state.clone()));
            assert_ne!(seal.seal(&state, &BOUND, soon()), sealed);
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            assert!(sealed.bytes().all(is_plain), "{sealed}");
        }
    }

    #[tokio::test]
    async fn a_change_of_any_byte_is_seen() {
        let seal = Seal::new();
        for state in states() {
            let sealed = seal.seal(&state, &BOUND, soon());
            let bytes = URL_SAFE_NO_PAD.decode(&sealed).expect("it is base64");
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut altered = bytes.clone();
                    altered[at] ^= 1 << bit;
                    let altered = URL_SAFE_NO_PAD.encode(&altered);
                    assert_eq!(seal.open(&altered, &BOUND), Err(Unsealed::Foreign));
                }
                let cut = URL_SAFE_NO_PAD.encode(&bytes[..at]);
                assert_eq!(seal.open(&cut, &BOUND), Err(Unsealed::Foreign));
            }
            for not in ["", "?", "AAAA", &format!("{sealed}=")] {
                assert_eq!(seal.open(not, &BOUND), Err(Unsealed::Foreign), "{not}");
            }
        }
    }

    #[tokio::test]
    async fn a_state_is_good_for_one_principal_method_and_arguments() {
        let seal = Seal::new();
        let sealed = seal.seal(&states()[0], &BOUND, soon());
        let others = [
            Bound {
                principal: "bob",
                ..BOUND
            },
            Bound {
                principal: "anntools/",
                ..BOUND
            },
            Bound {
                rights: &[7; 32],
                ..BOUND
            },
            Bound {
                method: &Method::PromptsGet,
                ..BOUND
            },
            Bound {
                params: &[8; 32],
                ..BOUND
            },
        ];
        for other in others {
            let opened = seal.open(&sealed, &other);
            assert_eq!(opened, Err(Unsealed::Foreign), "{other:?}");
        }
        assert_eq!(Seal::new().open(&sealed, &BOUND), Err(Unsealed::Foreign));
    }

    #[tokio::test(start_paused = true)]
    async fn a_state_expires() {
        let seal = Seal::new();
        let sealed = seal.seal(&states()[1], &BOUND, soon());
        tokio::time::advance(Duration::from_millis(59_999)).await;
        assert!(seal.open(&sealed, &BOUND).is_ok());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(seal.open(&sealed, &BOUND), Err(Unsealed::Expired));
    }
}
