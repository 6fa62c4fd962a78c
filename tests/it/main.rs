//! Tests of the gateway as a whole: one program, one module per subject.

mod support;

mod smoke;
