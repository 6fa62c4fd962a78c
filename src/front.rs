//! The faces of the gateway: each turns its input into calls and tells its callers what came of them.

mod admin;

pub mod auth;

pub mod config;

pub mod desk;

mod ext;

mod health;

pub mod http;

mod openapi;

mod rest;

mod scope;

pub mod rounds;

pub mod stdio;

mod outgoing;

mod subscription;

mod tasks;

mod session_client;
