//! Tables in text, for people and models: columns as wide as what is in them.

use std::fmt::Write;

use crate::model::text;

/// A cell that is longer is cut.
const MAX_CELL: usize = 120;

/// Rows under a heading.
pub(super) struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(super) fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self {
            heading: heading.map(str::to_owned).to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. What breaks lines or is no text becomes a space, what is too long is cut.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| plain(&cell)).to_vec());
    }

    /// The table, a line per row; what `nothing` says where there is none.
    pub(super) fn render(&self, nothing: &str) -> String {
        if self.rows.is_empty() {
            return nothing.to_owned();
        }
        let lines = || std::iter::once(&self.heading).chain(&self.rows);
        let width = |column: usize| {
            let cells = lines().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.heading.len()).map(width).collect();
        let mut text = String::new();
        for line in lines() {
            let mut written = String::new();
            for (cell, width) in line.iter().zip(&widths) {
                write!(written, "{cell:width$}  ").expect("a text takes all");
            }
            text.push_str(written.trim_end());
            text.push('\n');
        }
        text
    }
}

fn plain(cell: &str) -> String {
    let text = text::plain(cell);
    match text.chars().count() > MAX_CELL {
        true => text::cut(text, MAX_CELL - 1),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut table = Table::new(["NAME", "N"]);
        table.row(["é\n\u{1b}[1m".to_owned(), "1".to_owned()]);
        table.row(["long name".to_owned(), String::new()]);
        let text = table.render("none");
        assert_eq!(text, "NAME       N\né  [1m     1\nlong name\n");
        assert_eq!(Table::new(["A"]).render("none"), "none");
        let mut long = Table::new(["A"]);
        long.row(["x".repeat(500)]);
        let text = long.render("none");
        assert!(text.ends_with("x…\n") && text.chars().count() == 2 + MAX_CELL + 1);
    }
}
