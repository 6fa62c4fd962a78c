//! Tests of the gateway as a whole: one program, one module per subject.

mod support;

mod batches;

mod cancellation;

mod envelope;

mod eras;

mod framing;

mod health;

mod host_and_origin;

mod in_flight_ids;

mod list_changes;

mod mirrored_headers;

mod modern_requests;

mod openapi;

mod overload;

mod pipe;

mod rest;

mod sessions;

mod smoke;

mod stopping;

mod streams;

mod tokens;
