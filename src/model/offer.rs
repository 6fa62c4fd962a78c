//! What a client offers to plugins: which questions it may be asked.

use crate::model::caller::ClientProfile;
use crate::wire::error::{INVALID_PARAMS, METHOD_NOT_FOUND, RpcError};
use crate::wire::json::Json;
use crate::wire::members::Members;
use crate::wire::message::Params;
use crate::wire::method::Method;

/// Refuses a question that the client did not say it can answer (MCP 2025-11-25, lifecycle, capability negotiation; MCP
/// 2026-07-28, multi round-trip requests). The error is for the plugin that asks and names what is missing.
pub fn check(profile: &ClientProfile, method: &Method, params: &Params) -> Result<(), RpcError> {
    let missing = |what: &str| {
        let text = format!("{} does not offer `{what}`", named(profile));
        Err(RpcError::new(METHOD_NOT_FOUND, text))
    };
    let capability = match method {
        Method::Elicit => "elicitation",
        Method::Sample => "sampling",
        Method::RootsList => "roots",
        // Part of the protocol since 2024-11-05, or an extension's own question, which the client refuses by itself.
        _ => return Ok(()),
    };
    let offered = Members::of(&profile.capabilities).unwrap_or_default();
    let Some(offered) = offered.get(capability) else {
        return missing(capability);
    };
    let part = |name: &str| {
        let parts = Members::of(offered).unwrap_or_default();
        parts.get(name).is_some_and(Json::is_object)
    };
    match method {
        Method::Elicit if is_by_url(params) && !part("url") => missing("elicitation.url"),
        // An empty object means forms (MCP 2025-11-25, elicitation).
        Method::Elicit if !is_by_url(params) && !part("form") && part("url") => {
            missing("elicitation.form")
        }
        Method::Sample if params.members.get("tools").is_some() && !part("tools") => {
            let text = format!("{} does not offer `sampling.tools`", named(profile));
            Err(RpcError::new(INVALID_PARAMS, text))
        }
        _ => Ok(()),
    }
}

fn is_by_url(params: &Params) -> bool {
    params.members.string("mode").as_deref() == Some("url")
}

fn named(profile: &ClientProfile) -> String {
    let info = profile.info.as_ref().and_then(Members::of);
    match info
        .as_ref()
        .and_then(|info| info.string("title").or_else(|| info.string("name")))
    {
        Some(name) => format!("the client `{name}`"),
        None => "the client".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check_one(capabilities: Value, method: Method, params: Value, expect: Result<(), &str>) {
        let profile = ClientProfile {
            capabilities: Json::of(&capabilities),
            info: Some(Json::literal(r#"{"name":"it"}"#)),
            ..ClientProfile::bare()
        };
        let got = check(&profile, &method, &Params::of(&params)).map_err(|error| error.message);
        assert_eq!(got, expect.map_err(str::to_owned), "{capabilities}");
    }

    #[test]
    fn only_what_is_offered_is_asked() {
        use Method::{Elicit, RootsList, Sample};

        let by_url = || json!({ "mode": "url" });
        let none = "the client `it` does not offer `elicitation`";
        check_one(json!({}), Elicit, json!({}), Err(none));
        check_one(json!({ "elicitation": {} }), Elicit, json!({}), Ok(()));
        let no_url = "the client `it` does not offer `elicitation.url`";
        check_one(json!({ "elicitation": {} }), Elicit, by_url(), Err(no_url));
        let only_url = || json!({ "elicitation": { "url": {} } });
        check_one(only_url(), Elicit, by_url(), Ok(()));
        let no_form = "the client `it` does not offer `elicitation.form`";
        check_one(only_url(), Elicit, json!({}), Err(no_form));
        check_one(json!({ "sampling": {} }), Sample, json!({}), Ok(()));
        let no_tools = "the client `it` does not offer `sampling.tools`";
        check_one(
            json!({ "sampling": {} }),
            Sample,
            json!({ "tools": [] }),
            Err(no_tools),
        );
        let no_roots = "the client `it` does not offer `roots`";
        check_one(
            json!({ "sampling": {} }),
            RootsList,
            json!({}),
            Err(no_roots),
        );
        check_one(json!({}), Method::Ping, json!({}), Ok(()));
    }
}
