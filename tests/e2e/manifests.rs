//! Ten thousand manifests, made from the CRD's own schema and then broken, before `smr plan`'s check
//! and before the real API server (a dry run with strict fields, as kubectl asks): both accept a
//! manifest, or both refuse it. Each type, bound and rule of the schema is broken often enough.

mod generate;
mod metadata;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use control_plane::ControlPlane;
use futures::StreamExt as _;
use futures::stream::iter;
use generate::{Generator, Target};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, PostParams};
use serde_json::{Value, json};
use smr_api::SessionManagerRole;
use smr_manifest::schema::{Constraint, Problem, Schema};
use smr_manifest::yaml;

const SEED: u64 = 13;
/// How many are made, and how many of them change an object that is there.
const CREATED: usize = 9_000;
const CHANGED: usize = 1_000;
/// How often each constraint is broken at least.
const EACH: usize = 20;
/// How many requests are under way at a time.
const AT_A_TIME: usize = 8;

/// One manifest.
struct Case {
    object: Value,
    /// The object that it changes.
    before: Option<Value>,
    /// A field that the text has twice.
    twice: bool,
}

/// What both said.
struct Verdicts {
    case: Case,
    plan: Vec<(Problem, Constraint)>,
    /// The API server's refusal.
    server: Option<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plan_and_the_api_server_accept_and_refuse_the_same() {
    let plane = crate::support::plane().await;
    let crd = serde_json::to_value(smr_api::crd().unwrap()).unwrap();
    let shape = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut targets = Vec::new();
    constraints(&shape["properties"]["spec"], "spec", &mut targets);
    rules(shape, "", &mut targets);
    let checker = Schema::new().unwrap();

    let mut cases = created(shape, &targets, &checker);
    cases.extend(changed(shape, &targets, &checker, &plane).await);
    let server = Server::of(&plane);
    let verdicts: Vec<Verdicts> = iter(cases)
        .map(|case| judged(case, &checker, &server))
        .buffered(AT_A_TIME)
        .collect()
        .await;

    let differing: Vec<String> = (verdicts.iter())
        .filter(|v| v.plan.is_empty() != v.server.is_none())
        .map(|v| {
            format!(
                "{}\n  plan: {:?}\n  server: {:?}",
                v.case.object, v.plan, v.server
            )
        })
        .collect();
    assert!(
        differing.is_empty(),
        "{} differ:\n{}",
        differing.len(),
        differing[..differing.len().min(20)].join("\n")
    );
    let accepted = verdicts.iter().filter(|v| v.plan.is_empty()).count();
    println!("{} manifests, {accepted} accepted", verdicts.len());
    assert!(accepted * 3 >= verdicts.len(), "{accepted} are accepted");
    assert_each_is_broken(&targets, &verdicts);
    show(&verdicts);
}

fn assert_each_is_broken(targets: &[Target], verdicts: &[Verdicts]) {
    let mut broken: BTreeMap<Target, usize> = BTreeMap::new();
    for (problem, constraint) in verdicts.iter().flat_map(|v| &v.plan) {
        let target = (schema_path(&problem.field, constraint), constraint.clone());
        *broken.entry(target).or_default() += 1;
    }
    let count = |target: &Target| broken.get(&broken_at(target)).copied().unwrap_or(0);
    let rare: Vec<String> = (targets.iter())
        .filter(|target| count(target) < EACH)
        .map(|target| format!("{target:?}: {} times", count(target)))
        .collect();
    assert_eq!(rare, [""; 0]);
    println!(
        "{} constraints, each broken {EACH} times or more",
        targets.len()
    );
}

/// Twenty refusals side by side, for people (`--show-output`).
fn show(verdicts: &[Verdicts]) {
    let refused: Vec<&Verdicts> = (verdicts.iter())
        .filter(|v| v.plan.len() == 1 && v.server.is_some())
        .collect();
    let mut text = String::new();
    for verdict in refused.iter().step_by(refused.len() / 20) {
        let (problem, _) = &verdict.plan[0];
        let server = verdict.server.as_deref().unwrap_or_default();
        let server: String = server.chars().take(400).collect();
        writeln!(
            text,
            "plan:   {}: {}\nserver: {server}\n",
            problem.field, problem.message
        )
        .unwrap();
    }
    println!("{text}");
}

/// Manifests of new objects: as they come, with small changes, with a constraint broken.
fn created(shape: &Value, targets: &[Target], checker: &Schema) -> Vec<Case> {
    let mut generator = Generator::new(shape, SEED);
    let mut cases: Vec<Case> = Vec::new();
    let new = |object| Case {
        object,
        before: None,
        twice: false,
    };
    for target in targets.iter().filter(|t| !is_of_changes(t)) {
        for _ in 0..EACH + 5 {
            cases.push(new(broken(&mut generator, target, checker, None)));
        }
    }
    while cases.len() < CREATED {
        let mut object = generator.manifest();
        match generator.rng.u8(0..8) {
            0..=4 => object = valid(&mut generator, checker),
            5 => generator.change(&mut object, targets),
            6 => {
                let target = generator.rng.choice(targets).unwrap().clone();
                generator.break_at(&mut object, &target);
            }
            _ => {}
        }
        let twice = generator.rng.u8(0..50) == 0 && object["spec"]["mode"].is_string();
        cases.push(Case {
            twice,
            ..new(object)
        });
    }
    cases
}

/// Manifests that change objects that are there.
async fn changed(
    shape: &Value,
    targets: &[Target],
    checker: &Schema,
    plane: &ControlPlane,
) -> Vec<Case> {
    let mut generator = Generator::new(shape, SEED + 1);
    let kind = ApiResource::erase::<SessionManagerRole>(&());
    let client = plane.client().unwrap();
    let api: Api<DynamicObject> = Api::namespaced_with(client, "default", &kind);
    let mut there = Vec::new();
    for index in 0..20 {
        let mut object = valid(&mut generator, checker);
        object["metadata"] = json!({ "name": format!("manifests-{index}") });
        let object = serde_json::from_value(object).unwrap();
        let made = api.create(&PostParams::default(), &object).await.unwrap();
        there.push(serde_json::to_value(made).unwrap());
    }
    let of_changes: Vec<Target> = targets
        .iter()
        .filter(|t| is_of_changes(t))
        .cloned()
        .collect();
    let mut cases = Vec::new();
    for index in 0..CHANGED {
        let before = there[index % there.len()].clone();
        let mut object = before.clone();
        if let Some(target) = of_changes.get(index / (EACH + 10)) {
            object = broken(&mut generator, target, checker, Some(&before));
        } else {
            generator.change(&mut object, targets);
        }
        object["metadata"] = before["metadata"].clone();
        if let Some(object) = object.as_object_mut() {
            object.remove("status");
        }
        cases.push(Case {
            object,
            before: Some(before),
            twice: false,
        });
    }
    cases
}

fn valid(generator: &mut Generator, checker: &Schema) -> Value {
    loop {
        let object = generator.manifest();
        if check(checker, &object, None, false).is_empty() {
            return object;
        }
    }
}

/// A manifest that breaks `target`, if one is found in some tries.
fn broken(
    generator: &mut Generator,
    target: &Target,
    checker: &Schema,
    before: Option<&Value>,
) -> Value {
    let mut object = Value::Null;
    for _ in 0..60 {
        object = valid(generator, checker);
        if let Some(before) = before {
            object["metadata"] = before["metadata"].clone();
        } else {
            generator.break_at(&mut object, target);
        }
        let found = check(checker, &object, before, false);
        let wanted = broken_at(target);
        if (found.iter()).any(|(p, c)| (schema_path(&p.field, c), c.clone()) == wanted) {
            break;
        }
    }
    object
}

async fn judged(case: Case, checker: &Schema, server: &Server) -> Verdicts {
    Verdicts {
        plan: check(checker, &case.object, case.before.as_ref(), case.twice),
        server: server.refusal(&case).await,
        case,
    }
}

/// What `smr plan` finds in the text of a manifest.
fn check(
    checker: &Schema,
    object: &Value,
    before: Option<&Value>,
    twice: bool,
) -> Vec<(Problem, Constraint)> {
    match yaml::parse(&escaped(&text(object, twice))) {
        Ok(documents) => checker.broken(&documents[0], before),
        Err(broken) => vec![(
            Problem {
                field: String::new(),
                message: broken.to_string(),
            },
            Constraint::Object,
        )],
    }
}

fn text(object: &Value, twice: bool) -> String {
    let text = object.to_string();
    if twice {
        text.replace("\"spec\":{", "\"spec\":{\"mode\":\"Enforce\",")
    } else {
        text
    }
}

/// JSON is YAML but for the characters that YAML wants escaped.
fn escaped(json: &str) -> String {
    json.chars().fold(String::new(), |mut text, c| {
        if c.is_ascii() {
            text.push(c);
        } else if u32::from(c) <= 0xffff {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            let _ = write!(text, "\\U{:08x}", u32::from(c));
        }
        text
    })
}

/// The real one.
struct Server {
    client: kube::Client,
    url: String,
}

impl Server {
    fn of(plane: &ControlPlane) -> Self {
        let client = plane.client().unwrap();
        let api: Api<SessionManagerRole> = Api::namespaced(client.clone(), "default");
        Self {
            url: api.resource_url().to_owned(),
            client,
        }
    }

