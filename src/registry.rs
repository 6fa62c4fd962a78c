//! Which plugins there are and in which order they live.

pub mod discover;
pub mod order;
