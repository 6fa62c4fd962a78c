//! Lines of what is read bit by bit.

use crate::builtin::kubernetes::refusal::{Deed, Refusal};

/// The longest line, in bytes: objects have at most 1.5 MB where Kubernetes stores them.
const MAX_LINE: usize = 4 << 20;

/// What came and was not taken yet.
#[derive(Default)]
pub(super) struct Lines {
    waiting: Vec<u8>,
    /// How much of it has no line end for certain.
    searched: usize,
}

impl Lines {
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.waiting.extend_from_slice(piece);
    }

    /// The next whole line that is not empty.
    pub(super) fn next(&mut self, deed: &Deed) -> Result<Option<Vec<u8>>, Refusal> {
        loop {
            let found = memchr::memchr(b'\n', &self.waiting[self.searched..]);
            let Some(found) = found else {
                self.searched = self.waiting.len();
                return match self.waiting.len() {
                    0..=MAX_LINE => Ok(None),
                    _ => Err(Refusal::new(format!(
                        "could not {deed}: an event has more than {MAX_LINE} bytes"
                    ))),
                };
            };
            let rest = self.waiting.split_off(self.searched + found + 1);
            let mut line = std::mem::replace(&mut self.waiting, rest);
            self.searched = 0;
            line.pop();
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_arrive() {
        let (mut lines, deed) = (Lines::default(), Deed::new("watch", "pods"));
        let mut came = Vec::new();
        for piece in ["a", "b\n\nc\nd", "", "\ne"] {
            lines.add(piece.as_bytes());
            while let Some(line) = lines.next(&deed).expect("they are short") {
                came.push(String::from_utf8(line).expect("it is text"));
            }
        }
        assert_eq!(came, ["ab", "c", "d"]);
        lines.add(&vec![b'x'; MAX_LINE]);
        assert!(lines.next(&deed).is_err());
    }
}
