//! How calls of one tool are carried out: what its manifest, its author in the gateway's own code, and the operator say
//! beyond its definition. What other servers say of themselves is not believed.

use std::sync::Arc;

use crate::manifest::dry_run::DryRun;
use crate::manifest::expose::ToolEntry;
use crate::manifest::runtime::RuntimeKind;
use crate::manifest::upkeep::Retry;
use crate::model::category::Category;
use crate::model::risk::Risk;
use crate::registry::catalog::Entry;
use crate::registry::plugin::{Plugin, Source};
use crate::registry::rules::Rules;
use crate::wire::json::Json;
use crate::wire::members::Members;

/// How calls of one tool are carried out.
#[derive(Debug, Clone)]
pub struct Conduct {
    /// How much harm a call can do, where that is known.
    pub risk: Option<Risk>,
    /// What a call touches, where that is said.
    pub blast_radius: Option<Arc<str>>,
    /// Whether a person must agree to each call, whoever calls.
    pub requires_approval: bool,
    /// Whether the tool's author alone wants that, who may say of a call that it only looks.
    pub may_be_waived: bool,
    /// How it is told to change nothing.
    pub dry_run: DryRun,
    /// Whether `success: false` in a result is a failure, and `retry: true` there asks for another attempt.
    pub success_flag: bool,
    /// Whether a call may be made twice without harm.
    pub may_repeat: bool,
    /// How often a call that failed may be made anew, where it may.
    pub retry: Option<Retry>,
    /// Whether defaults of its schema are filled in.
    pub fills_defaults: bool,
}

/// What the author of code in the gateway says in the tool's definition.
#[derive(Default)]
struct Own {
    risk: Option<Risk>,
    blast_radius: Option<Arc<str>>,
    requires_approval: bool,
    idempotent: bool,
}

impl Conduct {
    /// That of the tool listed as `name`, with this definition of its own.
    pub(super) fn of(
        plugin: &Plugin,
        (name, definition): (&str, &Members),
        category: Option<Category>,
        corrections: Option<&ToolEntry>,
        rules: &Rules,
    ) -> Self {
        let manifest = &plugin.manifest;
        let is_ours = plugin.runtime == RuntimeKind::InProcess;
        let own = match is_ours {
            true => Own::of(definition),
            false => Own::default(),
        };
        let told = corrections.and_then(|entry| entry.blast_radius.as_deref().map(Arc::from));
        let risk = corrections.and_then(|entry| entry.risk).or(own.risk);
        let declared = corrections.is_some_and(|entry| entry.requires_approval)
            || rules.approval.asks((name, &manifest.id), category, risk);
        let declares = matches!(plugin.source, Source::Folder(_)) && !manifest.tools.is_empty();
        let success_flag = manifest.results.success_flag;
        let idempotent = corrections.and_then(|entry| entry.idempotent);
        let may_repeat = match category {
            Some(Category::Diagnostic) => true,
            // Whatever is said of it: who changes things is asked once.
            Some(Category::Remediation) => false,
            None => idempotent.unwrap_or(own.idempotent),
        };
        Self {
            risk,
            blast_radius: told.or(own.blast_radius),
            requires_approval: declared || own.requires_approval,
            may_be_waived: own.requires_approval && !declared,
            dry_run: corrections
                .and_then(|entry| entry.dry_run.clone())
                .unwrap_or(DryRun::Never),
            success_flag: success_flag.unwrap_or(is_ours || declares),
            may_repeat,
            retry: (may_repeat && manifest.retry.max_attempts > 1).then(|| manifest.retry.clone()),
            fills_defaults: is_ours
                || rules.fill_defaults
                || corrections.is_some_and(|entry| entry.input_schema.is_some()),
        }
    }

    /// Says in a definition's `_meta` what clients may want to know.
    pub(super) fn show(&self, definition: &mut Members) {
        let told = [
            ("toolgate/risk", self.risk.map(|risk| Json::of(&risk))),
            (
                "toolgate/blast_radius",
                self.blast_radius.as_deref().map(Json::of),
            ),
            (
                "toolgate/requires_approval",
                self.requires_approval.then(|| Json::literal("true")),
            ),
        ];
        if told.iter().all(|(_, value)| value.is_none()) {
            return;
        }
        let meta = definition.get("_meta").and_then(Members::of);
        let mut meta = meta.unwrap_or_default();
        for (key, value) in told {
            if let Some(value) = value {
                meta.set(key, value);
            }
        }
        definition.set("_meta", meta.to_json());
    }
}

impl Entry {
    /// What a call does, in words that follow the tool's name: `changes things (risk high): one pod`.
    pub fn effect(&self) -> String {
        let mut words = match self.category {
            Some(Category::Diagnostic) => "changes nothing",
            Some(Category::Remediation) => "changes things",
            None => "may change things",
        }
        .to_owned();
        if let Some(risk) = self.conduct.risk {
            words.push_str(&format!(" (risk {})", risk.as_str()));
        }
        if let Some(blast_radius) = &self.conduct.blast_radius {
            words.push_str(&format!(": {blast_radius}"));
        }
        words
    }
}

impl Own {
    fn of(definition: &Members) -> Self {
        let part = |key: &str| {
            definition
                .get(key)
                .and_then(Members::of)
                .unwrap_or_default()
        };
        let (meta, annotations) = (part("_meta"), part("annotations"));
        let is_set = |members: &Members, key: &str| members.get(key).is_some_and(Json::is_true);
        let risk = meta.get("toolgate/risk").and_then(|risk| risk.parse().ok());
        Self {
            risk,
            blast_radius: meta.string("toolgate/blast_radius").map(Arc::from),
            requires_approval: is_set(&meta, "toolgate/requires_approval"),
            idempotent: is_set(&annotations, "idempotentHint"),
        }
    }
}