    async fn refusal(&self, case: &Case) -> Option<String> {
        let (method, name) = match &case.before {
            Some(before) => ("PUT", before["metadata"]["name"].as_str().unwrap()),
            None => ("POST", ""),
        };
        let slash = if name.is_empty() { "" } else { "/" };
        let mut request = kube::core::Request::new(&self.url)
            .create(
                &PostParams::default(),
                text(&case.object, case.twice).into_bytes(),
            )
            .unwrap();
        let uri = format!(
            "{}{slash}{name}?dryRun=All&fieldValidation=Strict",
            self.url
        );
        *request.uri_mut() = uri.parse().unwrap();
        *request.method_mut() = method.parse().unwrap();
        match self.client.request::<Value>(request).await {
            Ok(_) => None,
            Err(kube::Error::Api(status)) => Some(status.message.clone()),
            Err(other) => panic!("{other}"),
        }
    }
}

/// All constraints at and below a place of spec, but for its rules.
fn constraints(schema: &Value, path: &str, found: &mut Vec<Target>) {
    const BOUNDS: [&str; 7] = [
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "maxProperties",
    ];
    let mut add = |constraint| found.push((path.to_owned(), constraint));
    add(Constraint::Type);
    if schema.get("enum").is_some() {
        add(Constraint::Enum);
    }
    for bound in BOUNDS.into_iter().filter(|b| schema.get(b).is_some()) {
        add(Constraint::Bound(bound));
    }
    if schema["x-kubernetes-list-type"] == "set" {
        add(Constraint::Duplicate);
    }
    if let Some(properties) = schema["properties"].as_object() {
        add(Constraint::Unknown);
        for (name, property) in properties {
            constraints(property, &format!("{path}.{name}"), found);
        }
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let path = format!("{path}.{}", name.as_str().unwrap());
        found.push((path, Constraint::Required));
    }
    if let Some(items) = schema.get("items") {
        constraints(items, &format!("{path}[]"), found);
    }
    if let Some(values) = schema.get("additionalProperties") {
        constraints(values, &format!("{path}.*"), found);
    }
}

/// All rules, each where it is.
fn rules(schema: &Value, path: &str, found: &mut Vec<Target>) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let text = rule["rule"].as_str().unwrap().to_owned();
        found.push((path.to_owned(), Constraint::Rule(text)));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let below = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        rules(property, &below, found);
    }
    if let Some(items) = schema.get("items") {
        rules(items, &format!("{path}[]"), found);
    }
    if let Some(values) = schema.get("additionalProperties") {
        rules(values, &format!("{path}.*"), found);
    }
}

