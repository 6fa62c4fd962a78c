//! Which URIs a URI template stands for (RFC 6570).

/// A template, taken apart for matching. What stands in its expressions is not looked into.
#[derive(Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    /// `{name}`: at least one character, no slash.
    Segment,
    /// An expression with an operator that may stand for slashes, and for nothing at all.
    Any,
}

impl Template {
    /// Takes `text` apart. An expression that does not end is text.
    pub(super) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, expression, behind)) = next_expression(rest) {
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.into()));
            }
            let operator = expression.chars().next().unwrap_or(' ');
            let explodes = expression.ends_with('*') || expression.contains(',');
            parts.push(match "+#./;?&".contains(operator) || explodes {
                true => Part::Any,
                false => Part::Segment,
            });
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.into()));
        }
        Self(parts)
    }

    /// Whether `uri` is one that the template can stand for.
    pub(super) fn fits(&self, uri: &str) -> bool {
        fits(&self.0, uri)
    }
}

fn next_expression(text: &str) -> Option<(&str, &str, &str)> {
    let (literal, rest) = text.split_once('{')?;
    let (expression, behind) = rest.split_once('}')?;
    Some((literal, expression, behind))
}

/// Tries the parts in turn. For each expression the places are tried at which the literal after it stands; texts and
/// templates are short, and the number of expressions small.
fn fits(parts: &[Part], text: &str) -> bool {
    let Some((first, rest)) = parts.split_first() else {
        return text.is_empty();
    };
    let within = |text: &str| match first {
        Part::Segment => text.find('/').unwrap_or(text.len()),
        Part::Literal(_) | Part::Any => text.len(),
    };
    let least = usize::from(*first == Part::Segment);
    match (first, rest.first()) {
        (Part::Literal(literal), _) => text
            .strip_prefix(&**literal)
            .is_some_and(|behind| fits(rest, behind)),
        (_, None) => text.len() >= least && within(text) == text.len(),
        (_, Some(Part::Literal(next))) => text
            .match_indices(&**next)
            .take_while(|(at, _)| *at <= within(text))
            .any(|(at, _)| at >= least && fits(rest, &text[at..])),
        // Two expressions side by side: where one ends and the other begins cannot be told, so all places are tried.
        (_, Some(Part::Segment | Part::Any)) => text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .take_while(|at| *at <= within(text))
            .any(|at| at >= least && fits(rest, &text[at..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, fitting: &[&str], others: &[&str]) {
        let taken_apart = Template::new(template);
        for uri in fitting {
            assert!(taken_apart.fits(uri), "{uri} fits {template}");
        }
        for uri in others {
            assert!(!taken_apart.fits(uri), "{uri} does not fit {template}");
        }
    }

    #[test]
    fn uris_fit_the_templates_they_were_made_from() {
        check(
            "test://template/{id}/data",
            &["test://template/1/data", "test://template/%20/data"],
            &["test://template//data", "test://template/1/2/data", "x"],
        );
        check(
            "file:///{+path}",
            &["file:///a/b.txt", "file:///"],
            &["http:///a"],
        );
        check(
            "demo://{a}{?q*}",
            &["demo://x", "demo://x?q=1"],
            &["demo://"],
        );
        check("plain://uri", &["plain://uri"], &["plain://uri/"]);
        check("odd://{a", &["odd://{a"], &["odd://x"]);
        check("{a}-{b}", &["x-y", "x-y-z"], &["x", "-y"]);
    }
}
