//! What a PromQL query asks for: a query and the program's list of metrics enter, the labels of its answer and
//! the values it compares with leave, or what it gets wrong. No IO.

use std::collections::BTreeSet;

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};
use session_manager_role::telemetry::metrics::Listed;
use smr_api::labels::{CallOutcome, Priority};
use smr_api::{ConditionStatus, DriftField, Reason};

/// What Prometheus, or the PodMonitor, adds to every series.
const TARGET: [&str; 5] = ["namespace", "job", "instance", "pod", "container"];

/// Metrics of others: Prometheus itself, and kube-state-metrics.
const FOREIGN: [(&str, &[&str]); 2] = [
    ("up", &[]),
    (
        "kube_pod_container_resource_limits",
        &["resource", "unit", "node"],
    ),
];

type Labels = BTreeSet<String>;

/// What a query was found to use.
#[derive(Debug, Default)]
pub struct Asked {
    /// The names of the program's metrics, without a histogram's ending.
    pub metrics: BTreeSet<String>,
    /// The reasons that it picks by name.
    pub reasons: BTreeSet<Reason>,
    /// The labels of its answer; `None` for a number.
    pub labels: Option<Labels>,
}

/// Reads a query; panics at what can't be.
pub fn ask(query: &str, known: &[Listed]) -> Asked {
    let parsed = parser::parse(query).unwrap_or_else(|e| panic!("{query}: {e}"));
    let mut reader = Reader {
        query,
        known,
        asked: Asked::default(),
    };
    let labels = reader.read(&parsed);
    Asked {
        labels,
        ..reader.asked
    }
}

struct Reader<'a> {
    query: &'a str,
    known: &'a [Listed],
    asked: Asked,
}

