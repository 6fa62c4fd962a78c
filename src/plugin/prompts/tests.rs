//! What definitions of prompts look like, and how arguments reach their handlers.

use serde::Deserialize;

use super::*;
use crate::plugin::{NoArguments, PromptResult};

#[derive(Deserialize, JsonSchema)]
struct Review {
    /// What is to be reviewed.
    code: String,
    /// How many remarks there may be.
    most: Option<u8>,
    tone: Option<Tone>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Tone {
    Kind,
    Harsh,
}

fn review(prompts: &mut Prompts) -> &mut PromptOptions {
    prompts.add("review", "Reviews code", |args: Review, _| async move {
        let tone = match args.tone {
            Some(Tone::Harsh) => "harsh",
            Some(Tone::Kind) | None => "kind",
        };
        format!("{}, {:?}, {tone}", args.code, args.most)
    })
}

fn definitions(prompts: Prompts) -> Vec<String> {
    let text = |prompt: BuiltPrompt| match prompt.definition {
        Ok(json) => json.as_str().to_owned(),
        Err(problem) => format!("{}: {problem}", prompt.name),
    };
    prompts.build().into_iter().map(text).collect()
}

#[test]
fn a_typed_prompt_is_defined_by_its_type_and_options() {
    let mut prompts = Prompts::default();
    review(&mut prompts)
        .title("Review")
        .icon(Icon {
            src: "data:,".to_owned(),
            mime_type: None,
            sizes: vec!["any".to_owned()],
        })
        .meta("example.com/k", 1)
        .complete("tone", |_, _| async { vec!["kind", "harsh"] });
    prompts.add("bare", "Takes nothing", |_: NoArguments, _| async { "" });
    let definitions = definitions(prompts);
    insta::assert_snapshot!(definitions[0], @r#"{"name":"review","title":"Review","description":"Reviews code","arguments":[{"name":"code","description":"What is to be reviewed.","required":true},{"name":"most","description":"How many remarks there may be."},{"name":"tone"}],"icons":[{"src":"data:,","sizes":["any"]}],"_meta":{"example.com/k":1}}"#);
    insta::assert_snapshot!(definitions[1], @r#"{"name":"bare","description":"Takes nothing"}"#);
}

#[test]
fn a_raw_definition_stays_as_it_is() {
    let text = r#"{"zz":1.0,"name":"r", "arguments":[{"name":"a","x":{}}]}"#;
    let mut prompts = Prompts::default();
    prompts
        .raw(Json::literal(text), |_, _| async { PromptResult::new([]) })
        .title("ignored")
        .complete("a", |_, _| async { vec!["x"] });
    assert_eq!(definitions(prompts), [text]);
}

#[test]
fn what_cannot_be_defined_says_so() {
    let mut prompts = Prompts::default();
    prompts.add("list", "Takes a list", |_: Vec<i64>, _| async { "" });
    review(&mut prompts).complete("tune", |_, _| async { vec!["x"] });
    insta::assert_snapshot!(definitions(prompts).join("\n"), @r#"
    list: its arguments cannot be described: its type is "array", and must be "object"
    review: it completes `tune`, which is no argument of it
    "#);
}

#[tokio::test]
async fn arguments_reach_the_handler_as_its_type_has_them() {
    let mut prompts = Prompts::default();
    review(&mut prompts);
    let prompt = prompts.build().remove(0);
    let given = Json::literal(r#"{"code":"1","most":"3","tone":"harsh"}"#);
    let result = prompt.get(&given, ToolContext::detached()).await;
    assert_eq!(
        result.expect("messages").as_str(),
        r#"{"messages":[{"role":"user","content":{"type":"text","text":"1, Some(3), harsh"}}]}"#
    );
    let given = Json::literal(r#"{"code":"1","most":"300"}"#);
    let result = prompt.get(&given, ToolContext::detached()).await;
    assert_eq!(result.expect_err("too many").into_rpc().code, -32602);
}
