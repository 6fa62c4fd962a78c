//! A plugin that asks, and a client that answers.

use serde_json::{Value, json};
use toolgate::plugin::{Plugin, ToolContext, ToolError, Tools};
use toolgate::wire::json::Json;
use toolgate::wire::level::LogLevel;
use toolgate::wire::message::Params;
use toolgate::wire::method::Method;

use crate::support::{Latch, Request, TestGateway, modern, plugin};

/// Arguments that no tool looks at.
type Anything = serde_json::Map<String, Value>;

/// What a client that can be asked everything says of itself.
pub(crate) fn capable() -> Value {
    json!({ "elicitation": {}, "sampling": {}, "roots": {} })
}

/// A call of a tool of `asker` by a client that can be asked.
pub(crate) fn params(tool: &str) -> Value {
    json!({
        "name": format!("asker__{tool}"),
        "arguments": { "b": 1.50, "a": [{ "y": 1, "x": null }] },
        "_meta": { "io.modelcontextprotocol/clientCapabilities": capable() },
    })
}

/// The same call again, with answers and the state of the answer that asked for them.
pub(crate) fn again(params: &Value, asked: &Value, responses: Value) -> Value {
    let mut params = params.clone();
    params["inputResponses"] = responses;
    params["requestState"] = asked["result"]["requestState"].clone();
    params
}

pub(crate) fn request(id: u32, params: &Value) -> Request {
    modern::request_of(&modern::message(id, "tools/call", params.clone()))
}

/// Sends a call on a connection of its own; the whole answer.
pub(crate) async fn send(gateway: &TestGateway, id: u32, params: &Value) -> Value {
    let answer = gateway.send(&request(id, params)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let message = answer.json();
    assert_eq!(message["id"], id);
    message
}

/// Sends the call again with answers.
pub(crate) async fn retry(
    gateway: &TestGateway,
    id: u32,
    asked: (&Value, &Value),
    responses: Value,
) -> Value {
    let (params, asked) = asked;
    send(gateway, id, &again(params, asked, responses)).await
}

/// The keys of what an answer asks for.
#[track_caller]
pub(crate) fn keys(answer: &Value) -> Vec<String> {
    let result = &answer["result"];
    assert_eq!(result["resultType"], "input_required", "{answer}");
    assert!(result["requestState"].is_string(), "{answer}");
    let requests = result["inputRequests"].as_object().expect("questions");
    requests.keys().cloned().collect()
}

/// The text of a complete answer.
#[track_caller]
pub(crate) fn text(answer: &Value) -> &str {
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    let text = answer["result"]["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("no text: {answer}"))
}

/// A refusal of the state: what it says.
#[track_caller]
pub(crate) fn refused(answer: &Value) -> &str {
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    answer["error"]["message"].as_str().expect("a message")
}

async fn user(context: &ToolContext, message: &str) -> Result<String, ToolError> {
    let params = json!({
        "message": message,
        "requestedSchema": { "type": "object", "properties": { "v": { "type": "string" } } },
    });
    asked(context, Method::Elicit, params).await
}

async fn asked(context: &ToolContext, method: Method, params: Value) -> Result<String, ToolError> {
    let answer = context.ask(method, Params::of(&params)).await;
    let answer = answer.map_err(|error| {
        let data = error.data.as_ref().map_or("", Json::as_str);
        ToolError::new(format!("{} {} {data}", error.code, error.message))
    })?;
    Ok(answer.as_str().to_owned())
}

/// The plugin. `held` is opened by what the test waits for: `wait` asks and then holds, `told` holds between two
/// questions.
pub(crate) fn plugin_of(held: &Latch) -> impl Plugin {
    let held = held.clone();
    plugin(move |tools: &mut Tools| {
        one_by_one(tools);
        at_once(tools);
        with_latch(tools, &held);
    })
}

fn one_by_one(tools: &mut Tools) {
    tools.add(
        "thrice",
        "Asks three times",
        |_: Anything, context: ToolContext| async move {
            let name = user(&context, "name?").await?;
            let model = json!({ "messages": [], "maxTokens": 9 });
            let model = asked(&context, Method::Sample, model).await?;
            let colour = user(&context, "colour?").await?;
            Ok::<_, ToolError>(format!("{name} {model} {colour}"))
        },
    );
    tools.add(
        "once",
        "Asks once",
        |_: Anything, context: ToolContext| async move { user(&context, "once?").await },
    );
}

fn at_once(tools: &mut Tools) {
    tools.add(
        "both",
        "Asks two things at once",
        |_: Anything, context: ToolContext| async move {
            let (one, two) = futures::join!(
                user(&context, "one?"),
                asked(&context, Method::RootsList, json!({}))
            );
            Ok::<_, ToolError>(format!("{} {}", one?, two?))
        },
    );
}

fn with_latch(tools: &mut Tools, held: &Latch) {
    let latch = held.clone();
    tools.add("hold", "Waits", move |_: Anything, _| {
        let latch = latch.clone();
        async move {
            latch.hold().await;
            Ok::<_, ToolError>("let go")
        }
    });
    let latch = held.clone();
    tools.add(
        "wait",
        "Asks, then waits",
        move |_: Anything, context: ToolContext| {
            let latch = latch.clone();
            async move {
                let answer = user(&context, "wait?").await?;
                latch.hold().await;
                Ok::<_, ToolError>(answer)
            }
        },
    );
    let latch = held.clone();
    tools.add(
        "late",
        "Waits, then asks",
        move |_: Anything, context: ToolContext| {
            let latch = latch.clone();
            async move {
                latch.hold().await;
                user(&context, "late?").await
            }
        },
    );
    let latch = held.clone();
    tools.add(
        "told",
        "Tells while it asks",
        move |_: Anything, context: ToolContext| {
            let latch = latch.clone();
            async move {
                context.progress(1.0, None, Some("before"));
                let asked = user(&context, "told?");
                let telling = async {
                    latch.hold().await;
                    context.progress(2.0, None, Some("between"));
                    context.log(LogLevel::Info, None, "a little");
                    context.log(LogLevel::Error, None, "much");
                    latch.hold().await;
                };
                let (answer, ()) = futures::join!(asked, telling);
                context.progress(3.0, None, Some("after"));
                answer
            }
        },
    );
}

/// A gateway with the plugin and this configuration.
pub(crate) async fn gateway(config: &str, held: &Latch) -> TestGateway {
    TestGateway::builder()
        .config(config)
        .plugin("asker", plugin_of(held))
        .build()
        .await
}
