//! A plan as JSON for programs. In: the report; out: the value that docs/plan-json.md describes. No
//! IO. Fields may be added; none changes its meaning while `formatVersion` stays.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use smr_api::Drift;
use smr_core::canonical::AccessChange;
use smr_core::step::Step;

use super::super::load::Placed;
use super::entry::{Action, Entry, Outlook, Verdict};
use super::rename::Rename;
use super::words::{self, Symbol};
use super::{Mode, Report};

const FORMAT_VERSION: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output<'a> {
    format_version: u32,
    mode: Mode,
    account_id: Option<&'a str>,
    partition: Option<&'a str>,
    cluster_name: &'a str,
    objects: Vec<Object<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    renames: &'a [Rename],
    skipped_documents: usize,
    notes: Vec<String>,
    summary: BTreeMap<String, usize>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    namespace: &'a str,
    name: &'a str,
    place: &'a str,
    action: Option<Action>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    arns: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activation_role: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<PlannedStep>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    drift: Vec<Drift>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    access: &'a [AccessChange],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    documents: Vec<Document<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unlisted_policies: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    adopts: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Problem<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlannedStep {
    action: &'static str,
    object: &'static str,
    arn: String,
    symbol: Symbol,
    /// Stages come one after the other, the steps of one side by side.
    stage: usize,
    /// Once IAM has spread the steps before.
    later: bool,
    parameters: Json,
}

#[derive(Serialize)]
struct Document<'a> {
    document: &'static str,
    before: &'a str,
    after: &'a str,
}

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    place: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    field: &'a str,
    message: &'a str,
}

/// The whole value.
pub(super) fn report(report: &Report) -> Output<'_> {
    let mut summary = BTreeMap::new();
    for entry in &report.entries {
        let action = serde_json::to_value(entry.action()).ok();
        let name = action
            .as_ref()
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned();
        *summary.entry(name).or_default() += 1;
    }
    Output {
        format_version: FORMAT_VERSION,
        mode: report.mode,
        account_id: report.account.as_ref().map(|a| a.id.as_str()),
        partition: report.account.as_ref().map(|a| a.partition.as_str()),
        cluster_name: &report.cluster,
        objects: report.entries.iter().map(object).collect(),
        renames: &report.renames,
        skipped_documents: report.skipped,
        notes: report
            .notes
            .iter()
            .cloned()
            .chain(report.cluster_note())
            .collect(),
        summary,
    }
}

fn object(entry: &Entry) -> Object<'_> {
    match &entry.verdict {
        Verdict::Invalid(problems) => Object {
            problems: problems.iter().map(problem).collect(),
            ..about(entry)
        },
        Verdict::Paused | Verdict::WrongAccount { .. } => about(entry),
        Verdict::Planned(outlook) => planned(outlook, entry),
    }
}

fn about(entry: &Entry) -> Object<'_> {
    Object {
        namespace: &entry.key.namespace,
        name: &entry.key.name,
        place: &entry.place,
        action: Some(entry.action()),
        notes: &entry.notes,
        ..Object::default()
    }
}

fn problem(placed: &Placed) -> Problem<'_> {
    Problem {
        place: &placed.place,
        field: &placed.problem.field,
        message: &placed.problem.message,
    }
}

fn planned<'a>(outlook: &'a Outlook, entry: &'a Entry) -> Object<'a> {
    Object {
        arns: outlook
            .arns
            .iter()
            .map(|(kind, arn)| (*kind, arn.as_str()))
            .collect(),
        activation_role: outlook.activation_role(),
        steps: steps(outlook),
        drift: outlook.drift.iter().map(Drift::from).collect(),
        access: &outlook.access,
        documents: outlook
            .documents
            .iter()
            .map(|d| Document {
                document: d.what,
                before: &d.before,
                after: &d.after,
            })
            .collect(),
        unlisted_policies: &outlook.unlisted,
        adopts: outlook.adopts.iter().map(|kind| kind.as_str()).collect(),
        problems: outlook
            .obstacles
            .iter()
            .map(|message| Problem {
                place: "",
                field: "",
                message,
            })
            .collect(),
        ..about(entry)
    }
}

fn steps(outlook: &Outlook) -> Vec<PlannedStep> {
    let Some((account, names)) = outlook.names() else {
        return Vec::new();
    };
    let stages = outlook.steps.stages.iter().map(|s| (s, false));
    let stages = stages.chain(outlook.later.stages.iter().map(|s| (s, true)));
    let one = |step: &Step, stage: usize, later: bool| PlannedStep {
        action: step.action(),
        object: step.kind().as_str(),
        arn: step.arn(account, names),
        symbol: words::step(step, account, names).0,
        stage,
        later,
        parameters: serde_json::to_value(step).unwrap_or_default(),
    };
    stages
        .enumerate()
        .flat_map(|(stage, (steps, later))| {
            steps.iter().map(move |step| one(step, stage + 1, later))
        })
        .collect()
}
