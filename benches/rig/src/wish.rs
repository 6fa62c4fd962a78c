//! What the calls of a load ask for, and how an answer to them is known.

use memchr::memmem;

use crate::Problem;
use crate::args::Args;
use crate::prepared::{Arguments, Asked, Text};
use crate::scenes::N_STEPS;

/// What each call of a load asks for.
#[derive(Clone)]
pub(crate) enum Wish {
    /// The tool that returns its arguments.
    Echo { tool: String, arguments: Arguments },
    /// A tool that counts to ten and tells its progress.
    Count { tool: String },
    /// A resource of at least so many bytes.
    Read { uri: String, n_bytes: usize },
}

impl Wish {
    /// From `--read URI` (a tool is not called then), or `--tool` with `--count yes`, or `--tool` (default: `echo`),
    /// `--bytes` and `--text`.
    pub(crate) fn from_args(args: &mut Args) -> Result<Self, Problem> {
        let n_bytes = args.get_or("bytes", 200)?;
        let text = args.get_or("text", Text::Code)?;
        let tool = args.get_or("tool", "echo".to_owned())?;
        if let Some(uri) = args.get("read")? {
            return Ok(Self::Read { uri, n_bytes });
        }
        Ok(match args.get::<String>("count")?.as_deref() {
            Some("yes") => Self::Count { tool },
            _ => Self::Echo {
                tool,
                arguments: Arguments { n_bytes, text },
            },
        })
    }

    /// The request for it.
    pub(crate) fn asked(&self) -> Asked<'_> {
        match self {
            Self::Echo { tool, arguments } => Asked::call(tool, &arguments.json()),
            Self::Count { tool } => Asked {
                progress: true,
                ..Asked::call(tool, &format!(r#"{{"to":{N_STEPS}}}"#))
            },
            Self::Read { uri, .. } => Asked {
                name: Some(uri),
                ..Asked::of("resources/read", format!(r#""uri":"{uri}""#))
            },
        }
    }

    /// Whether the body of an answer holds what was asked for.
    pub(crate) fn is_granted_by(&self, body: &[u8]) -> bool {
        let has = |what: &[u8]| memmem::find(body, what).is_some();
        match self {
            Self::Echo { arguments, .. } => {
                body.len() >= arguments.n_bytes && !has(br#""isError":true"#)
            }
            Self::Count { .. } => {
                memmem::find_iter(body, b"notifications/progress").count() == N_STEPS
                    && has(b"Counted to")
            }
            Self::Read { n_bytes, .. } => body.len() >= *n_bytes && has(br#""contents""#),
        }
    }
}
