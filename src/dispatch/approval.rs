//! Calls that a person must agree to before they are made.
//!
//! The user of a client that can be asked is asked on the spot; the call waits meanwhile, and its own time does not run.
//! For a client that cannot be asked the approval is pending: an operator gives it over HTTP, the call waits a moment for
//! that, and the same call sent again later uses it, once. What was given survives a restart, where the store does.

pub mod question;

pub mod record;

mod shown;

pub mod table;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::dispatch::approval::record::{Approval, Decided, Decision, Status};
use crate::dispatch::approval::table::{Kept, Table, Undecided};
use crate::dispatch::audit::{Record, short_session};
use crate::dispatch::config::ApprovalPolicy;
use crate::dispatch::{Dispatcher, cancelled, shutting_down};
use crate::ledger::documents::{Documents, NotKept};
use crate::model::fault::{Fault, FaultKind};
use crate::model::offer;
use crate::plugin::{Clock, Weight, utc};
use crate::registry::catalog::Entry;
use crate::runtime::{CallContext, Request};
use crate::session::table::new_id;
use crate::wire::digest::digest;
use crate::wire::hex::hex;
use crate::wire::json::Json;
use crate::wire::message::Params;
use crate::wire::meta::DRY_RUN;
use crate::wire::method::Method;

/// The kind under which approvals are kept.
const KIND: &str = "approval";

/// The approvals of one gateway.
pub struct Approvals {
    policy: ApprovalPolicy,
    table: Mutex<Table>,
    /// Counts decisions.
    decisions: watch::Sender<u64>,
    documents: OnceLock<Arc<dyn Documents>>,
    ear: OnceLock<Arc<dyn Decided>>,
    clock: Clock,
}

impl Approvals {
    pub(super) fn new(policy: ApprovalPolicy) -> Self {
        Self {
            policy,
            table: Mutex::default(),
            decisions: watch::Sender::new(0),
            documents: OnceLock::new(),
            ear: OnceLock::new(),
            clock: Clock::default(),
        }
    }

    /// Says who hears of every decision. The first one counts.
    pub fn heard_by(&self, ear: Arc<dyn Decided>) {
        self.ear.get_or_init(|| ear);
    }

    /// Takes in what was kept before, and keeps everything there from now on. The first store counts.
    pub async fn keep_in(&self, documents: Arc<dyn Documents>) -> Result<(), NotKept> {
        let documents = self.documents.get_or_init(|| documents);
        let now = self.clock.unix_ms();
        for (id, document) in documents.list(KIND).await? {
            match document.parse::<Kept>() {
                Ok(kept) if kept.expires_ms > now => drop(self.table().add(kept)),
                _ => drop(documents.remove(KIND, &id).await?),
            }
        }
        Ok(())
    }

    /// All that are remembered, the newest first.
    pub async fn all(&self) -> Vec<Approval> {
        self.sweep().await;
        self.table().newest_first().cloned().collect()
    }

    /// The one of that id.
    pub fn get(&self, id: &str) -> Option<Approval> {
        self.table().get(id).map(|kept| kept.approval.clone())
    }

    /// Whether a caller may decide about its own calls.
    pub fn may_approve_own(&self) -> bool {
        self.policy.self_approve
    }

    /// Decides. A call that waits for it goes on; else the next one that is the same.
    pub async fn decide(&self, id: &str, decision: &Decision) -> Result<Approval, Undecided> {
        self.sweep().await;
        let times = (self.clock.unix_ms(), self.policy.ttl_ms);
        let (before, kept) = {
            let mut table = self.table();
            let before = table.get(id).cloned();
            (before, table.decide(id, decision, times)?)
        };
        let stored = match decision.approve {
            true => self.store(&kept).await,
            false => self.forget(id).await,
        };
        if let Err(NotKept(why)) = stored {
            tracing::warn!(approval.id = id, "Could not keep a decision: {why}");
            if let Some(before) = before {
                self.table().put_back(before);
            }
            return Err(Undecided::NotKept);
        }
        self.tell(&kept.approval);
        self.decisions.send_modify(|count| *count += 1);
        Ok(kept.approval)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no holder of this lock panics")
    }

