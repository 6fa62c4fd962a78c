//! Tests of the gateway as a whole: one program, one module per subject.

mod support;

mod health;

mod openapi;

mod rest;

mod smoke;
