//! What the operator does not let through: whoever calls, and of one caller; and what only with an approval.

mod denied;

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::manifest::glob::Pattern;
use crate::model::category::Category;
use crate::model::plugin_id::PluginId;
use crate::model::risk::Risk;
use crate::registry::catalog::Cause;
pub use crate::registry::rules::denied::Denied;

/// Rules about listed tools. What they refuse is not listed, and so cannot be called.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Tools whose listed name fits one of these are refused.
    pub deny: Vec<Pattern>,
    /// Only tools that are known to change nothing are let through.
    pub read_only: bool,
    /// Also servers whose schemas no manifest declares get the defaults in them.
    pub fill_defaults: bool,
    /// Which tools are called with an approval only, beside those that ask for it themselves.
    pub approval: ApprovalRules,
    /// The tools that are switched off.
    pub switches: Switches,
}

/// Which tools need an approval, whoever calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalRules {
    /// Those whose listed name fits one of these.
    pub tools: Vec<Pattern>,
    /// Those of plugins whose id fits one of these.
    pub plugins: Vec<Pattern>,
    /// Those that are known to be of this risk or more.
    pub risk: Option<Risk>,
    /// Those that are not known to be diagnostic.
    pub all_remediation: bool,
}

/// The tools that an operator has switched off, by their listed names. Clones are the same switches.
#[derive(Debug, Clone, Default)]
pub struct Switches(Arc<ArcSwap<BTreeSet<String>>>);

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

impl ApprovalRules {
    /// Whether a tool like this needs an approval.
    pub fn asks(
        &self,
        (name, plugin): (&str, &PluginId),
        category: Option<Category>,
        risk: Option<Risk>,
    ) -> bool {
        let fits =
            |patterns: &[Pattern], text: &str| patterns.iter().any(|pattern| pattern.matches(text));
        let is_risky = self.risk.is_some_and(|least| risk >= Some(least));
        let may_change = self.all_remediation && category != Some(Category::Diagnostic);
        is_risky || may_change || fits(&self.tools, name) || fits(&self.plugins, plugin.as_str())
    }
}

impl Switches {
    /// Whether the tool of this listed name is off.
    pub fn is_off(&self, name: &str) -> bool {
        self.0.load().contains(name)
    }

    /// Switches a tool on or off; whether it was otherwise before.
    pub fn set(&self, name: &str, on: bool) -> bool {
        let before = self.is_off(name);
        self.0.rcu(|off| {
            let mut off = BTreeSet::clone(off);
            match on {
                true => drop(off.remove(name)),
                false => drop(off.insert(name.to_owned())),
            }
            off
        });
        before == on
    }

    /// Switches these off, and no others.
    pub fn replace(&self, off: BTreeSet<String>) {
        self.0.store(Arc::new(off));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text).expect("a pattern")
    }

    #[test]
    fn what_is_not_known_to_be_read_only_is_refused_where_that_is_the_rule() {
        let rules = Rules {
            deny: vec![pattern("x__*")],
            read_only: true,
            ..Rules::default()
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
    fn an_approval_is_asked_for_by_name_plugin_risk_or_category() {
        let plugin: PluginId = "k8s".parse().expect("an id");
        let asks = |rules: &ApprovalRules, category, risk| {
            rules.asks(("k8s__restart", &plugin), category, risk)
        };
        let none = ApprovalRules::default;
        let by_name = |name| ApprovalRules {
            tools: vec![pattern(name)],
            ..none()
        };
        let by_plugin = |id| ApprovalRules {
            plugins: vec![pattern(id)],
            ..none()
        };
        let by_risk = |risk| ApprovalRules {
            risk: Some(risk),
            ..none()
        };
        let by_category = || ApprovalRules {
            all_remediation: true,
            ..none()
        };
        let (looks, changes) = (Some(Category::Diagnostic), Some(Category::Remediation));
        for (rules, category, risk, expect) in [
            (none(), changes, Some(Risk::Critical), false),
            (by_name("*__restart"), looks, None, true),
            (by_name("*__look"), changes, None, false),
            (by_plugin("k?s"), looks, None, true),
            (by_risk(Risk::High), None, Some(Risk::Critical), true),
            (by_risk(Risk::High), None, Some(Risk::Medium), false),
            (by_risk(Risk::Low), None, None, false),
            (by_category(), None, None, true),
            (by_category(), changes, None, true),
            (by_category(), looks, Some(Risk::High), false),
        ] {
            assert_eq!(asks(&rules, category, risk), expect, "{rules:?}");
        }
    }

    #[test]
    fn switches_say_whether_something_changed() {
        let switches = Switches::default();
        assert!(!switches.set("a", true));
        assert!(switches.set("a", false) && switches.is_off("a"));
        assert!(!switches.set("a", false));
        assert!(switches.set("a", true) && !switches.is_off("a"));
    }
}
