//! Merge patches and JSON patches.

use serde_json::json;

use super::lab::{generation, must, same, says, version};
use super::sentences;

sentences! {
    "a merge patch changes what it names and nothing else", lab => {
        lab.make("a", &json!({ "mode": "Observe", "role": { "description": "d" } })).await?;
        let patch = json!({ "spec": { "role": { "maxSessionDurationSeconds": 3600 } } });
        let patched = lab.merge(&lab.role("a"), &patch).await?.is(200)?;
        same("spec", &patched["spec"], &json!({
            "mode": "Observe",
            "role": { "description": "d", "maxSessionDurationSeconds": 3600 },
        }))
    }
    "a null in a merge patch removes the field", lab => {
        lab.make("a", &json!({ "mode": "Observe", "role": { "description": "d" } })).await?;
        let patch = json!({ "spec": { "mode": null, "role": { "description": null } } });
        let patched = lab.merge(&lab.role("a"), &patch).await?.is(200)?;
        same("spec", &patched["spec"], &json!({ "role": {} }))
    }
    "a list in a merge patch takes the place of the whole list", lab => {
        let mut object = lab.object("a", &json!({}));
        object["metadata"]["finalizers"] = json!(["example.com/one", "example.com/two"]);
        lab.post(&lab.role(""), &object).await?.is(201)?;
        let patch = json!({ "metadata": { "finalizers": ["example.com/three"] } });
        let patched = lab.merge(&lab.role("a"), &patch).await?.is(200)?;
        same("finalizers", &patched["metadata"]["finalizers"], &json!(["example.com/three"]))?;
        lab.free("a").await?;
        Ok(())
    }
    "a merge patch at the current version is kept", lab => {
        let made = lab.make("a", &json!({})).await?;
        let patch = json!({ "metadata": {
            "resourceVersion": made["metadata"]["resourceVersion"],
            "uid": made["metadata"]["uid"],
            "labels": { "team": "one" },
        } });
        let patched = lab.merge(&lab.role("a"), &patch).await?.is(200)?;
        same("labels", &patched["metadata"]["labels"], &json!({ "team": "one" }))
    }
    "a merge patch with a stale resourceVersion is a conflict", lab => {
        let made = lab.make("a", &json!({})).await?;
        lab.merge(&lab.role("a"), &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        let patch = json!({ "metadata": {
            "resourceVersion": made["metadata"]["resourceVersion"],
            "labels": { "team": "one" },
        } });
        let body = lab.merge(&lab.role("a"), &patch).await?.refused(409, "Conflict")?;
        says(&body, "the object has been modified; please apply your changes to the latest version and try again")
    }
    "a merge patch with another uid is invalid", lab => {
        lab.make("a", &json!({})).await?;
        let patch = json!({ "metadata": {
            "uid": "11111111-2222-4333-8444-555555555555",
            "labels": { "team": "one" },
        } });
        lab.merge(&lab.role("a"), &patch).await?.invalid("metadata.uid")?;
        Ok(())
    }
    "a merge patch of an object that is not there is not found", lab => {
        lab.merge(&lab.role("a"), &json!({ "spec": {} })).await?.missing()?;
        Ok(())
    }
    "a merge patch that changes nothing makes no version", lab => {
        let made = lab.settle("a", &json!({ "mode": "Observe" })).await?;
        let patched = lab.merge(&lab.role("a"), &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        same("what comes back", &patched, &made)
    }
    "a merge patch that breaks the schema is invalid", lab => {
        lab.make("a", &json!({})).await?;
        lab.merge(&lab.role("a"), &json!({ "spec": { "mode": "Dream" } })).await?.invalid("spec.mode")?;
        Ok(())
    }
    "a merge patch of the object leaves status as it is", lab => {
        let made = lab.settle("a", &json!({})).await?;
        let patch = json!({ "status": { "observedGeneration": 1, "accountId": "1" } });
        let patched = lab.merge(&lab.role("a"), &patch).await?.is(200)?;
        same("what comes back", &patched, &made)
    }
    "a merge patch under another name is refused", lab => {
        lab.make("a", &json!({})).await?;
        let patch = json!({ "metadata": { "name": "b" } });
        lab.merge(&lab.role("a"), &patch).await?.refused(400, "BadRequest")?;
        Ok(())
    }
    "a strategic merge patch of a custom object is not understood", lab => {
        lab.make("a", &json!({})).await?;
        let kind = "application/strategic-merge-patch+json";
        let patch = json!({ "spec": { "mode": "Observe" } });
        lab.send("PATCH", &lab.role("a"), kind, Some(&patch)).await?.refused(415, "UnsupportedMediaType")?;
        Ok(())
    }
    "force is for apply only", lab => {
        lab.make("a", &json!({})).await?;
        let path = format!("{}?force=true", lab.role("a"));
        lab.merge(&path, &json!({ "spec": {} })).await?.refused(422, "Invalid")?;
        Ok(())
    }
    "a JSON patch adds, replaces and removes", lab => {
        lab.make("a", &json!({ "mode": "Observe", "role": { "description": "d" } })).await?;
        let patch = json!([
            { "op": "test", "path": "/spec/mode", "value": "Observe" },
            { "op": "replace", "path": "/spec/mode", "value": "Enforce" },
            { "op": "remove", "path": "/spec/role/description" },
            { "op": "add", "path": "/spec/tags", "value": { "team": "one" } },
        ]);
        let patched = lab.json_patch(&lab.role("a"), &patch).await?.is(200)?;
        same("spec", &patched["spec"], &json!({ "mode": "Enforce", "role": {}, "tags": { "team": "one" } }))?;
        same("generation", &json!(generation(&patched)), &json!(2))
    }
    "a JSON patch whose test fails changes nothing", lab => {
        let made = lab.make("a", &json!({ "mode": "Observe" })).await?;
        let patch = json!([
            { "op": "replace", "path": "/spec/mode", "value": "Enforce" },
            { "op": "test", "path": "/spec/mode", "value": "Observe" },
        ]);
        lab.json_patch(&lab.role("a"), &patch).await?.refused(422, "Invalid")?;
        same("what is read", &lab.read("a").await?, &made)
    }
    "a JSON patch of a field that is not there is invalid", lab => {
        lab.make("a", &json!({})).await?;
        let patch = json!([{ "op": "remove", "path": "/metadata/finalizers/0" }]);
        lab.json_patch(&lab.role("a"), &patch).await?.refused(422, "Invalid")?;
        Ok(())
    }
    "a patch that is no patch is a bad request", lab => {
        lab.make("a", &json!({})).await?;
        lab.json_patch(&lab.role("a"), &json!({ "spec": {} })).await?.refused(400, "BadRequest")?;
        Ok(())
    }
    "a dry run of a patch keeps nothing", lab => {
        let made = lab.make("a", &json!({})).await?;
        let path = format!("{}?dryRun=All", lab.role("a"));
        let tried = lab.merge(&path, &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        same("mode", &tried["spec"]["mode"], &json!("Observe"))?;
        must("nothing was kept", lab.read("a").await? == made)?;
        must("it has a version", version(&tried) > 0)
    }
}
