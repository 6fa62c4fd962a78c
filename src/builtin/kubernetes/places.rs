//! Which namespaces there are for callers.

use crate::builtin::kubernetes::names::Name;
use crate::manifest::glob::Pattern;
use crate::plugin::ToolError;

/// The namespaces that callers may look into and change.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    /// `None`: all of them.
    allowed: Option<Vec<Pattern>>,
    /// The one that is meant where a caller names none.
    usual: Option<String>,
}

/// Where something is looked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// In these, one after the other.
    Each(Vec<String>),
    /// In all of the cluster; what lies elsewhere than in allowed namespaces is left out.
    Cluster,
}

impl Namespaces {
    /// `chosen` is the operator's, `found` that of the kubeconfig. The mistake names its setting.
    pub(super) fn new(
        allowed: Option<Vec<Pattern>>,
        chosen: Option<&Name>,
        found: &str,
    ) -> Result<Self, String> {
        let mut namespaces = Self {
            allowed,
            usual: None,
        };
        if namespaces.allowed.as_ref().is_some_and(Vec::is_empty) {
            return Err("`namespaces` allows none: name some, or leave it out to allow all".into());
        }
        if let Some(chosen) = chosen
            && !namespaces.allows(chosen.as_str())
        {
            return Err(format!(
                "`default_namespace` is `{chosen}`, which `namespaces` does not allow"
            ));
        }
        let only = match namespaces.allowed.as_deref() {
            Some([one]) if !is_glob(one) => Some(one.as_str()),
            _ => None,
        };
        let found = Some(found).filter(|found| namespaces.allows(found));
        let usual = chosen.map(Name::as_str).or(found).or(only);
        namespaces.usual = usual.map(str::to_owned);
        Ok(namespaces)
    }

    /// Whether callers may go there.
    pub(super) fn allows(&self, namespace: &str) -> bool {
        let allowed = self.allowed.as_ref();
        allowed.is_none_or(|allowed| allowed.iter().any(|one| one.matches(namespace)))
    }

    /// The namespace that a caller names, or the usual one.
    pub(super) fn one(&self, wanted: Option<&Name>) -> Result<String, ToolError> {
        let named = wanted.map(Name::as_str).or(self.usual.as_deref());
        let Some(named) = named else {
            return Err(ToolError::new(format!(
                "name a `namespace`: {}",
                self.words()
            )));
        };
        match self.allows(named) {
            true => Ok(named.to_owned()),
            false => Err(ToolError::new(format!(
                "the namespace `{named}` is outside of what the operator allows: {}; nothing was asked of the cluster",
                self.words()
            ))),
        }
    }

    /// The namespace that a caller names, or all that are allowed.
    pub(super) fn scope(&self, wanted: Option<&Name>, all: bool) -> Result<Scope, ToolError> {
        match (wanted, all) {
            (Some(_), true) => Err(ToolError::new(
                "`namespace` and `all_namespaces` exclude each other: give one of them",
            )),
            (_, false) => Ok(Scope::Each(vec![self.one(wanted)?])),
            (None, true) => Ok(match &self.allowed {
                Some(allowed) if !allowed.iter().any(is_glob) => {
                    let mut each: Vec<String> =
                        allowed.iter().map(|one| one.as_str().to_owned()).collect();
                    each.sort();
                    each.dedup();
                    Scope::Each(each)
                }
                _ => Scope::Cluster,
            }),
        }
    }

    /// Which ones are allowed, in words.
    pub(super) fn words(&self) -> String {
        match &self.allowed {
            None => "all namespaces are allowed".to_owned(),
            Some(allowed) => {
                let names: Vec<String> = allowed.iter().map(|one| format!("`{one}`")).collect();
                format!("allowed are {}", names.join(", "))
            }
        }
    }
}

fn is_glob(pattern: &Pattern) -> bool {
    pattern.as_str().contains(['*', '?', '[', '{', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Option<Vec<Pattern>> {
        let patterns = texts.iter().map(|text| Pattern::new(text));
        Some(
            patterns
                .collect::<Result<_, _>>()
                .expect("they are patterns"),
        )
    }

    fn name(text: &str) -> Name {
        text.to_owned().try_into().expect("it is a name")
    }

    #[test]
    fn what_is_not_allowed_is_refused() {
        let some = Namespaces::new(patterns(&["shop", "team-*"]), None, "default");
        let some = some.expect("it is sound");
        for (namespace, allowed) in [("shop", true), ("team-a", true), ("shops", false)] {
            let one = some.one(Some(&name(namespace)));
            assert_eq!(one.is_ok(), allowed, "{namespace}");
        }
        let error = some.one(None).expect_err("there is no usual one");
        assert!(error.message().contains("`team-*`"), "{error}");
        let all = Namespaces::new(None, None, "default").expect("it is sound");
        assert_eq!(all.one(None).expect("there is one"), "default");
    }

    #[test]
    fn the_usual_one_is_chosen_found_or_the_only_one() {
        for (allowed, chosen, found, expect) in [
            (None, Some("a"), "b", Ok(Some("a"))),
            (None, None, "b", Ok(Some("b"))),
            (patterns(&["a"]), None, "b", Ok(Some("a"))),
            (patterns(&["a", "c"]), None, "b", Ok(None)),
            (patterns(&["*"]), None, "b", Ok(Some("b"))),
            (patterns(&["a"]), Some("b"), "a", Err("`default_namespace`")),
            (patterns(&[]), None, "a", Err("`namespaces`")),
        ] {
            let chosen = chosen.map(name);
            match (Namespaces::new(allowed, chosen.as_ref(), found), expect) {
                (Ok(came), Ok(expect)) => assert_eq!(came.usual.as_deref(), expect),
                (Err(came), Err(part)) => assert!(came.contains(part), "{came}"),
                (came, expect) => panic!("{came:?}, not {expect:?}"),
            }
        }
    }

    #[test]
    fn all_are_the_named_ones_or_those_that_fit() {
        let scope = |allowed| {
            let namespaces = Namespaces::new(allowed, None, "x").expect("it is sound");
            namespaces.scope(None, true).expect("all can be asked for")
        };
        let named = Scope::Each(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(scope(patterns(&["b", "a", "b"])), named);
        assert_eq!(scope(patterns(&["a", "b-*"])), Scope::Cluster);
        assert_eq!(scope(None), Scope::Cluster);
        let namespaces = Namespaces::new(None, None, "x").expect("it is sound");
        assert!(namespaces.scope(Some(&name("a")), true).is_err());
    }
}
