//! What servers list: tools, prompts, resources and resource templates.

use crate::wire::method::Method;

/// One of the lists of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// Tools, by name.
    Tools,
    /// Prompts, by name.
    Prompts,
    /// Resources, by URI.
    Resources,
    /// Resource templates, by URI template.
    ResourceTemplates,
}

/// What a client can be told is another one now. Resources and their templates change together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// The tools.
    Tools,
    /// The prompts.
    Prompts,
    /// The resources and the templates.
    Resources,
}

impl ListKind {
    /// All lists, in the order in which they are read.
    pub const ALL: [Self; 4] = [
        Self::Tools,
        Self::Prompts,
        Self::Resources,
        Self::ResourceTemplates,
    ];

    /// The list that `method` asks for.
    pub fn of(method: &Method) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.method() == *method)
    }

    /// The method that lists.
    pub fn method(self) -> Method {
        match self {
            Self::Tools => Method::ToolsList,
            Self::Prompts => Method::PromptsList,
            Self::Resources => Method::ResourcesList,
            Self::ResourceTemplates => Method::ResourceTemplatesList,
        }
    }

    /// The member of the result that holds the list.
    pub fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::ResourceTemplates => "resourceTemplates",
        }
    }

    /// The member of a definition that tells it from the others of its list.
    pub fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::ResourceTemplates => "uriTemplate",
        }
    }

    /// One of the list, for people.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Tools => "tool",
            Self::Prompts => "prompt",
            Self::Resources => "resource",
            Self::ResourceTemplates => "resource template",
        }
    }

    /// What clients are told of when it changes.
    pub fn topic(self) -> Topic {
        match self {
            Self::Tools => Topic::Tools,
            Self::Prompts => Topic::Prompts,
            Self::Resources | Self::ResourceTemplates => Topic::Resources,
        }
    }
}

impl Topic {
    /// All topics, in the order in which clients are told of them.
    pub const ALL: [Self; 3] = [Self::Tools, Self::Prompts, Self::Resources];

    /// The topic that the notification `method` is about.
    pub fn of(method: &Method) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|topic| topic.changed() == *method)
    }

    /// The notification that tells of a change.
    pub fn changed(self) -> Method {
        match self {
            Self::Tools => Method::ToolsListChanged,
            Self::Prompts => Method::PromptsListChanged,
            Self::Resources => Method::ResourcesListChanged,
        }
    }

    /// The capability of a server that has such lists.
    pub fn capability(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
        }
    }

    /// The key of a subscription's filter that asks for it (MCP 2026-07-28, subscriptions).
    pub fn filter(self) -> &'static str {
        match self {
            Self::Tools => "toolsListChanged",
            Self::Prompts => "promptsListChanged",
            Self::Resources => "resourcesListChanged",
        }
    }

    /// The lists that belong to it.
    pub fn lists(self) -> &'static [ListKind] {
        match self {
            Self::Tools => &[ListKind::Tools],
            Self::Prompts => &[ListKind::Prompts],
            Self::Resources => &[ListKind::Resources, ListKind::ResourceTemplates],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_topics_are_found_by_their_methods() {
        for kind in ListKind::ALL {
            assert_eq!(ListKind::of(&kind.method()), Some(kind));
            assert!(kind.topic().lists().contains(&kind));
        }
        for topic in Topic::ALL {
            assert_eq!(Topic::of(&topic.changed()), Some(topic));
        }
        assert_eq!(ListKind::of(&Method::ToolsCall), None);
    }
}
