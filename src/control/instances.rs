//! The instances that run: of which plugin, as which process, for whom.

use serde::Serialize;

use crate::registry::plugin::Plugin;
use crate::session::shown;

/// One instance of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InstanceInfo {
    /// Its plugin.
    pub plugin: String,
    /// Which start of the plugin it came from, counted from 1.
    pub instance: u64,
    /// The runtime it runs in.
    pub runtime: &'static str,
    /// Its process; `None` where it has none of its own: code in the gateway, remote servers.
    pub pid: Option<u32>,
    /// The first eight characters of the id of the session that has it to itself, as audit records have it.
    pub session: Option<String>,
    /// Seconds since it was started.
    pub age_seconds: f64,
    /// Bytes that its processes hold, where it has some.
    pub memory_bytes: Option<u64>,
    /// How many processes it has; 0 where nobody can tell, or has looked yet.
    pub processes: Option<usize>,
    /// Calls that it serves.
    pub calls: usize,
}

/// The instances of one plugin, the oldest first.
pub(super) fn of(plugin: &Plugin) -> impl Iterator<Item = InstanceInfo> + '_ {
    let present = plugin.pool.present().into_iter();
    present.map(|present| InstanceInfo {
        plugin: plugin.id().to_string(),
        instance: present.number,
        runtime: plugin.runtime.as_str(),
        pid: present.usage.map(|usage| usage.pid),
        session: present.session.map(|id| shown(&id).to_owned()),
        age_seconds: present.age.as_secs_f64(),
        memory_bytes: present.usage.map(|usage| usage.memory_bytes),
        processes: present.usage.map(|usage| usage.processes),
        calls: present.calls,
    })
}
