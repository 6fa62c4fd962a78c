//! Which era a plugin is spoken to in, and how its instances are shared among callers.

use std::sync::Arc;

use crate::manifest::{Era as EraChoice, Isolation};
use crate::model::caller::ClientProfile;
use crate::registry::pool::slot::{Holder, Told, Wanted};
use crate::registry::pool::{Pool, State, Who};
use crate::runtime::CallContext;
use crate::session::Session;
use crate::wire::json::Json;
use crate::wire::revision::{Era, Revision};

/// Which eras a plugin speaks, as far as is known.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Speech {
    lacks_legacy: bool,
    lacks_modern: bool,
}

impl Speech {
    pub(super) fn of(choice: EraChoice) -> Self {
        Self {
            lacks_legacy: choice == EraChoice::Modern,
            lacks_modern: choice == EraChoice::Legacy,
        }
    }

    /// The plugin was asked for `asked` and speaks `spoken`.
    pub(super) fn learn(&mut self, asked: Era, spoken: Era) {
        if asked != spoken {
            match asked {
                Era::Legacy => self.lacks_legacy = true,
                Era::Modern => self.lacks_modern = true,
            }
        }
        match spoken {
            Era::Legacy => self.lacks_legacy = false,
            Era::Modern => self.lacks_modern = false,
        }
    }

    fn choose(self, preferred: Era) -> Era {
        match preferred {
            Era::Legacy if self.lacks_legacy && !self.lacks_modern => Era::Modern,
            Era::Modern if self.lacks_modern => Era::Legacy,
            era => era,
        }
    }
}

impl Who {
    /// Who makes this call.
    pub fn of(context: &CallContext) -> Self {
        Self {
            principal: Arc::clone(&context.caller.principal),
            profile: Arc::clone(&context.profile),
            session: context.session.clone(),
        }
    }

    /// Nobody in particular.
    pub fn nobody() -> Self {
        Self {
            principal: "".into(),
            profile: Arc::new(ClientProfile::bare()),
            session: None,
        }
    }
}

impl Pool {
    /// The era in which the plugin is spoken to for a caller: the caller's own where the plugin knows it and has the
    /// caller to itself, so that nothing must be translated. Else the modern one, where each request says whose it is.
    pub(super) fn preferred(
        &self,
        state: &State,
        session: Option<&Arc<Session>>,
        profile: &ClientProfile,
    ) -> Era {
        let own = match (self.isolation, session) {
            (Isolation::Session | Isolation::Call, Some(_)) => profile.era(),
            _ => Era::Modern,
        };
        state.speech.choose(own)
    }

    pub(super) fn wanted(&self, state: &State, who: &Who) -> Wanted {
        self.wanted_by(state, who.session.as_ref(), &who.principal, &who.profile)
    }

    /// How this caller may use an instance.
    pub(super) fn wanted_by(
        &self,
        state: &State,
        session: Option<&Arc<Session>>,
        principal: &Arc<str>,
        profile: &ClientProfile,
    ) -> Wanted {
        let era = self.preferred(state, session, profile);
        self.wanted_in(era, session, principal, profile)
    }

    /// How a caller may use an instance that speaks `era`. Modern ones keep nothing between requests and are everyone's.
    pub(super) fn wanted_in(
        &self,
        era: Era,
        session: Option<&Arc<Session>>,
        principal: &Arc<str>,
        profile: &ClientProfile,
    ) -> Wanted {
        let holder = match (era, self.isolation, session) {
            (Era::Modern, ..) => {
                return Wanted {
                    holder: Holder::Shared,
                    told: Told::OnEachRequest,
                };
            }
            (Era::Legacy, Isolation::Shared, _) => Holder::Shared,
            (Era::Legacy, Isolation::Session, Some(session)) => {
                Holder::Session(Arc::clone(&session.id))
            }
            (Era::Legacy, Isolation::Session | Isolation::Call, _) => {
                Holder::OneCall(Arc::clone(principal))
            }
        };
        let told = match holder {
            // It cannot be known whom a question would be for, so there shall be none.
            Holder::Shared => Told::AtStart {
                revision: Revision::NEWEST_LEGACY,
                capabilities: Json::literal("{}"),
            },
            Holder::Session(_) | Holder::OneCall(_) => Told::AtStart {
                revision: profile.revision.min(Revision::NEWEST_LEGACY),
                capabilities: profile.told_to(Era::Legacy),
            },
        };
        Wanted { holder, told }
    }

    /// Whether its instances may keep something between the calls of one client: legacy ones that are not shared.
    pub fn keeps_state(&self) -> bool {
        self.isolation == Isolation::Session && self.state().speech.lacks_modern
    }

    /// The client that an instance for `profile` is told of at its start.
    pub(super) fn told_profile(&self, profile: &Arc<ClientProfile>) -> Arc<ClientProfile> {
        match self.isolation {
            Isolation::Shared => Arc::new(ClientProfile::bare()),
            Isolation::Session | Isolation::Call => Arc::clone(profile),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_era_of_the_caller_is_spoken_where_the_plugin_knows_it() {
        let auto = Speech::of(EraChoice::Auto);
        assert_eq!(auto.choose(Era::Legacy), Era::Legacy);
        assert_eq!(auto.choose(Era::Modern), Era::Modern);
        let mut old = auto;
        old.learn(Era::Modern, Era::Legacy);
        assert_eq!(old.choose(Era::Modern), Era::Legacy);
        let mut new = auto;
        new.learn(Era::Legacy, Era::Modern);
        assert_eq!(new.choose(Era::Legacy), Era::Modern);
        let forced = Speech::of(EraChoice::Modern);
        assert_eq!(forced.choose(Era::Legacy), Era::Modern);
    }
}
