//! Arguments that are repeated in headers, as a server's tools ask for with `x-mcp-header` (MCP 2026-07-28, streamable
//! HTTP).

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::memmem;
use serde_json::Value;

use crate::runtime::mcp_http::trouble::Upstream;
use crate::runtime::{Definition, Listing, Omitted};
use crate::wire::header::{ParamHeader, mirror, param_headers};
use crate::wire::message::Params;

/// The mirrored arguments of the tools that have any.
#[derive(Debug, Default)]
pub(super) struct Mirrors(HashMap<Arc<str>, Vec<ParamHeader>>);

impl Mirrors {
    /// Finds them in `listing`, and takes tools out whose annotations are wrong: they must not be listed.
    pub(super) fn of(listing: &mut Listing, upstream: &Upstream) -> Self {
        let mut found = HashMap::new();
        let Listing {
            definitions,
            omitted,
            ..
        } = listing;
        definitions.retain(|tool| match annotations(tool) {
            Ok(params) => {
                if !params.is_empty() {
                    found.insert(Arc::clone(&tool.name), params);
                }
                true
            }
            Err(why) => {
                tracing::warn!(plugin.id = %upstream.plugin, tool.name = %tool.name, "Does not list a tool: {why}");
                omitted.push(Omitted {
                    name: tool.name.to_string(),
                    reason: format!("its `inputSchema` is invalid at {why}"),
                });
                false
            }
        });
        Self(found)
    }

    /// Writes the headers of one `tools/call`.
    pub(super) fn write(&self, params: &Params, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        let name = params.members.string("name");
        let Some(mirrored) = name.and_then(|name| self.0.get(&*name)) else {
            return;
        };
        let arguments = params.members.get("arguments");
        let Some(arguments) = arguments.and_then(|text| text.parse::<Value>().ok()) else {
            return;
        };
        for (name, value) in mirror(mirrored, &arguments) {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
                headers.insert(name, value);
            }
        }
    }
}

fn annotations(tool: &Definition) -> Result<Vec<ParamHeader>, String> {
    let Some(schema) = tool.members.get("inputSchema") else {
        return Ok(Vec::new());
    };
    // Few tools have any, and most schemas need not be taken apart. An escape could hide the word.
    let may_have = memmem::find(schema.bytes(), b"x-mcp-header").is_some()
        || memmem::find(schema.bytes(), b"\\u").is_some();
    if !may_have {
        return Ok(Vec::new());
    }
    let schema: Value = schema.parse().map_err(|err| err.to_string())?;
    param_headers(&schema).map_err(|err| err.to_string())
}
