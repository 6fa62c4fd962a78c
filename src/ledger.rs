//! What is remembered beyond the life of the process.

pub mod documents;