/// Whether a constraint compares an object with what it was.
fn is_of_changes((_, constraint): &Target) -> bool {
    matches!(constraint, Constraint::Rule(rule) if rule.contains("oldSelf"))
}

/// Where and as what a broken target shows. A rule between fields shows where its `fieldPath` says;
/// there is one of each.
fn broken_at((path, constraint): &Target) -> Target {
    let path = match constraint {
        Constraint::Duplicate => format!("{path}[]"),
        _ if is_between_fields(constraint) => String::new(),
        _ => path.clone(),
    };
    (path, constraint.clone())
}

fn is_between_fields(constraint: &Constraint) -> bool {
    let between = ["has(self", "oldSelf", "self.metadata"];
    matches!(constraint, Constraint::Rule(rule) if between.iter().any(|part| rule.contains(part)))
}

/// The place in the schema of a problem's field.
fn schema_path(field: &str, constraint: &Constraint) -> String {
    let mut path = String::new();
    for step in field.split('.') {
        let step = step
            .split_once('[')
            .map_or(step.to_owned(), |(name, _)| format!("{name}[]"));
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&step);
        if step == "tags" && field.len() > path.len() {
            path.push_str(".*");
            break;
        }
    }
    match constraint {
        Constraint::Unknown => path
            .rsplit_once('.')
            .map_or("", |(parent, _)| parent)
            .to_owned(),
        _ if is_between_fields(constraint) => String::new(),
        _ => path,
    }
}

fn schema_at<'s>(schema: &'s Value, path: &str) -> &'s Value {
    let mut here = schema;
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let (name, is_item) = step.strip_suffix("[]").map_or((step, false), |n| (n, true));
        here = if name == "*" {
            &here["additionalProperties"]
        } else {
            &here["properties"][name]
        };
        if is_item {
            here = &here["items"];
        }
    }
    here
}
