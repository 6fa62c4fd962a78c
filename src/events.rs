//! The event bus: what is published on a topic reaches everyone who asked for it.
//!
//! One contract ([`bus::Bus`]), two backends: in this process ([`memory::Memory`]), and Redis Streams
//! ([`redis::Redis`]), which several gateways share and which outlives them.

pub mod bus;

pub mod config;

pub mod subscription;

pub mod tail;

mod counts;

mod interest;

mod mint;

pub mod memory;

mod outbox;

pub mod redis;

use std::sync::Arc;

use crate::events::bus::Bus;
use crate::events::config::EventsConfig;
use crate::events::memory::Memory;
use crate::events::redis::Redis;

/// The bus that the settings ask for. Nothing is connected yet: that is the work of [`Bus::run`].
pub fn open(config: &EventsConfig) -> Arc<dyn Bus> {
    match &config.url {
        None => Arc::new(Memory::new(config)),
        Some(url) => Arc::new(Redis::new(url, config)),
    }
}
