//! Why the code of a plugin runs at this moment. What it calls meanwhile goes past filters and notifiers or not by that.

tokio::task_local! {
    static CAUSE: Cause;
}

/// Why the code of a plugin runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A client calls, or the plugin works of its own accord. Also where a plugin has handed its work to a task of its
    /// own: nobody knows what that is for.
    #[default]
    Other,
    /// A filter or a notifier is being asked; or something that it calls for that, at any distance.
    Errand,
    /// An event is being handled; or something that is called for that, at any distance. Nobody is told of such calls: that
    /// could be an event again.
    Event,
    /// A hook of the plugin runs: it starts, stops or is asked how it is.
    Hook,
}

impl Cause {
    /// That of the code that asks.
    pub(crate) fn now() -> Self {
        CAUSE.try_with(|cause| *cause).unwrap_or_default()
    }

    /// Does `work` for this cause.
    pub(crate) fn during<W: Future>(self, work: W) -> impl Future<Output = W::Output> {
        CAUSE.scope(self, work)
    }
}
