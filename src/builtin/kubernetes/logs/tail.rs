//! The end of something that is read bit by bit, within a bound; what was let go is counted.

use std::collections::VecDeque;

/// Keeps the last bytes, whole lines of them.
pub(super) struct Tail {
    most: usize,
    kept: VecDeque<u8>,
    read: u64,
    left_out_lines: u64,
    left_out_bytes: u64,
    /// Whether what is kept begins in the middle of a line.
    is_cut: bool,
}

/// What was kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) text: String,
    pub(super) lines: u64,
    pub(super) left_out_lines: u64,
    pub(super) left_out_bytes: u64,
}

impl Tail {
    /// Keeps at most so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            kept: VecDeque::new(),
            read: 0,
            left_out_lines: 0,
            left_out_bytes: 0,
            is_cut: false,
        }
    }

    /// Bytes that came so far.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    pub(super) fn add(&mut self, piece: &[u8]) {
        self.read += piece.len() as u64;
        self.kept.extend(piece);
        let over = self.kept.len().saturating_sub(self.most);
        if over > 0 {
            let gone = self.kept.drain(..over);
            let mut last = None;
            let mut lines = 0;
            for byte in gone {
                lines += u64::from(byte == b'\n');
                last = Some(byte);
            }
            self.left_out_lines += lines;
            self.left_out_bytes += over as u64;
            self.is_cut = last != Some(b'\n');
        }
    }

    /// What was kept, from the beginning of a line if there is one.
    pub(super) fn end(mut self) -> Ended {
        let cut = match self.is_cut {
            true => self.kept.iter().position(|byte| *byte == b'\n'),
            false => None,
        };
        if let Some(cut) = cut.filter(|cut| cut + 1 < self.kept.len()) {
            self.kept.drain(..=cut);
            self.left_out_lines += 1;
            self.left_out_bytes += cut as u64 + 1;
        }
        let bytes = self.kept.make_contiguous();
        let text = String::from_utf8_lossy(bytes).into_owned();
        Ended {
            lines: text.lines().count() as u64,
            text,
            left_out_lines: self.left_out_lines,
            left_out_bytes: self.left_out_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(most: usize, pieces: &[&str], text: &str, numbers: [u64; 3]) {
        let mut tail = Tail::new(most);
        for piece in pieces {
            tail.add(piece.as_bytes());
        }
        let ended = tail.end();
        let came = [ended.lines, ended.left_out_lines, ended.left_out_bytes];
        assert_eq!((&*ended.text, came), (text, numbers), "{pieces:?}");
    }

    #[test]
    fn the_end_is_kept_from_the_beginning_of_a_line() {
        check(100, &[], "", [0, 0, 0]);
        check(100, &["a\n", "b\n"], "a\nb\n", [2, 0, 0]);
        check(4, &["aa\nbb\ncc\n"], "cc\n", [1, 2, 6]);
        check(6, &["aa\nb", "b\ncc\n"], "bb\ncc\n", [2, 1, 3]);
        check(6, &["aa\nbb\ncc\n"], "bb\ncc\n", [2, 1, 3]);
        // A single line that is too long is cut.
        check(3, &["abcdef"], "def", [1, 0, 3]);
        check(3, &["abcde\n"], "de\n", [1, 0, 3]);
        check(2, &["é", "é"], "é", [1, 0, 2]);
    }
}
