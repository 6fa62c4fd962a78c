//! The one way through: every call passes the steps kept here.

pub mod config;
