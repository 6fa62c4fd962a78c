//! What the tests stand on: a gateway in this process, and clients that can also say what no good client says.

mod deadline;

mod gateway;

mod http;

pub(crate) mod issuer;

mod legacy;

pub(crate) mod modern;

mod plugins;

mod postgres;

mod program;

pub(crate) mod prometheus;

pub(crate) mod question;

pub(crate) mod redis;

pub(crate) mod records;

mod shell;

mod site;

pub(crate) mod stand_in;

mod stdio;

pub(crate) use deadline::{until, within};
pub(crate) use gateway::TestGateway;
pub(crate) use http::{Answer, Connection, Event, Request};
pub(crate) use legacy::{LegacySession, able};
pub(crate) use plugins::{Latch, asker, plugin};
pub(crate) use postgres::Postgres;
pub(crate) use program::{Piped, Program};
pub(crate) use shell::shell;
pub(crate) use site::Site;
pub(crate) use stdio::StdioClient;
