//! The words and bytes of the protocol: JSON-RPC over raw JSON, revisions, methods, headers, framing.
//!
//! Floor 0. Pure: no I/O, no async, no clock. Every message is scanned once; what lies in arguments and results stays
//! the text it came in.

pub mod json;

pub mod members;

pub mod message;

pub mod method;

pub mod list;

pub mod cache;

pub mod revision;

pub mod trace;

pub mod meta;

pub mod error;

pub mod level;

pub mod line;

pub mod header;

pub(crate) mod digest;

pub(crate) mod hex;

pub mod sse;

pub mod uri_template;
