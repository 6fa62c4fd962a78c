//! What the operator lets commands reach.

/// Bounds on commands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// The namespaces that commands may name; empty where all are.
    pub(super) namespaces: Vec<String>,
    /// The namespace where a command names none.
    pub(super) namespace: Option<String>,
    /// The most replicas that something may be scaled to.
    pub(super) max_replicas: u32,
    /// Whether commands may change things.
    pub(super) may_change: bool,
}

impl Rules {
    /// The namespace that a command is run in; `None` leaves it to the context.
    pub(super) fn namespace(&self, named: Option<&str>) -> Result<Option<String>, String> {
        let Some(named) = named else {
            let usual = self.namespace.as_ref().or(self.namespaces.first());
            return Ok(usual.cloned());
        };
        if !is_name(named) {
            return Err(format!("`{named}` is no name of a namespace"));
        }
        match self.namespaces.is_empty() || self.namespaces.iter().any(|known| known == named) {
            true => Ok(Some(named.to_owned())),
            false => Err(format!(
                "the namespace `{named}` is not among those that the operator allows: {}",
                self.namespaces.join(", ")
            )),
        }
    }

    /// Whether a command may look into all namespaces.
    pub(super) fn check_all(&self) -> Result<(), String> {
        match self.namespaces.is_empty() {
            true => Ok(()),
            false => Err(format!(
                "`--all-namespaces` is more than the operator allows: name one of {} by `-n`",
                self.namespaces.join(", ")
            )),
        }
    }
}

/// Whether this can be the name of a namespace: a label of RFC 1123.
pub(super) fn is_name(text: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(is_inside)
        && !text.starts_with('-')
        && !text.ends_with('-')
}
