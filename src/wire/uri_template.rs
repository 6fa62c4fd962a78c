//! Which URIs a URI template stands for, and the values of its variables in one (RFC 6570).

/// The longest URI that is compared with templates, in bytes.
const MAX_URI: usize = 8 << 10;

/// A template, taken apart for matching.
#[derive(Debug, Clone)]
pub struct UriTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// `{name}`: at least one character, no slash.
    Segment(String),
    /// An expression with an operator, or of several variables: may stand for slashes, and for nothing at all. Its name
    /// if it is `{+name}`.
    Any(Option<String>),
}

/// What the variables stand for, with their names.
pub type Values = Vec<(String, String)>;

impl UriTemplate {
    /// Takes `text` apart. An expression that does not end is text.
    pub fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, expression, behind)) = next_expression(rest) {
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            parts.push(Part::of(expression));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Self { parts }
    }

    /// The names of all its variables, in order.
    pub fn variables(text: &str) -> Vec<String> {
        let mut names = Vec::new();
        let mut rest = text;
        while let Some((_, expression, behind)) = next_expression(rest) {
            let listed = expression.trim_start_matches(['+', '#', '.', '/', ';', '?', '&']);
            names.extend(listed.split(',').map(|name| bare(name).to_owned()));
            rest = behind;
        }
        names
    }

    /// Whether the template can give `uri`.
    pub fn matches(&self, uri: &str) -> bool {
        uri.len() <= MAX_URI && self.fits(uri)[0][0]
    }

    /// The values with which the template gives `uri`; `None` where it cannot.
    pub fn values(&self, uri: &str) -> Option<Values> {
        if uri.len() > MAX_URI {
            return None;
        }
        let fits = self.fits(uri);
        if !fits[0][0] {
            return None;
        }
        let (mut values, mut begin) = (Values::new(), 0);
        for (part, rest_fits) in self.parts.iter().zip(&fits[1..]) {
            // The shortest one that lets the rest fit.
            let mut ends = begin + part.least()..=uri.len();
            let end = ends.find(|end| rest_fits[*end])?;
            let text = &uri[begin..end];
            match part {
                Part::Segment(name) => values.push((name.clone(), decoded(text))),
                Part::Any(Some(name)) => values.push((name.clone(), text.to_owned())),
                Part::Literal(_) | Part::Any(None) => {}
            }
            begin = end;
        }
        Some(values)
    }

    /// For each part, and behind the last: at which bytes of `uri` the parts from there on give the rest of it. Takes the
    /// number of parts times the length, whatever is in them.
    fn fits(&self, uri: &str) -> Vec<Vec<bool>> {
        let mut behind = vec![false; uri.len() + 1];
        behind[uri.len()] = true;
        let mut fits = vec![behind];
        for part in self.parts.iter().rev() {
            let behind = fits.last().expect("one was put in");
            let mut here = vec![false; uri.len() + 1];
            // Whether it fits if the part goes on, or ends, there.
            let mut goes_on = false;
            for at in (0..=uri.len()).rev() {
                here[at] = uri.is_char_boundary(at)
                    && match part {
                        Part::Literal(text) => {
                            uri[at..].starts_with(text.as_str()) && behind[at + text.len()]
                        }
                        Part::Segment(_) => goes_on && uri.as_bytes()[at] != b'/',
                        Part::Any(_) => goes_on || behind[at],
                    };
                goes_on = match part {
                    Part::Segment(_) => {
                        let slash = uri.as_bytes().get(at) == Some(&b'/');
                        behind[at] || (goes_on && !slash)
                    }
                    Part::Literal(_) | Part::Any(_) => goes_on || behind[at],
                };
            }
            fits.push(here);
        }
        fits.reverse();
        fits
    }
}