impl Reader<'_> {
    fn read(&mut self, expression: &Expr) -> Option<Labels> {
        match expression {
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => None,
            Expr::Paren(inner) => self.read(&inner.expr),
            Expr::Unary(inner) => self.read(&inner.expr),
            Expr::Subquery(inner) => self.read(&inner.expr),
            Expr::VectorSelector(selector) => Some(self.select(selector)),
            Expr::MatrixSelector(matrix) => Some(self.select(&matrix.vs)),
            Expr::Call(call) => {
                let of_arguments = (call.args.args.iter()).filter_map(|a| self.read(a));
                let labels = of_arguments.reduce(|one, other| &one | &other);
                match call.func.name {
                    "absent" | "vector" => Some(Labels::new()),
                    "time" => None,
                    "histogram_quantile" => labels.map(|mut labels| {
                        assert!(labels.remove("le"), "{}: the buckets are gone", self.query);
                        labels
                    }),
                    _ => labels,
                }
            }
            Expr::Aggregate(aggregate) => {
                let inner = self.read(&aggregate.expr).unwrap_or_default();
                Some(match &aggregate.modifier {
                    None => Labels::new(),
                    Some(LabelModifier::Include(by)) => self.only(&by.labels, &inner),
                    Some(LabelModifier::Exclude(without)) => {
                        &inner - &self.only(&without.labels, &inner)
                    }
                })
            }
            Expr::Binary(binary) => {
                let sides = [self.read(&binary.lhs), self.read(&binary.rhs)];
                let matching = binary.modifier.as_ref().and_then(|m| m.matching.as_ref());
                if let Some(LabelModifier::Include(on)) = matching {
                    for side in sides.iter().flatten() {
                        self.only(&on.labels, side);
                    }
                } else if let [Some(left), Some(right)] = &sides {
                    assert_eq!(left, right, "{}: no series match", self.query);
                }
                let [left, right] = sides;
                left.or(right)
            }
            Expr::Extension(_) => panic!("{}: unknown", self.query),
        }
    }

    /// These labels, each of which must be there.
    fn only(&self, wanted: &[String], there: &Labels) -> Labels {
        let wanted: Labels = wanted.iter().cloned().collect();
        let missing = &wanted - there;
        assert!(missing.is_empty(), "{}: no label {missing:?}", self.query);
        wanted
    }

    fn select(&mut self, selector: &VectorSelector) -> Labels {
        let name = selector.name.clone().unwrap_or_default();
        let target = TARGET.map(str::to_owned);
        let own: Labels = if let Some((_, labels)) = FOREIGN.iter().find(|(f, _)| *f == name) {
            labels.iter().map(|label| (*label).to_owned()).collect()
        } else {
            self.listed(&name)
        };
        for matcher in &selector.matchers.matchers {
            let label = &matcher.name;
            assert!(
                own.contains(label) || TARGET.contains(&label.as_str()),
                "{}: {name} has no label {label}",
                self.query
            );
            self.compare(matcher);
        }
        own.into_iter().chain(target).collect()
    }

    /// The labels of one of the program's metrics, by the name of its series.
    fn listed(&mut self, series: &str) -> Labels {
        let endings = ["_bucket", "_sum", "_count"];
        let histogram = endings.into_iter().find_map(|ending| {
            let base = series.strip_suffix(ending)?;
            let found = self.known.iter().find(|metric| metric.name == base)?;
            (found.kind == "histogram").then_some((found, ending))
        });
        let plain = || self.known.iter().find(|metric| metric.name == series);
        let (metric, ending) = (histogram.or_else(|| Some((plain()?, ""))))
            .unwrap_or_else(|| panic!("{}: no metric {series}", self.query));
        assert!(
            metric.kind != "histogram" || !ending.is_empty(),
            "{}: {series} is a histogram",
            self.query
        );
        self.asked.metrics.insert(metric.name.clone());
        let le = (ending == "_bucket").then(|| "le".to_owned());
        metric.labels.iter().cloned().chain(le).collect()
    }

    /// Every value that a label is compared with is one that the label can have.
    fn compare(&mut self, matcher: &Matcher) {
        let beyond = ["Unknown", "Other"];
        let words: Vec<&str> = match matcher.name.as_str() {
            "reason" => (Reason::ALL.iter().map(|r| r.as_str()))
                .chain(beyond)
                .collect(),
            "ready" => (ConditionStatus::ALL.iter().map(|s| s.as_str()))
                .chain(beyond)
                .collect(),
            "outcome" => CallOutcome::ALL.iter().map(|o| o.as_str()).collect(),
            "priority" => Priority::ALL.iter().map(|p| p.as_str()).collect(),
            "field" => DriftField::ALL.iter().map(|f| f.as_str()).collect(),
            "name" => vec!["session-manager-role", "sessionmanagerrole"],
            _ => return,
        };
        for value in matcher.value.split('|') {
            assert!(
                words.contains(&value),
                "{}: {} is never {value}",
                self.query,
                matcher.name
            );
        }
        if matcher.name == "reason" && matches!(matcher.op, MatchOp::Equal | MatchOp::Re(_)) {
            let picked = matcher.value.split('|').filter_map(Reason::parse);
            self.asked.reasons.extend(picked);
        }
    }
}

#[test]
fn a_wrong_query_is_found() {
    let known = crate::metrics();
    for wrong in [
        "smr_object",
        "smr_objects{reason=\"Convergd\"}",
        "smr_objects{outcome=\"ok\"}",
        "sum by (outcome) (smr_objects)",
        "smr_iam_budget_wait_seconds > 60",
        "histogram_quantile(0.9, sum(rate(smr_iam_budget_wait_seconds_bucket[5m])))",
        "max by (job) (smr_objects) > max by (namespace) (smr_orphans)",
        "smr_objects and on (reason) smr_orphans",
    ] {
        let refused = std::panic::catch_unwind(|| ask(wrong, &crate::metrics()));
        assert!(refused.is_err(), "{wrong}");
    }
    let asked = ask("smr_objects{reason=~\"NotOwned|Replaced\"} > 0", &known);
    assert_eq!(
        asked.reasons,
        BTreeSet::from([Reason::NotOwned, Reason::Replaced])
    );
}
