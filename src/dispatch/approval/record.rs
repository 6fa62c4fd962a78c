//! One approval: what it is for, and what became of it.

use serde::{Deserialize, Serialize};

use crate::model::risk::Risk;
use crate::wire::json::Json;

/// What a person is asked to agree to, and what they said.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Approval {
    /// Its own, unguessable.
    pub id: String,
    /// The listed name of the tool.
    pub tool: String,
    /// Whose that is.
    pub plugin: String,
    /// Who calls.
    pub principal: String,
    /// The beginning of the session's id.
    pub session: Option<String>,
    /// The arguments as they go to the plugin; what is named like a secret is masked, and where they are long, long texts are cut.
    pub arguments: Json,
    /// What a call does, in words.
    pub effect: String,
    /// How much harm it can do, where that is known.
    pub risk: Option<Risk>,
    /// Where it stands.
    pub status: Status,
    /// When it was asked for.
    pub created: String,
    /// Until when it can be given; once it is, until when it can be used.
    pub expires: String,
    /// The principal who decided.
    pub decided_by: Option<String>,
    /// When that was.
    pub decided_at: Option<String>,
    /// Why, in that person's words.
    pub reason: Option<String>,
    /// The incident that the call belongs to, where it names one.
    pub incident: Option<String>,
}

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has decided.
    Pending,
    /// It was given, and the call was not made yet.
    Approved,
    /// It was refused.
    Declined,
    /// Its time was over before it was given, or used.
    Expired,
    /// The call was made.
    Used,
}

impl Status {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Expired => "expired",
            Self::Used => "used",
        }
    }
}

/// What somebody decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the call may be made.
    pub approve: bool,
    /// Who decides.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
}

/// Hears of every decision, whoever made it.
pub trait Decided: Send + Sync {
    /// Somebody has decided. Called on the path of a call or of a request: must neither wait nor fail.
    fn decided(&self, approval: &Approval);
}
