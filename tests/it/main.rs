//! Tests of the gateway as a whole: one program, one module per subject.

mod support;

mod batches;
mod binary;
mod cancellation;
mod envelope;
mod eras;
mod fidelity;
mod framing;
mod health;
mod host_and_origin;
mod hostile;
mod in_flight_ids;
mod list_changes;
mod mirrored_headers;
mod modern_requests;
mod openapi;
mod overload;
mod pipe;
mod questions;
mod rest;
mod resumption;
mod rounds;
mod runtimes;
mod sessions;
mod smoke;
mod stdio_babble;
mod stdio_calls;
mod stdio_crash;
mod stdio_ends;
mod stdio_hang;
mod stdio_lists;
mod stdio_start;
mod stopping;
mod streams;
mod tokens;
