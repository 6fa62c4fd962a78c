//! Which patterns anyone in this process has asked for.

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::model::topic::Pattern;

/// The patterns that are asked for.
pub(super) struct Interest {
    patterns: ArcSwap<Vec<Pattern>>,
    /// Held while they are replaced.
    changing: Mutex<()>,
    any: watch::Sender<bool>,
}

/// Keeps one pattern asked for while it lives.
pub(super) struct Asked {
    interest: Arc<Interest>,
    pattern: Pattern,
}

impl Interest {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            patterns: ArcSwap::default(),
            changing: Mutex::new(()),
            any: watch::Sender::new(false),
        })
    }

    /// Asks for a pattern.
    pub(super) fn ask(self: &Arc<Self>, pattern: &Pattern) -> Asked {
        self.change(|patterns| patterns.push(pattern.clone()));
        Asked {
            interest: Arc::clone(self),
            pattern: pattern.clone(),
        }
    }

    /// Whether `topic` is asked for by a pattern that begins with its first word and the dot behind it: `*` asks for
    /// whatever there is, and not that there be more.
    pub(super) fn names(&self, topic: &str) -> bool {
        let patterns = self.patterns.load();
        if patterns.is_empty() {
            return false;
        }
        let word = topic.find('.').map_or(topic, |dot| &topic[..=dot]);
        let names =
            |pattern: &Pattern| pattern.as_str().starts_with(word) && pattern.chooses(topic);
        patterns.iter().any(names)
    }

    /// Whether anything is asked for, now and after each change.
    pub(super) fn any(&self) -> watch::Receiver<bool> {
        self.any.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Pattern>)) {
        let _alone = self.changing.lock().expect("no holder of this lock panics");
        let mut patterns = self.patterns.load().to_vec();
        change(&mut patterns);
        self.any.send_replace(!patterns.is_empty());
        self.patterns.store(Arc::new(patterns));
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let pattern = &self.pattern;
        self.interest.change(|patterns| {
            if let Some(at) = patterns.iter().position(|known| known == pattern) {
                patterns.swap_remove(at);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_everything_does_not_ask_for_more() {
        let interest = Interest::new();
        let ask = |pattern: &str| interest.ask(&pattern.parse().expect("a pattern"));
        let names = || interest.names("toolgate.call.finished");
        let _all = ask("*");
        assert!(!names());
        let one = ask("toolgate.*");
        let other = ask("toolgate.call.finished");
        let _plugins = ask("toolgate.plugin.*");
        assert!(names());
        drop(one);
        assert!(names());
        drop(other);
        assert!(!names());
    }
}
