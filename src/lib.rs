//! The library behind the `toolgate` program; each module is one floor or room of the house.

pub mod manifest;
pub mod model;
pub mod registry;
