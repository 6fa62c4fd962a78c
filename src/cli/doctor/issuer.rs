//! The authorization server: whether the keys that its tokens are verified with can be had.

use std::time::Duration;

use crate::cli::doctor::Ground;
use crate::cli::doctor::finding::Finding;
use crate::front::auth::{Callers, Standing};

const SUBJECT: &str = "authorization server";

/// The longest that its keys are waited for.
const LONGEST: Duration = Duration::from_secs(5);

/// Fetches them once, as the gateway does.
pub(super) async fn look(ground: &Ground<'_>) -> Vec<Finding> {
    let auth = &ground.loaded.config.auth;
    let Some(jwt) = &auth.jwt else {
        return Vec::new();
    };
    let callers = Callers::new(auth);
    let fetched = tokio::time::timeout(LONGEST, callers.fetch_keys()).await;
    let standing = fetched.unwrap_or_else(|_| callers.standing());
    vec![finding(&jwt.issuer, standing)]
}

fn finding(issuer: &str, standing: Option<Standing>) -> Finding {
    match standing {
        Some(Standing {
            trouble: None,
            has_keys: true,
        }) => Finding::ok(SUBJECT, format!("the keys of {issuer} are there")),
        standing => {
            let trouble = standing.and_then(|standing| standing.trouble);
            let why = trouble.unwrap_or_else(|| "they did not come in time".to_owned());
            let message =
                format!("its keys cannot be had, so no token of {issuer} is accepted: {why}");
            Finding::problem(SUBJECT, message).mend(
                "look at `auth.jwt.issuer` and `auth.jwt.jwks`, and at the way from this machine to there",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Mark;

    #[test]
    fn keys_that_are_not_there_are_a_problem() {
        let mark = |has_keys, trouble: Option<&str>| {
            let trouble = trouble.map(str::to_owned);
            finding("https://as.example", Some(Standing { has_keys, trouble })).mark
        };
        assert_eq!(mark(true, None), Mark::Ok);
        assert_eq!(mark(false, Some("it answered 500")), Mark::Problem);
        assert_eq!(mark(false, None), Mark::Problem);
        assert_eq!(mark(true, Some("it answered 500")), Mark::Problem);
    }
}
