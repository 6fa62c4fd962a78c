//! The faces turned to clients: stdio, HTTP and REST.

pub mod config;
