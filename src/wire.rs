//! Bytes and words of the protocol: no I/O, no async, no clock.

pub mod header;
pub mod line;
pub mod sse;