    fn tell(&self, approval: &Approval) {
        let Approval {
            id,
            tool,
            principal,
            ..
        } = approval;
        let by = approval.decided_by.as_deref().unwrap_or_default();
        let word = match approval.status {
            Status::Declined => "Declined",
            Status::Pending | Status::Approved | Status::Expired | Status::Used => "Approved",
        };
        tracing::info!(approval.id = %id, tool.name = %tool, %principal, %by, "{word} a call of `{tool}`");
        if let Some(ear) = self.ear.get() {
            ear.decided(approval);
        }
    }

    async fn sweep(&self) {
        let over = self.table().sweep(self.clock.unix_ms());
        for id in over {
            // What is left there is out of time all the same when it is read again.
            if self.forget(&id).await.is_err() {
                return;
            }
        }
    }

    async fn store(&self, kept: &Kept) -> Result<(), NotKept> {
        match self.documents.get() {
            Some(documents) => documents.put(KIND, &kept.approval.id, Json::of(kept)).await,
            None => Ok(()),
        }
    }

    async fn forget(&self, id: &str) -> Result<(), NotKept> {
        match self.documents.get() {
            Some(documents) => documents.remove(KIND, id).await.map(drop),
            None => Ok(()),
        }
    }

    /// Uses what was given for such a call. It is not used where that could not be kept: a restart would give it again.
    async fn take(&self, digest: &str) -> Result<Option<Approval>, Fault> {
        self.sweep().await;
        let Some(taken) = self.table().take(digest) else {
            return Ok(None);
        };
        if let Err(why) = self.forget(&taken.id).await {
            self.table().untake(&taken.id);
            return Err(not_kept(why));
        }
        Ok(Some(taken))
    }

    /// The id of the pending approval for such a call; made where there is none.
    async fn pending(&self, digest: &str, asked: &Approval) -> Result<String, Fault> {
        let kept = {
            let mut table = self.table();
            if let Some(known) = table.pending(digest) {
                return Ok(known.approval.id.clone());
            }
            let kept = Kept {
                approval: asked.clone(),
                digest: digest.to_owned(),
                expires_ms: self.clock.unix_ms().saturating_add(self.policy.ttl_ms),
            };
            table.add(kept.clone()).map_err(|_| {
                let message = "too many calls wait for an approval; decide about some first";
                Fault::new(FaultKind::Busy, message).because("too_many_approvals")
            })?;
            kept
        };
        let Approval { id, tool, .. } = &kept.approval;
        tracing::info!(approval.id = %id, tool.name = %tool, "A call of `{tool}` waits for an approval");
        if let Err(NotKept(why)) = self.store(&kept).await {
            // It can still be given, as long as this process lives.
            tracing::warn!(approval.id = %id, "Could not keep an approval that is pending: {why}");
        }
        Ok(id.clone())
    }
}

impl Dispatcher {
    /// The approvals of calls.
    pub fn approvals(&self) -> &Approvals {
        &self.approvals
    }

    /// Whether a person must agree to this call, which would do that as far as its tool says. Where it has not said yet:
    /// whether one may have to.
    pub(super) fn needs_approval(
        &self,
        entry: &Entry,
        context: &CallContext,
        weight: Option<&Weight>,
    ) -> bool {
        let policy = &self.policy.approval;
        let is_among = |patterns: &[crate::manifest::glob::Pattern]| {
            let principal = &context.caller.principal;
            patterns.iter().any(|pattern| pattern.matches(principal))
        };
        let conduct = &entry.conduct;
        let is_waived = conduct.may_be_waived && weight == Some(&Weight::Looks);
        (conduct.requires_approval && !is_waived || is_among(&policy.principals))
            && !is_among(&policy.except)
    }

