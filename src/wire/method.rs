//! The methods of MCP that the gateway knows by name.

macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A method. Those of extensions are kept by name.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Method {
            $($(#[$doc])* $variant,)*
            /// One we do not know.
            Other(Box<str>),
        }

        impl Method {
            /// The method of that name.
            pub fn of(name: &str) -> Self {
                match name {
                    $($name => Self::$variant,)*
                    other => Self::Other(other.into()),
                }
            }

            /// The name on the wire where it is one that we know, else `other`: one of a bounded number of words.
            pub fn known(&self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(_) => "other",
                }
            }

            /// The name on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(name) => name,
                }
            }
        }
    };
}

methods! {
    /// Opens a legacy session.
    Initialize = "initialize",
    /// Ends the legacy handshake.
    Initialized = "notifications/initialized",
    /// Asks whether the peer is there (legacy).
    Ping = "ping",
    /// Says what a modern server is.
    Discover = "server/discover",
    /// Lists tools.
    ToolsList = "tools/list",
    /// Calls a tool.
    ToolsCall = "tools/call",
    /// The tools are others now.
    ToolsListChanged = "notifications/tools/list_changed",
    /// Lists prompts.
    PromptsList = "prompts/list",
    /// Gets a prompt.
    PromptsGet = "prompts/get",
    /// The prompts are others now.
    PromptsListChanged = "notifications/prompts/list_changed",
    /// Lists resources.
    ResourcesList = "resources/list",
    /// Lists resource templates.
    ResourceTemplatesList = "resources/templates/list",
    /// Reads a resource.
    ResourcesRead = "resources/read",
    /// Subscribes to a resource (legacy).
    ResourcesSubscribe = "resources/subscribe",
    /// Ends such a subscription (legacy).
    ResourcesUnsubscribe = "resources/unsubscribe",
    /// A resource has changed.
    ResourcesUpdated = "notifications/resources/updated",
    /// The resources are others now.
    ResourcesListChanged = "notifications/resources/list_changed",
    /// Completes an argument.
    Complete = "completion/complete",
    /// Sets the level of log messages of a legacy session.
    SetLevel = "logging/setLevel",
    /// A log message.
    LogMessage = "notifications/message",
    /// Progress of a request.
    Progress = "notifications/progress",
    /// A request is no longer wanted.
    Cancelled = "notifications/cancelled",
    /// Opens a stream of changes (modern).
    Listen = "subscriptions/listen",
    /// The first message of such a stream.
    ListenAcknowledged = "notifications/subscriptions/acknowledged",
    /// Asks the user.
    Elicit = "elicitation/create",
    /// Asks the client's model.
    Sample = "sampling/createMessage",
    /// Lists the client's roots.
    RootsList = "roots/list",
    /// The client's roots are others now.
    RootsListChanged = "notifications/roots/list_changed",
}

impl Method {
    /// The member of `params` whose value stands in the `Mcp-Name` header (MCP 2026-07-28, standard request headers).
    pub fn name_param(&self) -> Option<&'static str> {
        match self {
            Self::ToolsCall | Self::PromptsGet => Some("name"),
            Self::ResourcesRead => Some("uri"),
            Self::Other(name) => {
                matches!(&**name, "tasks/get" | "tasks/update" | "tasks/cancel").then_some("taskId")
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        assert_eq!(Method::of("tools/call"), Method::ToolsCall);
        assert_eq!(Method::of("x/y").as_str(), "x/y");
        assert_eq!(Method::of("tasks/get").name_param(), Some("taskId"));
        assert_eq!(Method::of("tasks/result").name_param(), None);
    }
}
