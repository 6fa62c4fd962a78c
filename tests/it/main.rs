//! Tests of the gateway as a whole: one program, one module per subject.

mod support;

mod binary;

mod fidelity;

mod hostile;

mod runtimes;

mod smoke;

mod stdio_babble;

mod stdio_calls;

mod stdio_crash;

mod stdio_ends;

mod stdio_hang;

mod stdio_lists;

mod stdio_start;
