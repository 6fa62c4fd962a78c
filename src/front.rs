//! The faces of the gateway: each turns its input into calls and tells its callers what came of them.

mod admin;

mod approvals;

pub mod auth;

mod background;

mod calls;

pub mod config;

mod denied;

pub mod desk;

mod events;

mod ext;

mod health;

mod live;

pub mod http;

mod incidents;

mod metrics;

mod openapi;

mod overview;

mod recorded;

mod rest;

mod scope;

mod settings;

pub mod rounds;

pub mod stdio;

mod outgoing;

mod subscription;

mod tasks;

mod tasks_of_users;

mod toggles;

mod session_client;
