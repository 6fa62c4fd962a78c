//! What the rooms above talk about: plugins, callers, answers, faults. Words only: no I/O.

pub mod plugin_id;

pub mod caller;

pub mod client;

pub mod answer;

pub mod fault;

pub mod drawer;

pub mod offer;

pub mod event;

pub mod topic;

pub mod category;

pub mod risk;

pub(crate) mod text;

pub(crate) mod utc;
