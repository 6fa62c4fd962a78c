//! What the operator does not let through: whoever calls, and of one caller.

use crate::manifest::expose::Category;
use crate::manifest::glob::Pattern;
use crate::model::caller::{Caller, tools_of};
use crate::model::plugin_id::PluginId;
use crate::registry::catalog::Cause;

/// What keeps one caller from a tool that others may call. It is not listed for that caller either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withheld {
    /// It lacks the scope.
    Scope(String),
    /// Its credential is for tools that change nothing.
    ReadOnly,
}

impl Withheld {
    /// What keeps `caller` from a tool of `plugin` that is of this category, if something does.
    pub fn from(caller: &Caller, plugin: &PluginId, category: Option<Category>) -> Option<Self> {
        if !caller.may_call_tools_of(plugin) {
            return Some(Self::Scope(tools_of(plugin)));
        }
        let changes = caller.read_only && category != Some(Category::Diagnostic);
        changes.then_some(Self::ReadOnly)
    }

    /// What it is, in one word.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Scope(_) => Cause::Scope,
            Self::ReadOnly => Cause::ReadOnly,
        }
    }

    /// Why, in words that follow a `but`.
    pub fn reason(&self) -> String {
        match self {
            Self::Scope(scope) => {
                format!("missing scope `{scope}`: the credential does not have it")
            }
            Self::ReadOnly => {
                "the credential is `read_only`, and this is not known to be diagnostic".to_owned()
            }
        }
    }
}

/// Rules about listed tools. What they refuse is not listed, and so cannot be called.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Tools whose listed name fits one of these are refused.
    pub deny: Vec<Pattern>,
    /// Only tools that are known to change nothing are let through.
    pub read_only: bool,
}

impl Rules {
    /// Why a tool of this name and category is refused, if it is.
    pub fn refuse(&self, name: &str, category: Option<Category>) -> Option<(Cause, String)> {
        if let Some(pattern) = self.deny.iter().find(|pattern| pattern.matches(name)) {
            let why = format!("`{}` in `policy.deny` hides it", pattern.as_str());
            return Some((Cause::Policy, why));
        }
        if self.read_only && category != Some(Category::Diagnostic) {
            let why = "`policy.read_only` hides what is not known to be diagnostic";
            return Some((Cause::ReadOnly, why.to_owned()));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::caller::Scopes;

    #[test]
    fn what_is_not_known_to_be_read_only_is_refused_where_that_is_the_rule() {
        let rules = Rules {
            deny: vec![Pattern::new("x__*").expect("a pattern")],
            read_only: true,
        };
        assert!(
            rules
                .refuse("x__look", Some(Category::Diagnostic))
                .is_some_and(|(cause, why)| cause == Cause::Policy && why.contains("x__*"))
        );
        assert_eq!(rules.refuse("y__look", Some(Category::Diagnostic)), None);
        for category in [None, Some(Category::Remediation)] {
            assert!(
                rules
                    .refuse("y__do", category)
                    .is_some_and(
                        |(cause, why)| cause == Cause::ReadOnly && why.contains("read_only")
                    )
            );
        }
        assert_eq!(Rules::default().refuse("y__do", None), None);
    }

    #[test]
    fn a_caller_is_kept_from_what_its_credential_is_not_for() {
        let plugin: PluginId = "x".parse().expect("an id");
        let by = |scopes: &[&str], read_only| {
            let caller = Caller {
                scopes: Scopes::only(scopes.iter().map(|scope| (*scope).to_owned())),
                tools_by_scope: true,
                read_only,
                ..Caller::anonymous()
            };
            let categories = [
                None,
                Some(Category::Diagnostic),
                Some(Category::Remediation),
            ];
            categories
                .map(|category| Withheld::from(&caller, &plugin, category).map(|why| why.cause()))
        };
        assert_eq!(by(&["ext:x:tools"], false), [None; 3]);
        assert_eq!(by(&["ext:y:tools"], false), [Some(Cause::Scope); 3]);
        let read_only = Some(Cause::ReadOnly);
        assert_eq!(by(&["admin"], true), [read_only, None, read_only]);
        assert_eq!(by(&[], true), [Some(Cause::Scope); 3]);
    }
}
