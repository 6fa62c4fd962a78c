//! Calls that ask a modern client in their middle, over several requests.

pub(crate) mod asker;

mod bounds;

mod http;

mod pipe;

mod states;

mod upstream;
