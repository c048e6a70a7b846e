//! Server-side apply: what becomes of the object.

use serde_json::json;

use super::lab::{condition, generation, must, same, says, version};
use super::sentences;

const ONE: &str = "arn:aws:iam::aws:policy/One";
const TWO: &str = "arn:aws:iam::aws:policy/Two";
const OTHER: &str = "11111111-2222-4333-8444-555555555555";

sentences! {
    "apply makes an object that is not there", lab => {
        let config = lab.object("a", &json!({ "mode": "Observe" }));
        let made = lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        same("spec", &made["spec"], &json!({ "mode": "Observe" }))?;
        same("status", &made["status"], &json!({ "observedGeneration": -1 }))?;
        same("generation", &json!(generation(&made)), &json!(1))
    }
    "apply needs a field manager", lab => {
        let config = lab.object("a", &json!({}));
        let body = lab.apply_with(&lab.role("a"), &config).await?.refused(422, "Invalid")?;
        says(&body, "is required for apply patch")
    }
    "apply of an object that is not there with a uid is a conflict", lab => {
        let mut config = lab.object("a", &json!({}));
        config["metadata"]["uid"] = json!(OTHER);
        let body = lab.apply(&lab.role("a"), "one", &config).await?.refused(409, "Conflict")?;
        says(&body, "uid mismatch: the provided object specified uid 11111111-2222-4333-8444-555555555555, and no existing object was found")
    }
    "apply with another uid than the object's is refused", lab => {
        lab.make("a", &json!({})).await?;
        let mut config = lab.object("a", &json!({ "mode": "Observe" }));
        config["metadata"]["uid"] = json!(OTHER);
        lab.apply(&lab.role("a"), "one", &config).await?.invalid("metadata.uid")?;
        Ok(())
    }
    "apply in a namespace that is not there is not found", lab => {
        let path = "/apis/sessionmanager.dev/v1alpha1/namespaces/nowhere-at-all/sessionmanagerroles/a";
        let mut config = lab.object("a", &json!({}));
        config["metadata"] = json!({ "name": "a" });
        let body = lab.apply(path, "one", &config).await?.missing()?;
        says(&body, "namespaces \"nowhere-at-all\" not found")
    }
    "apply of another version is a bad request", lab => {
        let mut config = lab.object("a", &json!({}));
        config["apiVersion"] = json!("sessionmanager.dev/v9");
        lab.apply(&lab.role("a"), "one", &config).await?.refused(400, "BadRequest")?;
        Ok(())
    }
    "apply with managedFields is a bad request", lab => {
        let mut config = lab.object("a", &json!({}));
        config["metadata"]["managedFields"] = json!([]);
        let body = lab.apply(&lab.role("a"), "one", &config).await?.refused(400, "BadRequest")?;
        says(&body, "metadata.managedFields must be nil")
    }
    "apply of a field that the schema does not have is refused", lab => {
        let config = lab.object("a", &json!({ "unknown": 1 }));
        let body = lab.apply(&lab.role("a"), "one", &config).await?.is(500)?;
        says(&body, ".spec.unknown: field not declared in schema")
    }
    "apply of what the schema refuses is invalid", lab => {
        let config = lab.object("a", &json!({ "mode": "Dream" }));
        lab.apply(&lab.role("a"), "one", &config).await?.invalid("spec.mode")?;
        Ok(())
    }
    "apply again with the same makes no version", lab => {
        let config = lab.object("a", &json!({ "mode": "Observe" }));
        lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        let first = lab.apply(&lab.role("a"), "one", &config).await?.is(200)?;
        let again = lab.apply(&lab.role("a"), "one", &config).await?.is(200)?;
        same("what comes back", &again, &first)
    }
    "apply leaves what others set", lab => {
        lab.make("a", &json!({ "mode": "Observe" })).await?;
        let config = lab.object("a", &json!({ "role": { "description": "d" } }));
        let applied = lab.apply(&lab.role("a"), "one", &config).await?.is(200)?;
        same("spec", &applied["spec"], &json!({ "mode": "Observe", "role": { "description": "d" } }))?;
        same("generation", &json!(generation(&applied)), &json!(2))
    }
    "what is no longer applied is gone", lab => {
        let full = lab.object("a", &json!({ "mode": "Observe", "role": { "description": "d" } }));
        lab.apply(&lab.role("a"), "one", &full).await?.is(201)?;
        let less = lab.object("a", &json!({ "mode": "Observe" }));
        let left = lab.apply(&lab.role("a"), "one", &less).await?.is(200)?;
        same("spec", &left["spec"], &json!({ "mode": "Observe" }))
    }
    "what another manager applies too stays", lab => {
        let full = lab.object("a", &json!({ "mode": "Observe", "tags": { "x": "1", "y": "2" } }));
        lab.apply(&lab.role("a"), "one", &full).await?.is(201)?;
        let shared = lab.object("a", &json!({ "tags": { "x": "1" } }));
        lab.apply(&lab.role("a"), "two", &shared).await?.is(200)?;
        let none = lab.object("a", &json!({}));
        let left = lab.apply(&lab.role("a"), "one", &none).await?.is(200)?;
        same("spec", &left["spec"], &json!({ "tags": { "x": "1" } }))
    }
    "labels of several managers are merged, and go with theirs", lab => {
        let labelled = |key: &str| {
            let mut config = lab.object("a", &json!({}));
            config["metadata"]["labels"] = json!({ key: "v" });
            config
        };
        lab.apply(&lab.role("a"), "one", &labelled("one")).await?.is(201)?;
        let both = lab.apply(&lab.role("a"), "two", &labelled("two")).await?.is(200)?;
        same("labels", &both["metadata"]["labels"], &json!({ "one": "v", "two": "v" }))?;
        let less = lab.object("a", &json!({}));
        let left = lab.apply(&lab.role("a"), "one", &less).await?.is(200)?;
        same("labels", &left["metadata"]["labels"], &json!({ "two": "v" }))
    }
    "finalizers are a set, merged by value", lab => {
        let held = |finalizers: &[&str]| {
            let mut config = lab.object("a", &json!({}));
            config["metadata"]["finalizers"] = json!(finalizers);
            config
        };
        lab.apply(&lab.role("a"), "one", &held(&["example.com/one"])).await?.is(201)?;
        let both = lab.apply(&lab.role("a"), "two", &held(&["example.com/two"])).await?.is(200)?;
        same("finalizers", &both["metadata"]["finalizers"], &json!(["example.com/one", "example.com/two"]))?;
        let left = lab.apply(&lab.role("a"), "one", &lab.object("a", &json!({}))).await?.is(200)?;
        same("finalizers", &left["metadata"]["finalizers"], &json!(["example.com/two"]))?;
        lab.free("a").await?;
        Ok(())
    }
    "the items of a set of the spec are merged by value", lab => {
        let with = |list: &[&str]| lab.object("a", &json!({ "additionalPolicyArns": list }));
        lab.apply(&lab.role("a"), "one", &with(&[ONE])).await?.is(201)?;
        let both = lab.apply(&lab.role("a"), "two", &with(&[TWO])).await?.is(200)?;
        same("list", &both["spec"]["additionalPolicyArns"], &json!([ONE, TWO]))?;
        let left = lab.apply(&lab.role("a"), "one", &lab.object("a", &json!({}))).await?.is(200)?;
        same("list", &left["spec"]["additionalPolicyArns"], &json!([TWO]))
    }
    "apply of the object leaves status as it is", lab => {
        lab.make("a", &json!({})).await?;
        let mut config = lab.object("a", &json!({}));
        config["status"] = json!({ "observedGeneration": 3, "conditions": [condition("Ready", "True")] });
        let applied = lab.apply(&lab.role("a"), "one", &config).await?.is(200)?;
        same("status", &applied["status"], &json!({ "observedGeneration": -1 }))
    }
    "apply at an older version is a conflict", lab => {
        let made = lab.make("a", &json!({})).await?;
        lab.merge(&lab.role("a"), &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        let mut config = lab.object("a", &json!({ "role": { "description": "d" } }));
        config["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
        let body = lab.force(&lab.role("a"), "one", &config).await?.refused(409, "Conflict")?;
        says(&body, "the object has been modified")
    }
    "apply under another name than the path's is refused", lab => {
        let config = lab.object("b", &json!({}));
        lab.apply(&lab.role("a"), "one", &config).await?.refused(400, "BadRequest")?;
        Ok(())
    }
    "a dry run of apply keeps nothing", lab => {
        let config = lab.object("a", &json!({}));
        let path = format!("{}?fieldManager=one&dryRun=All", lab.role("a"));
        lab.apply_with(&path, &config).await?.is(201)?;
        lab.get(&lab.role("a")).await?.missing()?;
        Ok(())
    }
    "apply takes the last finalizer of what is deleted away, which ends it", lab => {
        let mut config = lab.object("a", &json!({}));
        config["metadata"]["finalizers"] = json!(["example.com/one"]);
        lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        lab.delete(&lab.role("a"), None).await?.is(200)?;
        lab.apply(&lab.role("a"), "one", &lab.object("a", &json!({}))).await?.is(200)?;
        lab.get(&lab.role("a")).await?.missing()?;
        Ok(())
    }
    "an object made by apply again is another one", lab => {
        let config = lab.object("a", &json!({}));
        let first = lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        lab.delete(&lab.role("a"), None).await?.is(200)?;
        let second = lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        must("it has another uid", first["metadata"]["uid"] != second["metadata"]["uid"])?;
        must("versions grow", version(&second) > version(&first))
    }
}
