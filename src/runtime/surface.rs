//! Reading what a server offers, within bounds.

use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::manifest::limits::Limits;
use crate::model::fault::Fault;
use crate::runtime::client::{Peer, broken};
use crate::runtime::link::{Link, ask};
use crate::runtime::{Definition, Host, Omitted, Surface};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::{Outcome, Params};
use crate::wire::method::Method;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    tools: Vec<Json>,
    #[serde(default)]
    next_cursor: Option<String>,
}

/// Lists everything the server offers. Endless or oversized lists are cut, and the surface says so.
pub(crate) async fn read(
    link: &dyn Link,
    peer: &Peer,
    host: &Host,
    limits: &Limits,
) -> Result<Surface, Fault> {
    let mut surface = Surface {
        instructions: peer.instructions.clone(),
        ..Surface::default()
    };
    if !peer.has("tools") && peer.capabilities.bytes().len() > 2 {
        return Ok(surface);
    }
    let deadline = Duration::from_millis(limits.start_timeout_ms);
    let mut cursor: Option<String> = None;
    let mut seen = HashSet::new();
    let mut n_bytes = 0;
    for page in 1.. {
        let params = cursor.as_ref().map_or_else(Params::default, |cursor| {
            Params::of(&json!({ "cursor": cursor }))
        });
        let params = peer.outgoing(params, None, host);
        let result = match ask(link, &Method::ToolsList, params, deadline).await? {
            Outcome::Result(reply) => reply.result,
            Outcome::Error(error) => {
                return Err(broken(format!(
                    "the plugin refused `tools/list`: {} ({})",
                    error.message, error.code
                )));
            }
        };
        let found: Page = result.parse().map_err(|err| {
            broken("the plugin's answer to `tools/list` is malformed").caused_by(err)
        })?;
        for tool in found.tools {
            n_bytes += tool.bytes().len();
            if n_bytes > limits.max_message_bytes {
                let bound = limits.max_message_bytes;
                let reason =
                    format!("its lists are larger than {bound} bytes (`limits.max_message_bytes`)");
                surface.omit("the rest of its tools", reason);
                return Ok(surface);
            }
            if surface.tools.len() + surface.omitted.len() >= limits.max_tools {
                surface.omit(
                    "the rest of its tools",
                    format!(
                        "it lists more than {} (`limits.max_tools`)",
                        limits.max_tools
                    ),
                );
                return Ok(surface);
            }
            surface.add(&tool, limits);
        }
        match found.next_cursor {
            None => break,
            Some(next) if page >= limits.max_list_pages || !seen.insert(next.clone()) => {
                surface.omit(
                    "the rest of its tools",
                    format!("its list does not end within {page} pages (`limits.max_list_pages`)"),
                );
                break;
            }
            next => cursor = next,
        }
    }
    Ok(surface)
}

impl Surface {
    /// Takes a tool in, or says why not.
    pub(crate) fn add(&mut self, tool: &Json, limits: &Limits) {
        let Some(members) = Members::of(tool) else {
            return self.omit("a tool", "its definition is not an object");
        };
        let Some(name) = members
            .string("name")
            .filter(|name| !name.is_empty())
            .map(|name| name.into_owned())
        else {
            return self.omit("a tool", "its definition has no `name`");
        };
        if self.tools.iter().any(|known| *known.name == *name) {
            return self.omit(name, "the plugin lists two tools of this name");
        }
        if members
            .get("inputSchema")
            .is_none_or(|schema| !schema.is_object())
        {
            return self.omit(name, "its `inputSchema` is not an object");
        }
        if members
            .get("description")
            .is_some_and(|text| text.bytes().len() > limits.max_description_bytes)
        {
            let bound = limits.max_description_bytes;
            return self.omit(
                name,
                format!(
                    "its description is longer than {bound} bytes (`limits.max_description_bytes`)"
                ),
            );
        }
        self.tools.push(Definition {
            name: name.into(),
            members,
        });
    }

    /// Notes that something is not listed.
    pub(crate) fn omit(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        self.omitted.push(Omitted {
            name: name.into(),
            reason: reason.into(),
        });
    }
}
