//! The library behind the `toolgate` program; each module is one floor or room of the house.

pub mod config;
pub mod dispatch;
pub mod front;
pub mod manifest;
pub mod model;
pub mod registry;
