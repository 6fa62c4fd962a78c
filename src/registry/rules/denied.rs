//! What keeps one caller from a tool that others may call.

use crate::model::caller::{Caller, tools_of};
use crate::model::category::Category;
use crate::model::plugin_id::PluginId;
use crate::registry::catalog::Cause;

/// What keeps one caller from a tool that others may call. It is not listed for that caller either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// It lacks the scope.
    Scope(String),
    /// Its credential is for tools that change nothing.
    ReadOnly,
}

impl Denied {
    /// What keeps `caller` from a tool of `plugin` that is of this category, if something does.
    pub fn from(caller: &Caller, plugin: &PluginId, category: Option<Category>) -> Option<Self> {
        if !caller.may_call_tools_of(plugin) {
            return Some(Self::Scope(tools_of(plugin)));
        }
        Self::as_read_only(caller, category)
    }

    /// The same without regard to scopes: of what a plugin has called for its caller, who needs another scope for that.
    pub fn as_read_only(caller: &Caller, category: Option<Category>) -> Option<Self> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::caller::Scopes;

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
                .map(|category| Denied::from(&caller, &plugin, category).map(|why| why.cause()))
        };
        assert_eq!(by(&["ext:x:tools"], false), [None; 3]);
        assert_eq!(by(&["ext:y:tools"], false), [Some(Cause::Scope); 3]);
        let read_only = Some(Cause::ReadOnly);
        assert_eq!(by(&["admin"], true), [read_only, None, read_only]);
        assert_eq!(by(&[], true), [Some(Cause::Scope); 3]);
    }
}
