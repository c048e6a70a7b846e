//! Every invalid sample before the real API server and before `smr plan`: both refuse it, for the
//! same fields, and the CRD's own rules in the same words.

use std::collections::BTreeSet;

use control_plane::ControlPlane;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use smr_api::SessionManagerRole;
use tokio::process::Command;

/// A refusal: the fields, and all that was said.
struct Refusal {
    fields: BTreeSet<String>,
    said: String,
}

/// What the API server says, as kubectl asks it: unknown fields are an error.
async fn of_the_api_server(plane: &ControlPlane, object: &Value) -> Option<Refusal> {
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let client = plane.client().unwrap();
    let api: Api<SessionManagerRole> = Api::namespaced(client.clone(), "default");
    let mut request = kube::core::Request::new(api.resource_url())
        .create(&params, serde_json::to_vec(object).unwrap())
        .unwrap();
    let uri = format!("{}&fieldValidation=Strict", request.uri());
    *request.uri_mut() = uri.parse().unwrap();
    let error = match client.request::<Value>(request).await {
        Ok(_) => return None,
        Err(kube::Error::Api(status)) => status,
        Err(other) => panic!("{other}"),
    };
    let said = error.message;
    // Unknown fields are told before anything else, in the message only.
    if let Some(strict) = said.split("strict decoding error: ").nth(1) {
        let unknown = |part: &str| {
            Some(
                part.strip_prefix("unknown field \"")?
                    .strip_suffix('"')?
                    .to_owned(),
            )
        };
        let fields = strict.split(", ").filter_map(unknown).collect();
        return Some(Refusal { fields, said });
    }
    let causes = error.details.map(|d| d.causes).unwrap_or_default();
    let mut fields: BTreeSet<String> = causes
        .into_iter()
        .filter(|cause| {
            !cause
                .message
                .contains("some validation rules were not checked")
        })
        .map(|cause| {
            if cause.field == "<nil>" {
                String::new()
            } else {
                by_dots(&cause.field)
            }
        })
        .collect();
    // A value that can't be converted is told twice, once without its place.
    if fields.len() > 1 {
        fields.remove("");
    }
    Some(Refusal { fields, said })
}

/// A map's key is in brackets where a rule names it, and after a dot everywhere else.
fn by_dots(field: &str) -> String {
    match field.strip_suffix(']').and_then(|f| f.rsplit_once('[')) {
        Some((map, key)) if key.parse::<usize>().is_err() => format!("{map}.{key}"),
        Some(_) | None => field.to_owned(),
    }
}

/// What `smr plan` says: field and message of each problem.
async fn of_the_plan(object: &Value) -> Vec<(String, String)> {
    let file = std::env::temp_dir().join(format!("smr-refusals-{}.json", std::process::id()));
    std::fs::write(&file, object.to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_smr"))
        .args([
            "plan",
            "--offline",
            "--cluster-name=test",
            "-o",
            "json",
            "-f",
        ])
        .arg(&file)
        .output()
        .await
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let problems = report["objects"][0]["problems"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    problems
        .iter()
        .map(|p| (text(&p["field"]), text(&p["message"])))
        .collect()
}

/// The messages of the CRD's CEL rules.
fn rules(schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(object) = schema.as_object() {
        for rule in object
            .get("x-kubernetes-validations")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            found.extend(rule["message"].as_str().map(str::to_owned));
        }
    }
    match schema {
        Value::Object(object) => object.values().for_each(|below| rules(below, found)),
        Value::Array(items) => items.iter().for_each(|below| rules(below, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_api_server_and_the_plan_refuse_the_same_for_the_same_fields() {
    let plane = crate::support::plane().await;
    let mut own_words = BTreeSet::new();
    rules(
        &serde_json::to_value(smr_api::crd().unwrap()).unwrap(),
        &mut own_words,
    );
    let cases: Vec<Value> =
        serde_saphyr::from_str(include_str!("../../data/invalid.yaml")).unwrap();
    assert!(cases.len() > 40 && own_words.len() > 15);
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for case in &cases {
        let mut object = json!({
            "apiVersion": "sessionmanager.dev/v1alpha1", "kind": "SessionManagerRole",
            "metadata": { "name": "web" }, "spec": {},
        });
        for (key, value) in case["object"].as_object().unwrap() {
            match (&mut object[key], value) {
                (Value::Object(own), Value::Object(more)) => own.extend(more.clone()),
                (own, value) => *own = value.clone(),
            }
        }
        let Some(theirs) = of_the_api_server(&plane, &object).await else {
            wrong.push(format!("{}: the API server accepts it", case["case"]));
            continue;
        };
        let ours = of_the_plan(&object).await;
        let fields: BTreeSet<String> = ours.iter().map(|(field, _)| field.clone()).collect();
        if fields != theirs.fields {
            wrong.push(format!(
                "{}: the API server names {:?}, the plan {fields:?}",
                case["case"], theirs.fields
            ));
        }
        let of_a_rule = |field: &str, message: &str| {
            own_words.contains(message)
                || (message.starts_with(field) || message.starts_with("a value in "))
        };
        for (_, message) in (ours.iter()).filter(|(field, message)| of_a_rule(field, message)) {
            compared += 1;
            if !theirs.said.contains(message) {
                wrong.push(format!(
                    "{}: the API server does not say {message}",
                    case["case"]
                ));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(compared > 40, "{compared}");
}
