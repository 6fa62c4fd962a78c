//! toolgate: an MCP gateway. Plugins become one MCP server, over stdio and streamable HTTP; tools also over plain HTTP.
//!
//! # The floors
//!
//! A module imports strictly lower floors and itself; `tests/house.rs` checks it.
//!
//! | floor | modules | |
//! |---|---|---|
//! | 7 | [`cli`], [`testing`], [`app`], [`config`], [`telemetry`] | put everything together |
//! | 6 | [`front`] | the faces: MCP over stdio and HTTP, plain HTTP |
//! | 5 | [`dispatch`] | the one way through |
//! | 4 | [`registry`], [`builtin`] | which plugins there are, what they offer, which instances run |
//! | 3 | [`runtime`] | how plugins come to life and are spoken to |
//! | 2 | [`manifest`], [`plugin`], [`session`], [`background`], [`schema`], [`events`], [`metrics`] | what the floors above are made of |
//! | 1 | [`model`] | words: who calls, what is answered, what went wrong |
//! | 0 | [`wire`] | bytes: the protocol over raw JSON; no I/O, no async, no clock |
//!
//! # The walk of one call
//!
//! A front reads a message ([`wire::message::Message::parse`]: one scan, arguments stay text), finds its
//! [`Caller`](model::caller::Caller) and hands both to [`dispatch::Dispatcher::request`]. There the audit record opens,
//! the [`Catalog`](registry::catalog::Catalog) finds the tool, prompt or resource if the caller may have it, the schema
//! is asked, the deadline starts, the [`Gate`](registry::gate::Gate) gives a permit and the
//! [`Pool`](registry::pool::Pool) an [`Instance`](runtime::Instance), which answers in the words of its era. The answer
//! is brought into the words of the caller's, the record closes, and the front writes the plugin's own bytes.
//!
//! What the plugin tells and asks on the way goes through the [`Client`](model::client::Client) of the call. A legacy
//! client is asked by a request. For a modern one the call is parked ([`front::rounds`]): its request is answered with
//! the question, and its next one goes on with the same call.
//!
//! # Writing a plugin
//!
//! Implement [`plugin::Plugin`], which offers tools, prompts and resources, and run a gateway that has it compiled in
//! with [`cli::main_with`]; `toolgate plugins new` makes such a crate, and skeletons for other runtimes and languages.
//! [`testing`] has what its tests need. Any server written with rmcp can be hosted by [`runtime::rmcp_host::host`].

#![cfg_attr(
    not(all(feature = "llm", feature = "shell")),
    allow(
        dead_code,
        unused_imports,
        reason = "what those that run programs share"
    )
)]

pub mod wire;

pub mod model;

pub mod background;
pub mod events;
pub mod ledger;
pub mod manifest;
pub mod metrics;
pub mod plugin;
pub mod schema;
pub mod session;

pub mod runtime;

pub mod builtin;
pub mod registry;

pub mod control;
pub mod dispatch;

pub mod front;

pub mod config;

pub mod app;
pub mod cli;
pub mod telemetry;
pub mod testing;
