//! Field managers: who holds which fields, and their conflicts.

use serde_json::json;

use super::lab::{condition, managed, must, same, says, told};
use super::sentences;

sentences! {
    "who makes an object holds all that was sent and what was filled in", lab => {
        let mut object = lab.object("a", &json!({ "role": { "description": "d" } }));
        object["metadata"]["labels"] = json!({ "team": "one" });
        let place = format!("{}?fieldManager=one", lab.role(""));
        let made = lab.post(&place, &object).await?.is(201)?;
        same("fields", &managed(&made, "one", "Update").unwrap_or_default(), &json!({
            "f:metadata": { "f:labels": { ".": {}, "f:team": {} } },
            "f:spec": { ".": {}, "f:role": { ".": {}, "f:description": {} } },
        }))?;
        let entry = &made["metadata"]["managedFields"][0];
        same("type", &entry["fieldsType"], &json!("FieldsV1"))?;
        same("version", &entry["apiVersion"], &json!("sessionmanager.dev/v1alpha1"))?;
        must("it has a time", entry["time"].is_string())?;
        must("it has no subresource", entry.get("subresource").is_none())
    }
    "who applies holds what it applies", lab => {
        let mut config = lab.object("a", &json!({ "role": { "description": "d" }, "tags": { "x": "1" } }));
        config["metadata"]["labels"] = json!({ "team": "one" });
        config["metadata"]["finalizers"] = json!(["example.com/held"]);
        let made = lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        same("fields", &managed(&made, "one", "Apply").unwrap_or_default(), &json!({
            "f:metadata": {
                "f:finalizers": { "v:\"example.com/held\"": {} },
                "f:labels": { "f:team": {} },
            },
            "f:spec": { "f:role": { "f:description": {} }, "f:tags": { "f:x": {} } },
        }))?;
        lab.free("a").await?;
        Ok(())
    }
    "an empty map that is applied is held itself", lab => {
        let config = lab.object("a", &json!({ "role": {} }));
        let made = lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        same("fields", &managed(&made, "one", "Apply").unwrap_or_default(), &json!({ "f:spec": { "f:role": {} } }))
    }
    "who writes status holds it apart from the rest", lab => {
        lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let config = told("a", &json!({
            "observedGeneration": 1,
            "conditions": [condition("Ready", "True")],
            "drift": [],
        }));
        let written = lab.force(&place, "one", &config).await?.is(200)?;
        same("fields", &managed(&written, "one", "Apply").unwrap_or_default(), &json!({
            "f:status": {
                "f:conditions": {
                    "k:{\"type\":\"Ready\"}": {
                        ".": {},
                        "f:lastTransitionTime": {},
                        "f:message": {},
                        "f:reason": {},
                        "f:status": {},
                        "f:type": {},
                    },
                },
                "f:drift": {},
                "f:observedGeneration": {},
            },
        }))?;
        let entries = written["metadata"]["managedFields"].as_array();
        let entry = entries.into_iter().flatten().find(|entry| entry["manager"] == "one");
        let entry = entry.cloned().unwrap_or_default();
        same("subresource", &entry["subresource"], &json!("status"))
    }
    "a status write by patch is held apart too", lab => {
        lab.make("a", &json!({})).await?;
        let place = format!("{}/status?fieldManager=one", lab.role("a"));
        let written = lab.merge(&place, &json!({ "status": { "observedGeneration": 1, "accountId": "1" } })).await?.is(200)?;
        same("fields", &managed(&written, "one", "Update").unwrap_or_default(), &json!({
            "f:status": { "f:accountId": {}, "f:observedGeneration": {} },
        }))
    }
    "apply of what another manager applied is a conflict", lab => {
        let config = lab.object("a", &json!({ "mode": "Observe" }));
        lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        let other = lab.object("a", &json!({ "mode": "Enforce" }));
        let body = lab.apply(&lab.role("a"), "two", &other).await?.refused(409, "Conflict")?;
        same("message", &body["message"], &json!("Apply failed with 1 conflict: conflict with \"one\": .spec.mode"))?;
        same("causes", &body["details"]["causes"], &json!([{
            "reason": "FieldManagerConflict",
            "message": "conflict with \"one\"",
            "field": ".spec.mode",
        }]))?;
        same("mode", &lab.read("a").await?["spec"]["mode"], &json!("Observe"))
    }
    "apply of what someone updated is a conflict", lab => {
        let object = lab.object("a", &json!({ "mode": "Observe" }));
        lab.post(&format!("{}?fieldManager=one", lab.role("")), &object).await?.is(201)?;
        let other = lab.object("a", &json!({ "mode": "Enforce" }));
        let body = lab.apply(&lab.role("a"), "two", &other).await?.refused(409, "Conflict")?;
        says(&body, "conflict with \"one\" using sessionmanager.dev/v1alpha1")
    }
    "a conflict names every field", lab => {
        let config = lab.object("a", &json!({ "mode": "Observe", "tags": { "x": "1" } }));
        lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        let other = lab.object("a", &json!({ "mode": "Enforce", "tags": { "x": "2" } }));
        let body = lab.apply(&lab.role("a"), "two", &other).await?.refused(409, "Conflict")?;
        same("message", &body["message"], &json!("Apply failed with 2 conflicts: conflicts with \"one\":\n- .spec.mode\n- .spec.tags.x"))
    }
    "a conflict over a condition names its type", lab => {
        lab.make("a", &json!({})).await?;
        let place = format!("{}/status", lab.role("a"));
        let of = |status: &str| told("a", &json!({ "observedGeneration": 1, "conditions": [condition("Ready", status)] }));
        lab.apply(&place, "one", &of("True")).await?.is(200)?;
        let body = lab.apply(&place, "two", &of("False")).await?.refused(409, "Conflict")?;
        same("message", &body["message"], &json!("Apply failed with 1 conflict: conflict with \"one\" with subresource \"status\": .status.conditions[type=\"Ready\"].status"))
    }
    "force takes the field from the other manager", lab => {
        let config = lab.object("a", &json!({ "mode": "Observe", "tags": { "x": "1" } }));
        lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        let other = lab.object("a", &json!({ "mode": "Enforce" }));
        let forced = lab.force(&lab.role("a"), "two", &other).await?.is(200)?;
        same("mode", &forced["spec"]["mode"], &json!("Enforce"))?;
        same("one", &managed(&forced, "one", "Apply").unwrap_or_default(), &json!({ "f:spec": { "f:tags": { "f:x": {} } } }))?;
        same("two", &managed(&forced, "two", "Apply").unwrap_or_default(), &json!({ "f:spec": { "f:mode": {} } }))
    }
    "the same value is shared without a conflict", lab => {
        let config = lab.object("a", &json!({ "mode": "Observe" }));
        let made = lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        let shared = lab.apply(&lab.role("a"), "two", &config).await?.is(200)?;
        must("a new manager is a new version", shared["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"])?;
        must("it is no generation", shared["metadata"]["generation"] == made["metadata"]["generation"])?;
        let fields = json!({ "f:spec": { "f:mode": {} } });
        same("one", &managed(&shared, "one", "Apply").unwrap_or_default(), &fields)?;
        same("two", &managed(&shared, "two", "Apply").unwrap_or_default(), &fields)
    }
    "an update takes fields from who applied them", lab => {
        let config = lab.object("a", &json!({ "mode": "Observe" }));
        lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        let place = format!("{}?fieldManager=two", lab.role("a"));
        let patched = lab.merge(&place, &json!({ "spec": { "mode": "Enforce" } })).await?.is(200)?;
        must("one holds nothing any more", managed(&patched, "one", "Apply").is_none())?;
        same("two", &managed(&patched, "two", "Update").unwrap_or_default(), &json!({ "f:spec": { "f:mode": {} } }))
    }
    "what an update removes, nobody holds any more", lab => {
        let config = lab.object("a", &json!({ "mode": "Observe", "tags": { "x": "1" } }));
        lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        let patched = lab.merge(&lab.role("a"), &json!({ "spec": { "mode": null } })).await?.is(200)?;
        same("one", &managed(&patched, "one", "Apply").unwrap_or_default(), &json!({ "f:spec": { "f:tags": { "f:x": {} } } }))
    }
    "one who applies and updates is two managers", lab => {
        let config = lab.object("a", &json!({ "mode": "Observe" }));
        lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        let place = format!("{}?fieldManager=one", lab.role("a"));
        let patched = lab.merge(&place, &json!({ "spec": { "tags": { "x": "1" } } })).await?.is(200)?;
        same("applied", &managed(&patched, "one", "Apply").unwrap_or_default(), &json!({ "f:spec": { "f:mode": {} } }))?;
        same("updated", &managed(&patched, "one", "Update").unwrap_or_default(), &json!({ "f:spec": { "f:tags": { ".": {}, "f:x": {} } } }))
    }
    "one who applies object and status is two managers", lab => {
        let config = lab.object("a", &json!({ "mode": "Observe" }));
        lab.apply(&lab.role("a"), "one", &config).await?.is(201)?;
        let place = format!("{}/status", lab.role("a"));
        let written = lab.force(&place, "one", &told("a", &json!({ "observedGeneration": 1 }))).await?.is(200)?;
        same("spec", &written["spec"], &json!({ "mode": "Observe" }))?;
        let entries = written["metadata"]["managedFields"].as_array().map_or(0, Vec::len);
        same("entries", &json!(entries), &json!(2))
    }
    "a finalizer by merge patch is held by who put it on", lab => {
        let made = lab.make("a", &json!({})).await?;
        let place = format!("{}?fieldManager=one", lab.role("a"));
        let patch = json!({ "metadata": {
            "uid": made["metadata"]["uid"],
            "resourceVersion": made["metadata"]["resourceVersion"],
            "finalizers": ["example.com/held"],
        } });
        let patched = lab.merge(&place, &patch).await?.is(200)?;
        same("fields", &managed(&patched, "one", "Update").unwrap_or_default(), &json!({
            "f:metadata": { "f:finalizers": { ".": {}, "v:\"example.com/held\"": {} } },
        }))?;
        lab.free("a").await?;
        Ok(())
    }
    "appliers stand before updaters", lab => {
        let object = lab.object("a", &json!({ "mode": "Observe" }));
        lab.post(&format!("{}?fieldManager=a", lab.role("")), &object).await?.is(201)?;
        let config = lab.object("a", &json!({ "tags": { "x": "1" } }));
        let applied = lab.apply(&lab.role("a"), "z", &config).await?.is(200)?;
        let names = applied["metadata"]["managedFields"].as_array();
        let names: Vec<_> = names.into_iter().flatten().map(|entry| entry["manager"].clone()).collect();
        same("managers", &json!(names), &json!(["z", "a"]))
    }
    "managedFields that are emptied by an update are forgotten", lab => {
        let made = lab.make("a", &json!({ "mode": "Observe" })).await?;
        let patch = json!({ "metadata": { "managedFields": [{}] } });
        let patched = lab.merge(&lab.role("a"), &patch).await?.is(200)?;
        must("nobody holds anything", patched["metadata"].get("managedFields").is_none())?;
        same("spec", &patched["spec"], &made["spec"])
    }
}