    /// Has a person agree to the call. A fault when nobody does.
    pub(super) async fn approve(
        &self,
        (entry, weight): (&Entry, Option<&Weight>),
        request: &Request,
        context: &CallContext,
        record: &mut Record<'_>,
    ) -> Result<(), Fault> {
        let digest = digest_of((entry, weight), request, context);
        let approvals = &self.approvals;
        if let Some(given) = approvals.take(&digest).await? {
            record.approved_by(given.id);
            return Ok(());
        }
        let mut asked = self.wanted((entry, weight), request, context, record.incident())?;
        // What does not go into a question an operator is shown.
        let question = question::params(&asked);
        let can_be_asked =
            |question: &Params| offer::check(&context.profile, &Method::Elicit, question).is_ok();
        if let Some(question) = question.filter(can_be_asked) {
            let ttl = Duration::from_millis(approvals.policy.ttl_ms);
            let asking = context.client.ask(Method::Elicit, question);
            let answer = tokio::select! {
                biased;
                () = context.cancel.cancelled() => return Err(cancelled()),
                () = self.closing.cancelled() => return Err(shutting_down()),
                answer = tokio::time::timeout(ttl, asking) => answer,
            };
            match answer {
                Err(_) => return Err(expired(entry)),
                Ok(Ok(answer)) => {
                    let said = question::read(&answer);
                    record.approved_by(asked.id.clone());
                    return self.said(&mut asked, digest, said);
                }
                Ok(Err(error)) => {
                    tracing::debug!(
                        call = context.id,
                        "A client could not be asked for an approval: {}",
                        error.message
                    );
                }
            }
        }
        self.await_operator(&digest, &asked, context, record).await
    }

    /// Takes note of what the client's user said.
    fn said(
        &self,
        asked: &mut Approval,
        digest: String,
        said: question::Said,
    ) -> Result<(), Fault> {
        let approvals = &self.approvals;
        let now = approvals.clock.unix_ms();
        asked.status = match said.approve {
            true => Status::Used,
            false => Status::Declined,
        };
        asked.decided_by = Some(asked.principal.clone());
        asked.decided_at = Some(utc(Duration::from_millis(now)));
        asked.reason = said.reason;
        let kept = Kept {
            approval: asked.clone(),
            digest,
            expires_ms: now,
        };
        // It is over: there is always room for it.
        approvals.table().add(kept).ok();
        approvals.tell(asked);
        match said.approve {
            true => Ok(()),
            false => Err(declined("the user", asked)),
        }
    }

    /// Waits for somebody who may decide, for as long as the policy says and the call has time.
    async fn await_operator(
        &self,
        digest: &str,
        asked: &Approval,
        context: &CallContext,
        record: &mut Record<'_>,
    ) -> Result<(), Fault> {
        let approvals = &self.approvals;
        let wait = Duration::from_millis(approvals.policy.wait_ms);
        let until = Instant::now() + context.timeout.map_or(wait, |timeout| wait.min(timeout));
        let mut decisions = approvals.decisions.subscribe();
        let mut asked = asked.clone();
        loop {
            decisions.mark_unchanged();
            let id = approvals.pending(digest, &asked).await?;
            loop {
                tokio::select! {
                    biased;
                    () = context.cancel.cancelled() => return Err(cancelled()),
                    () = self.closing.cancelled() => return Err(shutting_down()),
                    // The sender lives as long as this.
                    _ = decisions.changed() => {}
                    () = tokio::time::sleep_until(until) => return Err(pending(&asked, &id)),
                }
                match approvals.get(&id) {
                    Some(approval) if approval.status == Status::Pending => continue,
                    Some(approval) if approval.status == Status::Declined => {
                        record.approved_by(id);
                        let by = approval.decided_by.clone().unwrap_or_default();
                        return Err(declined(&format!("`{by}`"), &approval));
                    }
                    _ => break,
                }
            }
            if let Some(given) = approvals.take(digest).await? {
                record.approved_by(given.id);
                return Ok(());
            }
            // Another call that is the same was quicker: this one needs an approval of its own.
            asked.id = new_id().to_string();
        }
    }

