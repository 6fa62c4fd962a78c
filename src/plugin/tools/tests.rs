//! What definitions of tools look like.

use super::*;
use crate::plugin::{Structured, ToolContext};

#[derive(Deserialize, JsonSchema)]
struct Pair {
    /// The first one.
    a: i64,
    #[serde(default)]
    b: i64,
}

#[derive(Serialize, JsonSchema)]
struct Sum {
    /// Both together.
    sum: i64,
}

fn definitions(tools: Tools) -> Vec<String> {
    let text = |tool: BuiltTool| match tool.definition {
        Ok(json) => json.as_str().to_owned(),
        Err(problem) => format!("{}: {problem}", tool.name),
    };
    tools.build().into_iter().map(text).collect()
}

#[test]
fn a_typed_tool_is_defined_by_its_types_and_options() {
    let mut tools = Tools::default();
    tools
        .add("sum", "Adds two numbers", |args: Pair, _| async move {
            Ok::<_, ToolError>(Structured(Sum {
                sum: args.a + args.b,
            }))
        })
        .title("Sum")
        .read_only()
        .category(Category::Diagnostic)
        .timeout(Duration::from_millis(1500));
    tools.add("nop", "Does nothing", |_: NoArguments, _| async {});
    let definitions = definitions(tools);
    insta::assert_snapshot!(definitions[0], @r#"{"name":"sum","title":"Sum","description":"Adds two numbers","inputSchema":{"type":"object","properties":{"a":{"type":"integer","description":"The first one."},"b":{"type":"integer","default":0}},"required":["a"]},"outputSchema":{"type":"object","properties":{"sum":{"type":"integer","description":"Both together."}},"required":["sum"]},"annotations":{"readOnlyHint":true,"openWorldHint":false},"_meta":{"toolgate/category":"diagnostic","toolgate/timeout_ms":1500}}"#);
    insta::assert_snapshot!(definitions[1], @r#"{"name":"nop","description":"Does nothing","inputSchema":{"type":"object","additionalProperties":false}}"#);
}

#[test]
fn a_raw_definition_stays_as_it_is() {
    let text = r#"{"zz":{"$defs" : {}},"name":"r", "inputSchema":{"type":"object","maximum":1234567890123456789012345}}"#;
    let mut tools = Tools::default();
    tools
        .raw(
            Json::literal(text),
            |arguments, _| async move { Ok(arguments) },
        )
        .title("ignored")
        .timeout(Duration::from_secs(1));
    assert_eq!(definitions(tools), [text]);
}

#[test]
fn a_tool_whose_types_are_no_objects_says_so() {
    let mut tools = Tools::default();
    tools.add("list", "Takes a list", |_: Vec<i64>, _| async {});
    tools.add("four", "Gives a number", |_: NoArguments, _| async {
        Structured(4)
    });
    insta::assert_snapshot!(definitions(tools).join("\n"), @r#"
    list: its arguments cannot be described: its type is "array", and must be "object"
    four: its result cannot be described: its type is "integer", and must be "object"
    "#);
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_the_tools_error() {
    let mut tools = Tools::default();
    tools.add("sum", "", |args: Pair, _| async move {
        (args.a + args.b).to_string()
    });
    let tool = tools.build().remove(0);
    let call = |text| tool.call(Json::literal(text), ToolContext::detached());
    let fits = call(r#"{"a":4,"b":3}"#).await.expect("the arguments fit");
    assert_eq!(fits.as_str(), r#"{"content":[{"type":"text","text":"7"}]}"#);
    let error = call(r#"{"a":"x"}"#)
        .await
        .expect_err("a string is no number");
    insta::assert_snapshot!(error, @r#"the arguments do not fit the tool: invalid type: string "x", expected i64 at line 1 column 8"#);
}

#[test]
fn what_a_tool_may_do_is_said_to_clients_and_to_who_must_agree() {
    let mut tools = Tools::default();
    tools
        .add("restart", "Restarts", |_: NoArguments, _| async {})
        .remediation()
        .risk(Risk::High)
        .touches("one pod")
        .requires_approval();
    insta::assert_snapshot!(definitions(tools)[0], @r#"{"name":"restart","description":"Restarts","inputSchema":{"type":"object","additionalProperties":false},"annotations":{"readOnlyHint":false,"destructiveHint":true},"_meta":{"toolgate/category":"remediation","toolgate/risk":"high","toolgate/blast_radius":"one pod","toolgate/requires_approval":true}}"#);
}
