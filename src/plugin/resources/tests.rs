//! What definitions of resources and templates look like, and which requests reach them.

use super::*;
use crate::plugin::Role;

fn definitions(resources: Resources) -> Vec<String> {
    let text = |resource: BuiltResource| match resource.definition {
        Ok(json) => json.as_str().to_owned(),
        Err(problem) => format!("{}: {problem}", resource.place.as_str()),
    };
    resources.build().into_iter().map(text).collect()
}

#[test]
fn resources_are_defined_by_their_options() {
    let mut resources = Resources::default();
    resources
        .add("x:1", "one", |_| async { "1" })
        .title("One")
        .description("The first")
        .mime_type("text/plain")
        .size(1)
        .annotations(ContentAnnotations {
            audience: vec![Role::Assistant],
            priority: Some(0.5),
            last_modified: Some("2026-01-01T00:00:00Z".to_owned()),
        })
        .icon(Icon {
            src: "data:,".to_owned(),
            mime_type: Some("image/png".to_owned()),
            sizes: Vec::new(),
        })
        .meta("example.com/k", "v");
    resources
        .template("x:{n}", "any", |request, _| async move {
            request.value("n").map(str::to_owned)
        })
        .complete("n", |_, _| async { vec!["2"] });
    insta::assert_snapshot!(definitions(resources).join("\n"), @r#"
    {"uri":"x:1","name":"one","title":"One","description":"The first","mimeType":"text/plain","size":1,"annotations":{"audience":["assistant"],"priority":0.5,"lastModified":"2026-01-01T00:00:00Z"},"icons":[{"src":"data:,","mimeType":"image/png"}],"_meta":{"example.com/k":"v"}}
    {"uriTemplate":"x:{n}","name":"any"}
    "#);
}

#[test]
fn a_raw_definition_stays_as_it_is() {
    let text = r#"{"zz":1.0,"uriTemplate":"x:{n}", "name":"r"}"#;
    let mut resources = Resources::default();
    resources
        .raw(Json::literal(text), |_, _| async { "" })
        .mime_type("ignored/really")
        .complete("n", |_, _| async { vec!["x"] });
    let built = resources.build().remove(0);
    assert_eq!(built.definition.expect("a definition").as_str(), text);
    assert_eq!(built.mime_type, None);
}

#[test]
fn a_completion_of_nothing_is_named() {
    let mut resources = Resources::default();
    resources
        .add("x:1", "one", |_| async { "1" })
        .complete("n", |_, _| async { vec!["x"] });
    insta::assert_snapshot!(definitions(resources).join("\n"), @r#"x:1: it completes `n`, which is no argument of it"#);
}

#[tokio::test]
async fn requests_reach_the_reader_with_their_values() {
    let mut resources = Resources::default();
    resources
        .template("x:{n}", "any", |request, _| async move {
            request.value("n").filter(|n| *n != "0").map(str::to_owned)
        })
        .mime_type("text/plain");
    let resource = resources.build().remove(0);
    let read = |uri: &'static str| {
        let read = resource.read(uri, ToolContext::detached());
        async move {
            match read.await {
                Ok(result) => result.as_str().to_owned(),
                Err(error) => error.to_string(),
            }
        }
    };
    assert_eq!(
        read("x:a%20b").await,
        r#"{"contents":[{"uri":"x:a%20b","mimeType":"text/plain","text":"a b"}]}"#
    );
    assert_eq!(read("x:0").await, "Resource not found: `x:0`");
    assert_eq!(read("y:1").await, "Resource not found: `y:1`");
}
