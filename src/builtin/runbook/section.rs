//! A Markdown text as the sections that its headings make of it.

/// A part of a runbook: what stands between one heading and the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    /// The headings above it and its own, the outermost first.
    pub(super) headings: Vec<String>,
    /// The line that its heading stands on, counted from 1.
    pub(super) line: u64,
    /// Its text, without the heading.
    pub(super) body: String,
}

/// Where the reading is.
#[derive(Default)]
struct Reader<'a> {
    found: Vec<Section>,
    /// The headings that are open, with their levels.
    open: Vec<(usize, String)>,
    /// What ends the block of code that is open.
    fence: Option<&'a str>,
    /// Whether the text begins with properties that are not over yet.
    in_properties: bool,
    /// The line before this one, where it may be the text of a heading that is underlined.
    before: Option<&'a str>,
}

/// The sections of `text`, in order. What looks like a heading in a fenced block of code, or in the properties that stand
/// before all, is none.
pub(super) fn sections(text: &str) -> Vec<Section> {
    let mut reader = Reader {
        found: vec![Section {
            headings: Vec::new(),
            line: 1,
            body: String::new(),
        }],
        ..Reader::default()
    };
    for (number, line) in (1..).zip(text.lines()) {
        reader.read(number, line);
    }
    let mut found = reader.found;
    found.retain(|section| !section.headings.is_empty() || !section.body.trim().is_empty());
    found
}

impl<'a> Reader<'a> {
    fn read(&mut self, number: u64, line: &'a str) {
        let before = self.before.take();
        if number == 1 && line.trim_end() == "---" {
            self.in_properties = true;
            return;
        }
        if self.in_properties {
            self.in_properties = !["---", "..."].contains(&line.trim_end());
            return self.keep(line);
        }
        let mark = fence(line);
        if let Some(open) = self.fence {
            // As many marks as opened it, or more, and nothing behind them.
            let closes = mark.is_some_and(|mark| mark.starts_with(open) && line.trim() == mark);
            if closes {
                self.fence = None;
            }
            return self.keep(line);
        }
        if mark.is_some() {
            self.fence = mark;
            return self.keep(line);
        }
        if let Some((level, title)) = heading(line) {
            return self.begin(number, level, title);
        }
        if let (Some(title), Some(level)) = (before, underline(line)) {
            let body = self.found.last_mut().map(|section| &mut section.body);
            if let Some(body) = body {
                body.truncate(body.len().saturating_sub(title.len() + 1));
            }
            return self.begin(number - 1, level, title.trim().to_owned());
        }
        self.keep(line);
        let is_prose = line.starts_with(|letter: char| letter.is_alphanumeric());
        self.before = Some(line).filter(|_| is_prose);
    }

    fn begin(&mut self, line: u64, level: usize, title: String) {
        let is_below = self.open.last().is_some_and(|(last, _)| *last < level);
        let is_bare = |section: &mut Section| section.body.trim().is_empty();
        if is_below {
            // A heading with nothing but headings under it stands above those.
            self.found.pop_if(is_bare);
        }
        self.open.retain(|(above, _)| *above < level);
        self.open.push((level, title));
        self.found.push(Section {
            headings: self.open.iter().map(|(_, title)| title.clone()).collect(),
            line,
            body: String::new(),
        });
    }

    fn keep(&mut self, line: &str) {
        if let Some(section) = self.found.last_mut() {
            section.body.push_str(line);
            section.body.push('\n');
        }
    }
}

/// The marks that a block of code begins or ends with.
fn fence(line: &str) -> Option<&str> {
    let start = line.trim_start();
    let mark = start.chars().next().filter(|mark| "`~".contains(*mark))?;
    let count = start.chars().take_while(|letter| *letter == mark).count();
    (count >= 3).then(|| &start[..count])
}

/// The level and the text of a heading of the `#` kind.
fn heading(line: &str) -> Option<(usize, String)> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let title = line[level..].strip_prefix([' ', '\t'])?;
    let title = title.trim().trim_end_matches('#').trim_end();
    ((1..=6).contains(&level) && !title.is_empty()).then(|| (level, title.to_owned()))
}

/// The level of a heading that this line underlines.
fn underline(line: &str) -> Option<usize> {
    let line = line.trim_end();
    let is_all = |mark: char| line.len() >= 2 && line.chars().all(|letter| letter == mark);
    match (is_all('='), is_all('-')) {
        (true, _) => Some(1),
        (_, true) => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[(&str, u64, &str)]) {
        let found: Vec<(String, u64, String)> = sections(text)
            .into_iter()
            .map(|section| (section.headings.join(" > "), section.line, section.body))
            .collect();
        let expect: Vec<_> = expect
            .iter()
            .map(|(headings, line, body)| ((*headings).to_owned(), *line, (*body).to_owned()))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn headings_make_sections_and_code_does_not() {
        check(
            "before\n# A #\none\n### Deep\n## B\n```sh\n# no heading\n```\n#none\n# C\n",
            &[
                ("", 1, "before\n"),
                ("A", 2, "one\n"),
                ("A > Deep", 4, ""),
                ("A > B", 5, "```sh\n# no heading\n```\n#none\n"),
                ("C", 10, ""),
            ],
        );
        check("\n\n", &[]);
        check(
            "# A\n\n## B\nx\n## C\n# D\n",
            &[("A > B", 3, "x\n"), ("A > C", 5, ""), ("D", 6, "")],
        );
        check(
            "# A\n````\n```\n# no\n````\n# B\n",
            &[("A", 1, "````\n```\n# no\n````\n"), ("B", 6, "")],
        );
        check("# A\n~~~\n```\n# no\n", &[("A", 1, "~~~\n```\n# no\n")]);
    }

    #[test]
    fn underlined_headings_count_and_properties_do_not() {
        check(
            "Failover\n========\nfirst\nSteps\n---\n- one\n---\nx\n",
            &[
                ("Failover", 1, "first\n"),
                ("Failover > Steps", 4, "- one\n---\nx\n"),
            ],
        );
        check(
            "---\ntitle: Failover\n# no heading\n---\n# A\n",
            &[
                ("", 1, "title: Failover\n# no heading\n---\n"),
                ("A", 5, ""),
            ],
        );
        check("a\n\n---\nb\n", &[("", 1, "a\n\n---\nb\n")]);
    }
}
