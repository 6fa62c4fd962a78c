//! The page of ai-fixer about its plugins: each of its commands, as it is typed there, and what its page says comes back.
//!
//! Different here, and why: the port is a free one; a plugin is a folder or code with a manifest, not a class in a
//! directory of the gateway, so `my_plugin` is the tool of one whose `prefix` is empty.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use toolgate::plugin::{Category, Plugin, Structured, ToolContext, ToolError};
use toolgate::wire::json::Json;

use crate::hostile::{Hostile, call, result_of};
use crate::support::{Program, Request, TestGateway, plugin, shell};

/// The tools of the page, with their categories.
const TOOLS: [(&str, &str); 8] = [
    ("list_pods", "diagnostic"),
    ("get_pod_logs", "diagnostic"),
    ("prom.query_range", "diagnostic"),
    ("shell.exec", "diagnostic"),
    ("restart_pod", "remediation"),
    ("scale_deployment", "remediation"),
    ("kill_deadlock", "remediation"),
    ("shell.exec_write", "remediation"),
];

/// The plugin of the page: `my_plugin(service_name, namespace = "default")`.
fn my_plugin() -> impl Plugin {
    plugin(|tools| {
        let definition = Json::of(&json!({
            "name": "my_plugin",
            "description": "查询自定义服务状态",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "service_name": { "type": "string", "description": "服务名称" },
                    "namespace": { "type": "string", "description": "命名空间", "default": "default" },
                },
                "required": ["service_name"],
            },
            "_meta": { "toolgate/category": "diagnostic" },
        }));
        tools.raw(definition, |arguments, _: ToolContext| {
            let said = arguments.parse::<Map<String, Value>>().unwrap_or_default();
            let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
            let (service, namespace) = (text("service_name"), text("namespace"));
            let told = match service.as_str() {
                "down" => json!({ "success": false, "error": "down", "message": "操作失败: down" }),
                _ => json!({
                    "success": true,
                    "status": "running",
                    "replicas": 3,
                    "message": format!("Service {service} in {namespace} is healthy"),
                }),
            };
            let result = json!({ "content": [], "structuredContent": told });
            std::future::ready(Ok::<_, ToolError>(Json::of(&result)))
        });
    })
}

#[derive(Serialize, Deserialize, schemars::JsonSchema)]
struct Done {
    done: bool,
}

/// The built-in ones of the page, as far as their names and categories go.
fn built_in() -> impl Plugin {
    plugin(|tools| {
        for (name, category) in TOOLS {
            let tool = tools.add(name, name, |_: Map<String, Value>, _| {
                std::future::ready(Ok::<_, ToolError>(Structured(Done { done: true })))
            });
            match category {
                "diagnostic" => tool.category(Category::Diagnostic).read_only(),
                _ => tool.remediation(),
            };
        }
    })
}

async fn gateway(more: &str) -> TestGateway {
    let config = format!("[plugins.mine]\nprefix = \"\"\n[plugins.ops]\nprefix = \"\"\n{more}");
    TestGateway::builder()
        .config(&config)
        .plugin("mine", my_plugin())
        .plugin("ops", built_in())
        .build()
        .await
}

