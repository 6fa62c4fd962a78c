//! Tests of the gateway as a whole: one program, one module per subject.

mod support;

mod hostile;

mod smoke;

mod stdio_crash;

mod stdio_hang;
