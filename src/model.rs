//! The words every floor shares: what a plugin, a call and an answer are.

pub mod plugin_id;
