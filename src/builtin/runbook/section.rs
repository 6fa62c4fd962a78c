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

/// The sections of `text`, in order. What looks like a heading in a fenced block of code is none.
pub(super) fn sections(text: &str) -> Vec<Section> {
    let mut found = vec![Section {
        headings: Vec::new(),
        line: 1,
        body: String::new(),
    }];
    let mut open: Vec<(usize, String)> = Vec::new();
    let mut fence: Option<&str> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let start = line.trim_start();
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        let heading = heading(line).filter(|_| fence.is_none());
        if let Some((level, title)) = heading {
            open.retain(|(above, _)| *above < level);
            open.push((level, title));
            found.push(Section {
                headings: open.iter().map(|(_, title)| title.clone()).collect(),
                line: number,
                body: String::new(),
            });
        } else if let Some(section) = found.last_mut() {
            section.body.push_str(line);
            section.body.push('\n');
        }
    }
    found.retain(|section| !section.headings.is_empty() || !section.body.trim().is_empty());
    found
}

/// The level and the text of a heading of the `#` kind.
fn heading(line: &str) -> Option<(usize, String)> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let title = line[level..].strip_prefix([' ', '\t'])?;
    let title = title.trim().trim_end_matches('#').trim_end();
    ((1..=6).contains(&level) && !title.is_empty()).then(|| (level, title.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_make_sections_and_code_does_not() {
        let text = "before\n# A #\none\n### Deep\n## B\n```sh\n# no heading\n```\n#none\n# C\n";
        let found: Vec<(String, u64, String)> = sections(text)
            .into_iter()
            .map(|section| (section.headings.join(" > "), section.line, section.body))
            .collect();
        let expect = [
            ("", 1, "before\n"),
            ("A", 2, "one\n"),
            ("A > Deep", 4, ""),
            ("A > B", 5, "```sh\n# no heading\n```\n#none\n"),
            ("C", 10, ""),
        ];
        let expect: Vec<_> = expect
            .map(|(headings, line, body)| (headings.to_owned(), line, body.to_owned()))
            .into();
        assert_eq!(found, expect);
        assert!(sections("\n\n").is_empty());
    }
}
