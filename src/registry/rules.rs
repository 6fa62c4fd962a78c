//! What the operator does not let through, whoever calls.

use crate::manifest::expose::Category;
use crate::manifest::glob::Pattern;

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
    pub fn refuse(&self, name: &str, category: Option<Category>) -> Option<String> {
        if let Some(pattern) = self.deny.iter().find(|pattern| pattern.matches(name)) {
            return Some(format!("`{}` in `policy.deny` hides it", pattern.as_str()));
        }
        if self.read_only && category != Some(Category::Diagnostic) {
            return Some("`policy.read_only` hides what is not known to be diagnostic".to_owned());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_be_read_only_is_refused_where_that_is_the_rule() {
        let rules = Rules {
            deny: vec![Pattern::new("x__*").expect("a pattern")],
            read_only: true,
        };
        assert!(
            rules
                .refuse("x__look", Some(Category::Diagnostic))
                .is_some_and(|why| why.contains("x__*"))
        );
        assert_eq!(rules.refuse("y__look", Some(Category::Diagnostic)), None);
        for category in [None, Some(Category::Remediation)] {
            assert!(
                rules
                    .refuse("y__do", category)
                    .is_some_and(|why| why.contains("read_only"))
            );
        }
        assert_eq!(Rules::default().refuse("y__do", None), None);
    }
}
