//! What is wrong in a file somebody wrote, where, and how to mend it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A place in a text. Lines and columns count from 1, columns in characters; 0 means unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, when the text came from one.
    pub file: Option<Arc<Path>>,
    pub line: u32,
    pub column: u32,
}

/// One thing that is wrong. No field ever holds a value that came from the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, when the text came from one.
    pub file: Option<PathBuf>,
    /// Counts from 1; 0 when no line is to blame.
    pub line: u32,
    /// Counts from 1, in characters; 0 when no column is to blame.
    pub column: u32,
    /// JSON pointer (RFC 6901) into the document; empty for the whole of it.
    pub path: String,
    /// What is wrong, as a sentence without a dot.
    pub message: String,
    /// What to do about it, where the message does not say so already.
    pub mend: Option<String>,
}

/// Every problem found in one go; never empty inside an `Err`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problem {
    /// A problem that no place in a file is to blame for.
    pub fn new(message: impl Into<String>) -> Self {
        Self::at(&Place::default(), &[], message)
    }

    /// A problem at `place`, in the value that `path` leads to.
    pub fn at(place: &Place, path: &[String], message: impl Into<String>) -> Self {
        Self {
            file: place.file.as_deref().map(Path::to_path_buf),
            line: place.line,
            column: place.column,
            path: pointer(path),
            message: message.into(),
            mend: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }
}

impl Problems {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), 0) => write!(f, "{}: ", file.display())?,
            (Some(file), line) => write!(f, "{}:{line}:{}: ", file.display(), self.column)?,
            (None, 0) => {}
            (None, line) => write!(f, "line {line}, column {}: ", self.column)?,
        }
        f.write_str(&self.message)?;
        if !self.path.is_empty() {
            write!(f, "\n    at {}", self.path)?;
        }
        match &self.mend {
            Some(mend) => write!(f, "\n    mend: {mend}"),
            None => Ok(()),
        }
    }
}

/// One block per problem, an empty line between two.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The valid word nearest to `word`, when one is near enough to be what was meant.
pub fn nearest<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase().replace('-', "_");
    valid
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(word.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Steps as a JSON pointer.
pub fn pointer(path: &[String]) -> String {
    path.iter()
        .map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let words = ["runtime", "requests", "mcp_stdio", "id"];
        assert_eq!(nearest("rutime", words), Some("runtime"));
        assert_eq!(nearest("mcp-stdio", words), Some("mcp_stdio"));
        assert_eq!(nearest("zebra", words), None);
        assert_eq!(nearest("di", words), Some("id"));
    }

    #[test]
    fn a_pointer_is_escaped() {
        assert_eq!(pointer(&["a/b".into(), "c~d".into()]), "/a~1b/c~0d");
    }

    #[test]
    fn a_problem_is_a_block() {
        let place = Place {
            file: Some(Arc::from(Path::new("x.toml"))),
            line: 4,
            column: 1,
        };
        let problem = Problem::at(&place, &["a".into()], "no").mend("write yes");
        let both = Problems(vec![problem, Problem::new("nothing there")]);
        insta::assert_snapshot!(both, @r"
        x.toml:4:1: no
            at /a
            mend: write yes

        nothing there
        ");
    }
}
