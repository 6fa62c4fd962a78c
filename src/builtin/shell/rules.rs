//! Which arguments a program may be given.

use globset::GlobBuilder;

/// The rules of one program.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    /// Patterns of arguments that are refused, see [`fits`].
    pub(super) deny: Vec<String>,
    /// Words of which the first argument must be one.
    pub(super) subcommands: Option<Vec<String>>,
    /// Whether options may come before that.
    pub(super) options_first: bool,
    /// Whether options begin with one hyphen or two, as `ip` has it.
    pub(super) any_hyphens: bool,
    /// The options before the subcommand whose value is the next argument.
    pub(super) with_value: Vec<String>,
    /// Words that change something: arguments after the first must not begin any of them.
    pub(super) verbs: Vec<String>,
    /// How many arguments there may be that are no options.
    pub(super) operands: Option<usize>,
}

impl Rules {
    /// What is wrong with these arguments of `program`, if anything.
    pub(super) fn check(&self, program: &str, arguments: &[String]) -> Result<(), String> {
        for (at, argument) in arguments.iter().enumerate() {
            let option = self.option(argument);
            if let Some(pattern) = self.deny.iter().find(|pattern| fits(pattern, option)) {
                let apart = match is_letter(pattern) && argument.len() > 2 {
                    true => {
                        "; if another option is meant, write options apart or by their long names"
                    }
                    false => "",
                };
                return Err(format!(
                    "argument {} of `{program}`, `{argument}`, is refused by the rule `{pattern}`: leave it out{apart}",
                    at + 1
                ));
            }
        }
        self.check_subcommand(program, arguments)?;
        let operands: Vec<_> = self.operands_of(arguments).collect();
        if let Some(verb) = operands.iter().skip(1).find(|word| self.is_verb(word)) {
            return Err(format!(
                "`{program}` may only look, and `{verb}` may change something: write words such as `show` in full"
            ));
        }
        match self.operands {
            Some(most) if operands.len() > most => Err(format!(
                "`{program}` takes {most} arguments here that are no options, and `{}` is one too many: write values of options with them, as `-l16` or `--option=value`",
                operands[most]
            )),
            _ => Ok(()),
        }
    }

    fn check_subcommand(&self, program: &str, arguments: &[String]) -> Result<(), String> {
        let Some(known) = &self.subcommands else {
            return Ok(());
        };
        let first = match self.options_first {
            true => self.operands_of(arguments).next(),
            false => arguments.first(),
        };
        match first {
            Some(word) if known.contains(word) => Ok(()),
            first => Err(format!(
                "{} of `{program}` must be one of {}",
                first.map_or("the first argument".to_owned(), |word| format!(
                    "`{word}` as first argument"
                )),
                known
                    .iter()
                    .map(|word| format!("`{word}`"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
        }
    }

    /// The arguments that are no options, nor values of those that take one.
    fn operands_of<'a>(&self, arguments: &'a [String]) -> impl Iterator<Item = &'a String> {
        let mut is_value = false;
        let mut is_before = true;
        arguments.iter().filter(move |argument| {
            if std::mem::take(&mut is_value) {
                return false;
            }
            let is_operand = is_operand(argument);
            is_before &= !is_operand;
            let option = self.option(argument);
            is_value = is_before && self.with_value.iter().any(|pattern| fits(pattern, option));
            is_operand
        })
    }

    /// An argument as rules see it.
    fn option<'a>(&self, argument: &'a str) -> &'a str {
        match argument.strip_prefix('-') {
            Some(rest) if self.any_hyphens && rest.len() > 1 && rest.starts_with('-') => rest,
            _ => argument,
        }
    }

    fn is_verb(&self, word: &str) -> bool {
        self.verbs.iter().any(|verb| verb.starts_with(word))
    }
}

/// Whether an argument is no option. What begins with `+` is one for those programs that count.
fn is_operand(argument: &str) -> bool {
    !argument.starts_with(['-', '+']) || argument == "-"
}

/// Whether a pattern is an option of one letter.
fn is_letter(pattern: &str) -> bool {
    pattern.len() == 2 && pattern.starts_with('-') && pattern != "--"
}

/// Whether an argument fits a pattern:
/// `-x` the option, also among other letters; `--long` the option, also shortened or with a value; `=text` this text and
/// nothing else; anything else the whole argument, where `*` is any text.
pub(super) fn fits(pattern: &str, argument: &str) -> bool {
    if let Some(text) = pattern.strip_prefix('=') {
        return argument == text;
    }
    if is_letter(pattern) {
        let letters = argument
            .strip_prefix('-')
            .filter(|rest| !rest.starts_with('-'));
        return letters.is_some_and(|letters| letters.contains(&pattern[1..]));
    }
    if let (Some(long), false) = (pattern.strip_prefix("--"), pattern.contains('*')) {
        let given = argument.strip_prefix("--").unwrap_or_default();
        let given = given.split('=').next().unwrap_or_default();
        return !given.is_empty() && long.starts_with(given);
    }
    let glob = GlobBuilder::new(pattern).backslash_escape(false).build();
    match glob {
        Ok(glob) => glob.compile_matcher().is_match(argument),
        // What cannot be read as a pattern is a text.
        Err(_) => argument == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_however_options_are_written() {
        for (pattern, fitting, others) in [
            (
                "-o",
                &["-o", "-ofile", "-ro", "-no"][..],
                &["o", "-r", "--output", "-", "--", "x-o"][..],
            ),
            (
                "--output",
                &["--output", "--output=x", "--out", "--o"],
                &["-o", "--", "--outputs", "--reverse", "output"],
            ),
            ("-exec*", &["-exec", "-execdir"], &["exec", "--exec", "-x"]),
            ("-delete", &["-delete"], &["-depth", "delete", "-deleted"]),
            ("=-b", &["-b"], &["-br", "b"]),
            ("vacuum*", &["vacuum", "vacuum-x/y"], &["a vacuum"]),
        ] {
            for argument in fitting {
                assert!(fits(pattern, argument), "{pattern} {argument}");
            }
            for argument in others {
                assert!(!fits(pattern, argument), "{pattern} {argument}");
            }
        }
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn subcommands_verbs_and_operands_are_counted() {
        let git = Rules {
            subcommands: Some(words("status log")),
            ..Rules::default()
        };
        let told = git
            .check("git", &words("-c x=y status"))
            .expect_err("an option first");
        assert!(
            told.contains("`-c` as first argument") && told.contains("`status`, `log`"),
            "{told}"
        );
        assert!(git.check("git", &[]).is_err() && git.check("git", &words("push")).is_err());
        assert_eq!(git.check("git", &words("log -3")), Ok(()));
        let ip = Rules {
            subcommands: Some(words("addr link")),
            options_first: true,
            verbs: words("add set delete"),
            ..Rules::default()
        };
        assert_eq!(ip.check("ip", &words("-s link show eth0")), Ok(()));
        for line in [
            "link set eth0 up",
            "link s eth0",
            "addr a 1.2.3.4",
            "-s addr del x",
        ] {
            assert!(
                ip.check("ip", &words(line))
                    .expect_err(line)
                    .contains("in full")
            );
        }
        let date = Rules {
            operands: Some(0),
            ..Rules::default()
        };
        assert_eq!(date.check("date", &words("-u +%s")), Ok(()));
        assert!(
            date.check("date", &words("01010000"))
                .expect_err("sets it")
                .contains("`01010000`")
        );
    }
}
