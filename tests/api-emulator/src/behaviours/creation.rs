//! Creation and what admission makes of an object.

use serde_json::json;

use super::lab::{generation, must, same, says, version};
use super::sentences;

const ARN: &str = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy";

sentences! {
    "a new object has a uid, a time, a version and generation 1", lab => {
        let made = lab.make("a", &json!({})).await?;
        must("it has a uid", made["metadata"]["uid"].as_str().is_some_and(|uid| uid.len() == 36))?;
        must("it has a version", version(&made) > 0)?;
        let time = made["metadata"]["creationTimestamp"].as_str().unwrap_or_default();
        must(&format!("{time} is a time of whole seconds"), time.len() == 20 && time.ends_with('Z'))?;
        same("generation", &made["metadata"]["generation"], &json!(1))?;
        same("what is read", &lab.read("a").await?, &made)
    }
    "an object that is there is not made again", lab => {
        lab.make("a", &json!({})).await?;
        let object = lab.object("a", &json!({}));
        let body = lab.post(&lab.role(""), &object).await?.refused(409, "AlreadyExists")?;
        same("message", &body["message"], &json!("sessionmanagerroles.sessionmanager.dev \"a\" already exists"))?;
        same("details", &body["details"], &json!({ "name": "a", "group": "sessionmanager.dev", "kind": "sessionmanagerroles" }))
    }
    "an object of the same name is another one after the first is gone", lab => {
        let first = lab.make("a", &json!({})).await?;
        lab.delete(&lab.role("a"), None).await?.is(200)?;
        let second = lab.make("a", &json!({})).await?;
        must("it has another uid", first["metadata"]["uid"] != second["metadata"]["uid"])?;
        must("versions grow", version(&second) > version(&first))
    }
    "an object that is not there is not found", lab => {
        let body = lab.get(&lab.role("nobody")).await?.missing()?;
        same("message", &body["message"], &json!("sessionmanagerroles.sessionmanager.dev \"nobody\" not found"))?;
        same("details", &body["details"], &json!({ "name": "nobody", "group": "sessionmanager.dev", "kind": "sessionmanagerroles" }))
    }
    "a kind that nobody serves is not found", lab => {
        let path = lab.path("nobody.example.com/v1", "things", "");
        lab.get(&path).await?.is(404)?;
        Ok(())
    }
    "a plural that a group does not have is not found", lab => {
        let path = lab.path("sessionmanager.dev/v1alpha1", "things", "a");
        lab.get(&path).await?.is(404)?;
        Ok(())
    }
    "fields that the schema does not have are dropped", lab => {
        let mut object = lab.object("a", &json!({ "unknown": 1, "role": { "unknown": 2, "description": "d" } }));
        object["unknown"] = json!(3);
        object["metadata"]["unknown"] = json!(4);
        let made = lab.post(&lab.role(""), &object).await?.is(201)?;
        same("spec", &made["spec"], &json!({ "role": { "description": "d" } }))?;
        must("nothing else is left", made.get("unknown").is_none() && made["metadata"].get("unknown").is_none())
    }
    "nulls are dropped", lab => {
        let made = lab.make("a", &json!({ "mode": null, "role": { "description": null } })).await?;
        same("spec", &made["spec"], &json!({ "role": {} }))
    }
    "what has a default gets it", lab => {
        let mut object = lab.object("a", &json!({}));
        if let Some(fields) = object.as_object_mut() {
            fields.remove("spec");
        }
        let made = lab.post(&lab.role(""), &object).await?.is(201)?;
        same("spec", &made["spec"], &json!({}))?;
        same("status", &made["status"], &json!({ "observedGeneration": -1 }))
    }
    "status is dropped at creation", lab => {
        let mut object = lab.object("a", &json!({}));
        object["status"] = json!({ "observedGeneration": 7, "accountId": "1" });
        let made = lab.post(&lab.role(""), &object).await?.is(201)?;
        same("status", &made["status"], &json!({ "observedGeneration": -1 }))
    }
    "system fields that are sent at creation are dropped", lab => {
        let mut object = lab.object("a", &json!({}));
        object["metadata"]["uid"] = json!("11111111-2222-4333-8444-555555555555");
        object["metadata"]["generation"] = json!(9);
        object["metadata"]["creationTimestamp"] = json!("2001-01-01T00:00:00Z");
        object["metadata"]["deletionTimestamp"] = json!("2001-01-01T00:00:00Z");
        let made = lab.post(&lab.role(""), &object).await?.is(201)?;
        must("it has its own uid", made["metadata"]["uid"] != object["metadata"]["uid"])?;
        must("it has its own time", made["metadata"]["creationTimestamp"] != object["metadata"]["creationTimestamp"])?;
        must("it is not on its way out", made["metadata"].get("deletionTimestamp").is_none())?;
        same("generation", &made["metadata"]["generation"], &json!(1))
    }
    "a version that is sent at creation is refused", lab => {
        let mut object = lab.object("a", &json!({}));
        object["metadata"]["resourceVersion"] = json!("1");
        let body = lab.post(&lab.role(""), &object).await?.is(500)?;
        says(&body, "resourceVersion should not be set on objects to be created")
    }
    "a name is made from generateName", lab => {
        let mut object = lab.object("", &json!({}));
        object["metadata"] = json!({ "generateName": "made-" });
        let made = lab.post(&lab.role(""), &object).await?.is(201)?;
        let name = made["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        must(&format!("{name} has five more letters"), name.starts_with("made-") && name.len() == 10)?;
        let again = lab.post(&lab.role(""), &object).await?.is(201)?;
        must("the next name is another one", again["metadata"]["name"] != json!(name))
    }
    "an object without a name is invalid", lab => {
        let mut object = lab.object("", &json!({}));
        object["metadata"] = json!({});
        let cause = lab.post(&lab.role(""), &object).await?.invalid("metadata.name")?;
        same("reason", &cause["reason"], &json!("FieldValueRequired"))
    }
    "an object of another namespace is refused", lab => {
        let mut object = lab.object("a", &json!({}));
        object["metadata"]["namespace"] = json!("elsewhere");
        lab.post(&lab.role(""), &object).await?.refused(400, "BadRequest")?;
        Ok(())
    }
    "an object of another kind is invalid", lab => {
        let mut object = lab.object("a", &json!({}));
        object["kind"] = json!("Thing");
        let body = lab.post(&lab.role(""), &object).await?.refused(422, "Invalid")?;
        same("message", &body["message"], &json!("Thing.sessionmanager.dev \"a\" is invalid: kind: Invalid value: \"Thing\": must be SessionManagerRole"))
    }
    "an object of another version is refused", lab => {
        let mut object = lab.object("a", &json!({}));
        object["apiVersion"] = json!("sessionmanager.dev/v9");
        lab.post(&lab.role(""), &object).await?.refused(400, "BadRequest")?;
        Ok(())
    }
    "nothing is made in a namespace that is not there", lab => {
        let path = "/apis/sessionmanager.dev/v1alpha1/namespaces/nowhere-at-all/sessionmanagerroles";
        let mut object = lab.object("a", &json!({}));
        object["metadata"] = json!({ "name": "a" });
        let body = lab.post(path, &object).await?.missing()?;
        same("message", &body["message"], &json!("namespaces \"nowhere-at-all\" not found"))
    }
    "a value of the wrong type is invalid", lab => {
        let object = lab.object("a", &json!({ "mode": 3 }));
        let cause = lab.post(&lab.role(""), &object).await?.invalid("spec.mode")?;
        same("reason", &cause["reason"], &json!("FieldValueTypeInvalid"))
    }
    "a value that an enum does not have is invalid", lab => {
        let object = lab.object("a", &json!({ "mode": "Dream" }));
        let cause = lab.post(&lab.role(""), &object).await?.invalid("spec.mode")?;
        same("reason", &cause["reason"], &json!("FieldValueNotSupported"))
    }
    "a value that a rule refuses is invalid", lab => {
        let object = lab.object("a", &json!({ "path": "no-slashes" }));
        let body = lab.post(&lab.role(""), &object).await?.refused(422, "Invalid")?;
        says(&body, "SessionManagerRole.sessionmanager.dev \"a\" is invalid: ")?;
        same("field", &body["details"]["causes"][0]["field"], &json!("spec.path"))?;
        same("kind", &body["details"]["kind"], &json!("SessionManagerRole"))
    }
    "a text that is too long is invalid", lab => {
        let object = lab.object("a", &json!({ "role": { "name": "x".repeat(65) } }));
        let cause = lab.post(&lab.role(""), &object).await?.invalid("spec.role.name")?;
        same("reason", &cause["reason"], &json!("FieldValueTooLong"))
    }
    "a number beyond its bounds is invalid", lab => {
        let object = lab.object("a", &json!({ "role": { "maxSessionDurationSeconds": 1 } }));
        let cause = lab.post(&lab.role(""), &object).await?.invalid("spec.role.maxSessionDurationSeconds")?;
        same("reason", &cause["reason"], &json!("FieldValueInvalid"))
    }
    "an item that a set has twice is invalid", lab => {
        let object = lab.object("a", &json!({ "additionalPolicyArns": [ARN, ARN] }));
        let cause = lab.post(&lab.role(""), &object).await?.invalid("spec.additionalPolicyArns[1]")?;
        same("reason", &cause["reason"], &json!("FieldValueDuplicate"))
    }
    "a name that is no DNS name is invalid", lab => {
        let object = lab.object("Not_a_name", &json!({}));
        lab.post(&lab.role(""), &object).await?.invalid("metadata.name")?;
        Ok(())
    }
    "a label that can't be one is invalid", lab => {
        let mut object = lab.object("a", &json!({}));
        object["metadata"]["labels"] = json!({ "key": "not a value" });
        lab.post(&lab.role(""), &object).await?.invalid("metadata.labels")?;
        Ok(())
    }
    "a finalizer that can't be one is invalid", lab => {
        let mut object = lab.object("a", &json!({}));
        object["metadata"]["finalizers"] = json!(["not a finalizer"]);
        lab.post(&lab.role(""), &object).await?.invalid("metadata.finalizers")?;
        Ok(())
    }
    "a dry run keeps nothing", lab => {
        let object = lab.object("a", &json!({}));
        let path = format!("{}?dryRun=All", lab.role(""));
        let made = lab.post(&path, &object).await?.is(201)?;
        must("it has a uid", made["metadata"]["uid"].is_string())?;
        same("generation", &json!(generation(&made)), &json!(1))?;
        lab.get(&lab.role("a")).await?.missing()?;
        Ok(())
    }
    "only metadata comes where only metadata is wanted", lab => {
        lab.make("a", &json!({})).await?;
        let accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        let found = lab.send_for(accept, "GET", &lab.role("a"), "application/json", None).await?.is(200)?;
        same("kind", &found["kind"], &json!("PartialObjectMetadata"))?;
        same("apiVersion", &found["apiVersion"], &json!("meta.k8s.io/v1"))?;
        same("name", &found["metadata"]["name"], &json!("a"))?;
        must("there is no spec", found.get("spec").is_none() && found.get("status").is_none())
    }
}