/// F41: `curl http://localhost:8080/api/plugins | jq '.[] | select(.name == "my_plugin")'`
#[tokio::test]
async fn the_command_of_the_page_prints_the_plugin() {
    let gateway = gateway("").await;
    let url = format!("http://{}", gateway.address);
    let line = format!(r#"curl -s {url}/api/plugins | jq '.[] | select(.name == "my_plugin")'"#);
    let (said, code) = shell(&line).await;
    assert_eq!(code, 0);
    let printed: Value = serde_json::from_str(&said).expect("one object");
    assert_eq!(printed["category"], "diagnostic");
    assert_eq!(printed["description"], "查询自定义服务状态");
    assert_eq!(printed["enabled"], true);
    assert_eq!(printed["parameters"]["required"], json!(["service_name"]));
    let (said, _) = shell(&format!("curl -s {url}/api/plugins | jq -r 'type'")).await;
    assert_eq!(said.trim(), "array");
    gateway.finish().await;
}

/// F1: what looks and what changes is said to clients, and `read_only` leaves the former.
#[tokio::test]
async fn categories_are_annotations_and_policy() {
    for (policy, read_only) in [("", false), ("[policy]\nread_only = true\n", true)] {
        let gateway = gateway(policy).await;
        let all = gateway
            .send(&Request::new("GET", "/api/tools"))
            .await
            .json();
        let all = all.as_array().expect("an array");
        for (name, category) in TOOLS {
            let listed = all.iter().find(|tool| tool["name"] == name);
            let changes = category == "remediation";
            assert_eq!(listed.is_none(), changes && read_only, "{name}");
            if let Some(tool) = listed {
                assert_eq!(tool["category"], category, "{name}");
                assert_eq!(tool["annotations"]["readOnlyHint"], !changes, "{name}");
                let destroys = tool["annotations"]["destructiveHint"] == true;
                assert_eq!(destroys, changes, "{name}");
            } else {
                let answer = call(gateway.address, name, json!({})).await;
                let result = &answer.json()["result"];
                assert_eq!(result["isError"], true, "{}", answer.text());
                assert_eq!(result["_meta"]["toolgate/reason"], "read_only");
            }
        }
        gateway.finish().await;
    }
}

/// F30, F31, F33: the arguments and results of the page.
#[tokio::test]
async fn the_plugin_of_the_page_answers_as_the_page_says() {
    let gateway = gateway("").await;
    let asked = json!({ "service_name": "user-service" });
    let result = result_of(&call(gateway.address, "my_plugin", asked).await);
    let told = &result["structuredContent"];
    assert_eq!(told["success"], true);
    assert_eq!(
        told["message"],
        "Service user-service in default is healthy"
    );
    let asked = json!({ "service_name": "user-service", "namespace": "production" });
    let result = result_of(&call(gateway.address, "my_plugin", asked).await);
    let told = &result["structuredContent"]["message"];
    assert_eq!(told, "Service user-service in production is healthy");
    let asked = json!({ "service_name": "down" });
    let result = result_of(&call(gateway.address, "my_plugin", asked).await);
    assert_eq!(result["isError"], true);
    assert_eq!(result["structuredContent"]["success"], false);
    let result = result_of(&call(gateway.address, "my_plugin", json!({})).await);
    let words = result["content"][0]["text"].as_str().unwrap_or_default();
    assert!(
        words.starts_with("Missing required parameter: service_name"),
        "{words}"
    );
    gateway.finish().await;
}

/// F44: authors try their tools by one command, and its exit code says how it went.
#[tokio::test]
async fn one_command_calls_a_plugin_and_its_code_says_how_it_went() {
    let child = Hostile::new("my", &[]).key("prefix = \"\"\nresults.success_flag = true");
    let approved = "[[plugins.my.tools]]\nname = \"pid\"\nrequires_approval = true\n[policy.approval]\nwait_ms = 0\n";
    let config = format!("{}\n{approved}", child.text());
    let run = async |arguments: &[&str]| {
        let arguments = [&["tools", "call"], arguments].concat();
        Program::run(&arguments, &config).await
    };
    for (arguments, code, says) in [
        (
            &["echo", r#"{"service_name":"user-service"}"#][..],
            0,
            "user-service",
        ),
        (
            &["echo", r#"{"success":false,"error":"no"}"#],
            1,
            r#""isError":true"#,
        ),
        (&["none", "{}"], 2, "none"),
        (&["echo", "["], 2, "not JSON"),
        (
            &["echo", r#"{"a":1}"#, "--dry-run"],
            0,
            r#""would_call":true"#,
        ),
        (&["pid", "{}"], 2, "needs an approval"),
        (&["pid", "{}", "--approve"], 0, r#""text""#),
    ] {
        let (ended, said) = run(arguments).await;
        assert_eq!(ended, code, "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}