impl Part {
    fn of(expression: &str) -> Self {
        let is_list = expression.contains(',') || expression.ends_with('*');
        match (expression.chars().next(), is_list) {
            (Some('+'), false) => Self::Any(Some(bare(&expression[1..]).to_owned())),
            (Some('+' | '#' | '.' | '/' | ';' | '?' | '&'), _) | (_, true) => Self::Any(None),
            _ => Self::Segment(bare(expression).to_owned()),
        }
    }

    /// How many bytes it is at the least.
    fn least(&self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Segment(_) => 1,
            Self::Any(_) => 0,
        }
    }
}

fn next_expression(text: &str) -> Option<(&str, &str, &str)> {
    let (literal, rest) = text.split_once('{')?;
    let (expression, behind) = rest.split_once('}')?;
    Some((literal, expression, behind))
}

/// The name of a variable without what modifies it.
fn bare(variable: &str) -> &str {
    let name = variable.trim_end_matches('*');
    name.split(':').next().unwrap_or(name)
}

/// What percent-encoding stands for (RFC 3986 section 2.1); the text itself where that is no UTF-8.
fn decoded(text: &str) -> String {
    let digit = |at: usize| {
        let byte = text.as_bytes().get(at).copied()?;
        char::from(byte).to_digit(16)
    };
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        let encoded = digit(at + 1).zip(digit(at + 2)).filter(|_| *byte == b'%');
        let (byte, n) = match encoded {
            Some((high, low)) => ((high * 16 + low) as u8, 3),
            None => (*byte, 1),
        };
        out.push(byte);
        at += n;
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, uri: &str, expect: Option<&[(&str, &str)]>) {
        let values = UriTemplate::new(template).values(uri);
        let values = values.as_ref().map(|values| {
            let pair = |(name, value): &'_ (String, String)| (name.clone(), value.clone());
            values.iter().map(pair).collect::<Vec<_>>()
        });
        let expect = expect.map(|expect| {
            let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            expect.iter().map(pair).collect::<Vec<_>>()
        });
        assert_eq!(values, expect, "{template} and {uri}");
    }

    #[test]
    fn variables_get_their_values() {
        check("t://{id}/data", "t://1/data", Some(&[("id", "1")]));
        check("t://{id}/data", "t:///data", None);
        check("t://{id}/data", "t://1/2/data", None);
        check("t://{a}/{b}", "t://x/y", Some(&[("a", "x"), ("b", "y")]));
        check("t://{a}", "t://gr%C3%BCn%2f%zz", Some(&[("a", "grün/%zz")]));
        check("t://{a}", "t://%ff", Some(&[("a", "%ff")]));
        check(
            "file:///{+path}",
            "file:///a/b%20c",
            Some(&[("path", "a/b%20c")]),
        );
        check("file:///{+path}", "file:///", Some(&[("path", "")]));
        check("d://{a}{?q*}", "d://x?q=1", Some(&[("a", "x")]));
        check("d://{a}{?q*}", "d://", None);
        check("{a}-{b}", "x-y-z", Some(&[("a", "x"), ("b", "y-z")]));
        check("{a}{b}", "äö", Some(&[("a", "ä"), ("b", "ö")]));
        check("{a}{b}", "ä", None);
        check("p://{a", "p://{a", Some(&[]));
        check("p://x", "p://x/", None);
    }

    #[test]
    fn names_are_known_without_what_modifies_them() {
        assert_eq!(
            UriTemplate::variables("x:{a}/{+b}{?c,d*}{e:3}"),
            ["a", "b", "c", "d", "e"]
        );
    }

    #[test]
    fn what_cannot_fit_is_seen_in_time() {
        let template = UriTemplate::new("{a}b{c}b{d}b{e}b{f}b{g}b!");
        assert!(template.values(&"b".repeat(MAX_URI)).is_none());
        assert!(template.values(&"b".repeat(MAX_URI + 1)).is_none());
        let values = UriTemplate::new("{+a}").values(&"b".repeat(MAX_URI + 1));
        assert!(values.is_none());
    }
}
