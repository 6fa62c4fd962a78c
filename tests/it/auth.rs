//! Who may do what: tokens of an authorization server, scopes, read-only credentials, and what nobody gets by asking.

mod changes;

mod issued;

mod read_only;

mod scopes;

mod sessions;

mod settings;

mod shipped;

mod written;

use serde_json::{Value, json};
use toolgate::plugin::{ToolContext, ToolError, Tools};
use toolgate::wire::json::Json;

use crate::support::issuer::Issuer;
use crate::support::{Answer, TestGateway, plugin};

/// What tokens for this gateway are issued for.
fn audience(gateway: &TestGateway) -> String {
    format!("http://{}/mcp", gateway.address)
}

/// A gateway that trusts `issuer`, with a plugin `who` whose tool says who calls.
async fn trusting(issuer: &Issuer, lines: &str, more: &str) -> TestGateway {
    let who = plugin(|tools: &mut Tools| {
        let definition = r#"{"name":"am_i","inputSchema":{"type":"object"}}"#;
        tools.raw(Json::literal(definition), |_, context: ToolContext| {
            let name = context.caller().principal.to_string();
            let result = json!({ "content": [{ "type": "text", "text": name }] });
            std::future::ready(Ok::<_, ToolError>(Json::of(&result)))
        });
    });
    TestGateway::builder()
        .config(&format!(
            "{}{more}\n[plugins.clock]\n",
            issuer.section(lines)
        ))
        .plugin("who", who)
        .build()
        .await
}

fn names(list: &Answer) -> Vec<String> {
    let list = list.json();
    let tools = list["result"]["tools"].as_array().or(list.as_array());
    let tools = tools.unwrap_or_else(|| panic!("no list: {list}")).iter();
    let listed = tools.filter(|tool| tool["listed"] != Value::Bool(false));
    listed
        .map(|tool| tool["name"].as_str().expect("a name").to_owned())
        .collect()
}
