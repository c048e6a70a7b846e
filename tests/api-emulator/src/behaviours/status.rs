//! The path of its own that status has.

use serde_json::json;

use super::lab::{condition, generation, must, same, says, told, version};
use super::sentences;

const OTHER: &str = "11111111-2222-4333-8444-555555555555";

sentences! {
    "a status write changes status and no generation", lab => {
        let made = lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let patch = json!({ "status": { "observedGeneration": 1, "accountId": "1" } });
        let written = lab.merge(&place, &patch).await?.is(200)?;
        same("status", &written["status"], &patch["status"])?;
        same("generation", &json!(generation(&written)), &json!(1))?;
        must("the version grows", version(&written) > version(&made))?;
        same("what is read", &lab.read("a").await?, &written)
    }
    "a status write leaves spec and metadata as they are", lab => {
        let made = lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let patch = json!({
            "metadata": { "labels": { "team": "one" }, "finalizers": ["example.com/held"] },
            "spec": { "mode": "Observe" },
            "status": { "observedGeneration": 1 },
        });
        let written = lab.merge(&place, &patch).await?.is(200)?;
        same("spec", &written["spec"], &made["spec"])?;
        must("there are no labels", written["metadata"].get("labels").is_none())?;
        must("there are no finalizers", written["metadata"].get("finalizers").is_none())
    }
    "a status write that changes nothing makes no version", lab => {
        lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let patch = json!({ "status": { "observedGeneration": 1 } });
        let first = lab.merge(&place, &patch).await?.is(200)?;
        let second = lab.merge(&place, &patch).await?.is(200)?;
        same("what comes back", &second, &first)
    }
    "a status that the schema refuses is invalid", lab => {
        lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let patch = json!({ "status": { "observedGeneration": "one" } });
        let cause = lab.merge(&place, &patch).await?.invalid("status.observedGeneration")?;
        same("reason", &cause["reason"], &json!("FieldValueTypeInvalid"))
    }
    "a status that lacks a required field is invalid", lab => {
        lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let patch = json!({ "status": { "role": { "name": "r" } } });
        let cause = lab.merge(&place, &patch).await?.invalid("status.role.arn")?;
        same("reason", &cause["reason"], &json!("FieldValueRequired"))
    }
    "a condition twice is invalid", lab => {
        lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let patch = json!({ "status": { "conditions": [condition("Ready", "True"), condition("Ready", "False")] } });
        let cause = lab.merge(&place, &patch).await?.invalid("status.conditions[1]")?;
        same("reason", &cause["reason"], &json!("FieldValueDuplicate"))
    }
    "unknown fields of status are dropped", lab => {
        lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let patch = json!({ "status": { "observedGeneration": 1, "unknown": true } });
        let written = lab.merge(&place, &patch).await?.is(200)?;
        same("status", &written["status"], &json!({ "observedGeneration": 1 }))
    }
    "a status that is taken away is the default again", lab => {
        lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        lab.merge(&place, &json!({ "status": { "observedGeneration": 1, "accountId": "1" } })).await?.is(200)?;
        let written = lab.merge(&place, &json!({ "status": null })).await?.is(200)?;
        same("status", &written["status"], &json!({ "observedGeneration": -1 }))
    }
    "a status update at an older version is a conflict", lab => {
        let mut object = lab.make("a", &json!({})).await?;
        lab.merge(&lab.role("a"), &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        object["status"] = json!({ "observedGeneration": 1 });
        let place = format!("{}/status", lab.role("a"));
        lab.put(&place, &object).await?.refused(409, "Conflict")?;
        Ok(())
    }
    "a status update at the current version is kept", lab => {
        let mut object = lab.make("a", &json!({})).await?;
        object["status"] = json!({ "observedGeneration": 1 });
        object["spec"] = json!({ "mode": "Observe" });
        let place = format!("{}/status", lab.role("a"));
        let written = lab.put(&place, &object).await?.is(200)?;
        same("status", &written["status"], &json!({ "observedGeneration": 1 }))?;
        same("spec", &written["spec"], &json!({}))
    }
    "the status of an object that is not there is not found", lab => {
        let place = format!("{}/status", lab.role("a"));
        lab.get(&place).await?.missing()?;
        lab.merge(&place, &json!({ "status": {} })).await?.missing()?;
        let config = told("a", &json!({ "observedGeneration": 1 }));
        lab.force(&place, "controller", &config).await?.missing()?;
        Ok(())
    }
    "an applied status is kept whatever uid it names", lab => {
        let made = lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let mut config = told("a", &json!({ "observedGeneration": 1 }));
        config["metadata"]["uid"] = json!(OTHER);
        let written = lab.force(&place, "controller", &config).await?.is(200)?;
        same("uid", &written["metadata"]["uid"], &made["metadata"]["uid"])?;
        same("status", &lab.read("a").await?["status"], &json!({ "observedGeneration": 1 }))
    }
    "a merge patch of status is kept whatever uid it names", lab => {
        let made = lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let patch = json!({ "metadata": { "uid": OTHER }, "status": { "observedGeneration": 1 } });
        let written = lab.merge(&place, &patch).await?.is(200)?;
        same("uid", &written["metadata"]["uid"], &made["metadata"]["uid"])
    }
    "an update of status with another uid is a conflict", lab => {
        let mut object = lab.make("a", &json!({})).await?;
        object["metadata"]["uid"] = json!(OTHER);
        object["status"] = json!({ "observedGeneration": 1 });
        let place = format!("{}/status", lab.role("a"));
        lab.put(&place, &object).await?.refused(409, "Conflict")?;
        Ok(())
    }
    "an applied status with an older version is a conflict", lab => {
        let made = lab.make("a", &json!({})).await?;
        lab.merge(&lab.role("a"), &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        let place = format!("{}/status", lab.role("a"));
        let mut config = told("a", &json!({ "observedGeneration": 1 }));
        config["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
        let body = lab.force(&place, "controller", &config).await?.refused(409, "Conflict")?;
        says(&body, "the object has been modified")
    }
    "an applied status with uid and version as they are is kept", lab => {
        let made = lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let mut config = told("a", &json!({
            "observedGeneration": 1,
            "conditions": [condition("Ready", "True")],
        }));
        config["metadata"]["uid"] = made["metadata"]["uid"].clone();
        config["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
        let written = lab.force(&place, "controller", &config).await?.is(200)?;
        same("status", &written["status"], &config["status"])?;
        same("generation", &json!(generation(&written)), &json!(1))
    }
    "conditions are merged by their type", lab => {
        lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let of = |kind: &str| json!({ "observedGeneration": 1, "conditions": [condition(kind, "True")] });
        lab.force(&place, "one", &told("a", &of("Ready"))).await?.is(200)?;
        let both = lab.force(&place, "two", &told("a", &of("Paused"))).await?.is(200)?;
        let conditions = json!([condition("Ready", "True"), condition("Paused", "True")]);
        same("conditions", &both["status"]["conditions"], &conditions)?;
        let none = json!({ "observedGeneration": 1 });
        let left = lab.force(&place, "one", &told("a", &none)).await?.is(200)?;
        same("conditions", &left["status"]["conditions"], &json!([condition("Paused", "True")]))
    }
    "what a status no longer applies is gone", lab => {
        lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let full = json!({ "observedGeneration": 1, "accountId": "1", "policy": { "name": "p" } });
        lab.force(&place, "controller", &told("a", &full)).await?.is(200)?;
        let less = json!({ "observedGeneration": 1 });
        let written = lab.force(&place, "controller", &told("a", &less)).await?.is(200)?;
        same("status", &written["status"], &less)
    }
    "a list of status that is atomic is replaced as a whole", lab => {
        lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let of = |list: &[&str]| told("a", &json!({ "observedGeneration": 1, "unlistedPolicies": list }));
        lab.force(&place, "controller", &of(&["one", "two"])).await?.is(200)?;
        let written = lab.force(&place, "controller", &of(&["three"])).await?.is(200)?;
        same("list", &written["status"]["unlistedPolicies"], &json!(["three"]))
    }
    "status can be written while a finalizer holds what is deleted", lab => {
        lab.make_held("a").await?;
        let marked = lab.delete(&lab.role("a"), None).await?.is(200)?;
        let place = format!("{}/status", lab.role("a"));
        let config = told("a", &json!({ "observedGeneration": 2 }));
        let written = lab.force(&place, "controller", &config).await?.is(200)?;
        same("time", &written["metadata"]["deletionTimestamp"], &marked["metadata"]["deletionTimestamp"])?;
        same("status", &written["status"], &json!({ "observedGeneration": 2 }))?;
        lab.free("a").await?;
        Ok(())
    }
}
