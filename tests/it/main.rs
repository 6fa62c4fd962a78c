//! Tests of the gateway as a whole: one program, one module per subject.

mod support;

mod binary;

mod hostile;

mod smoke;

mod stdio_babble;

mod stdio_crash;

mod stdio_ends;

mod stdio_hang;

mod stdio_lists;
