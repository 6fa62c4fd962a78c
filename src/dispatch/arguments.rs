//! Arguments against the schema of the tool.

use crate::model::fault::{Fault, FaultKind};
use crate::registry::catalog::Entry;
use crate::wire::json::Json;
use crate::wire::message::Params;

/// Refuses arguments that do not fit; names the place. Absent ones are an empty object.
pub(super) fn check(entry: &Entry, params: &Params) -> Result<(), Fault> {
    let name = &entry.name;
    let schema = entry.schema().map_err(|why| {
        let message = format!("the `inputSchema` of `{name}` cannot be used: {why}");
        Fault::new(FaultKind::Broken, message).because("invalid_schema")
    })?;
    let checked = match params.members.get("arguments") {
        Some(arguments) => schema.check(arguments),
        None => schema.check(&Json::literal("{}")),
    };
    checked.map_err(|violation| {
        let what = format!("the arguments of `{name}` do not fit its schema {violation}");
        let message = match &violation.missing {
            Some(missing) => format!("Missing required parameter: {missing}; {what}"),
            None => what,
        };
        Fault::new(FaultKind::BadInput, message)
    })
}