    /// What a person is asked to agree to. A fault where they could not be shown all of it.
    fn wanted(
        &self,
        (entry, weight): (&Entry, Option<&Weight>),
        request: &Request,
        context: &CallContext,
        incident: Option<&str>,
    ) -> Result<Approval, Fault> {
        let approvals = &self.approvals;
        let (now, ttl) = (approvals.clock.unix_ms(), approvals.policy.ttl_ms);
        let time = |ms: u64| utc(Duration::from_millis(ms));
        let arguments = request.params.members.get("arguments");
        let arguments = shown::arguments(arguments).ok_or_else(|| too_long(entry))?;
        Ok(Approval {
            id: new_id().to_string(),
            tool: entry.name.to_string(),
            plugin: entry.plugin.id().to_string(),
            principal: context.caller.principal.to_string(),
            session: short_session(context).map(str::to_owned),
            arguments,
            effect: match (is_dry(request), weight) {
                (true, _) => format!("is to be a dry run; a call {}", entry.effect()),
                (false, Some(Weight::Changes(change))) => {
                    format!("{}, which {}", change.effect(), entry.effect())
                }
                (false, _) => entry.effect(),
            },
            risk: entry.conduct.risk,
            status: Status::Pending,
            created: time(now),
            expires: time(now.saturating_add(ttl)),
            decided_by: None,
            decided_at: None,
            reason: None,
            incident: incident.map(str::to_owned),
        })
    }
}

/// What tells calls apart that need an approval each: who calls what, with which arguments, however they are written.
fn digest_of(
    (entry, weight): (&Entry, Option<&Weight>),
    request: &Request,
    context: &CallContext,
) -> String {
    let nothing = Json::literal("{}");
    let arguments = request.params.members.get("arguments");
    let mut parts = BTreeMap::from([
        ("arguments", arguments.unwrap_or(&nothing).clone()),
        ("plugin", Json::of(entry.plugin.id().as_str())),
        ("principal", Json::of(&*context.caller.principal)),
        ("tool", Json::of(&*entry.name)),
    ]);
    if let Some(Weight::Changes(change)) = weight {
        parts.extend([change.agreed()]);
    }
    // A yes to a dry run is none to the call.
    if is_dry(request) {
        parts.insert("dry_run", Json::literal("true"));
    }
    let members = parts.iter().map(|(key, value)| (key.as_bytes(), value));
    hex(&digest(members))
}

fn is_dry(request: &Request) -> bool {
    let asked = request.params.meta.get(DRY_RUN);
    asked.is_some_and(Json::is_true)
}

fn declined(by: &str, approval: &Approval) -> Fault {
    let tool = &approval.tool;
    let why = match &approval.reason {
        Some(reason) => format!(": {reason}"),
        None => String::new(),
    };
    let message = format!("the call of `{tool}` was declined by {by}{why}");
    Fault::new(FaultKind::Denied, message).because("approval_declined")
}

fn too_long(entry: &Entry) -> Fault {
    let message = format!(
        "`{}` needs an approval, and its arguments are too long to be shown to who must give it, also with long texts cut: make several calls of it",
        entry.name
    );
    Fault::new(FaultKind::BadInput, message).because("too_long_to_approve")
}

fn expired(entry: &Entry) -> Fault {
    let message = format!(
        "`{}` needs an approval, and the user has not answered in time",
        entry.name
    );
    Fault::new(FaultKind::Denied, message).because("approval_expired")
}

fn pending(asked: &Approval, id: &str) -> Fault {
    let (tool, expires) = (&asked.tool, &asked.expires);
    let message = format!(
        "`{tool}` needs an approval, and nobody has given it yet: an operator gives it by `toolgate approvals approve {id}` or `POST /api/approvals/{id}/approve` until {expires}; then send the same call again"
    );
    Fault::new(FaultKind::Denied, message).because("approval_pending")
}

fn not_kept(err: NotKept) -> Fault {
    let message = "the approval is there, but that it is used now could not be kept";
    Fault::new(FaultKind::Unavailable, message)
        .because("approval_not_kept")
        .caused_by(err)
}

#[cfg(test)]
mod tests;
