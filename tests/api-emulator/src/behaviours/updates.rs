//! Updates of whole objects.

use serde_json::json;

use super::lab::{generation, must, same, says, version};
use super::sentences;

sentences! {
    "an update at the current version is kept", lab => {
        let mut object = lab.make("a", &json!({})).await?;
        let before = version(&object);
        object["spec"] = json!({ "mode": "Observe" });
        let updated = lab.put(&lab.role("a"), &object).await?.is(200)?;
        must("the version grows", version(&updated) > before)?;
        same("generation", &json!(generation(&updated)), &json!(2))?;
        same("what is read", &lab.read("a").await?, &updated)
    }
    "an update at an older version is a conflict", lab => {
        let mut object = lab.make("a", &json!({})).await?;
        lab.merge(&lab.role("a"), &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        object["spec"] = json!({ "mode": "Enforce" });
        let body = lab.put(&lab.role("a"), &object).await?.refused(409, "Conflict")?;
        same("message", &body["message"], &json!("Operation cannot be fulfilled on sessionmanagerroles.sessionmanager.dev \"a\": the object has been modified; please apply your changes to the latest version and try again"))?;
        same("details", &body["details"], &json!({ "name": "a", "group": "sessionmanager.dev", "kind": "sessionmanagerroles" }))?;
        same("mode", &lab.read("a").await?["spec"]["mode"], &json!("Observe"))
    }
    "an update of a custom object without a version is invalid", lab => {
        lab.make("a", &json!({})).await?;
        let object = lab.object("a", &json!({ "mode": "Observe" }));
        let cause = lab.put(&lab.role("a"), &object).await?.invalid("metadata.resourceVersion")?;
        says(&cause, "must be specified for an update")
    }
    "an update that names another uid is a conflict", lab => {
        let mut object = lab.make("a", &json!({})).await?;
        object["metadata"]["uid"] = json!("11111111-2222-4333-8444-555555555555");
        let body = lab.put(&lab.role("a"), &object).await?.refused(409, "Conflict")?;
        says(&body, "Precondition failed: UID in precondition: 11111111-2222-4333-8444-555555555555, UID in object meta: ")
    }
    "an update of a custom object that is not there is not found", lab => {
        let object = lab.object("a", &json!({}));
        lab.put(&lab.role("a"), &object).await?.missing()?;
        Ok(())
    }
    "an update under another name than the path's is refused", lab => {
        let object = lab.make("a", &json!({})).await?;
        lab.make("b", &json!({})).await?;
        lab.put(&lab.role("b"), &object).await?.refused(400, "BadRequest")?;
        Ok(())
    }
    "an update that changes nothing makes no version", lab => {
        let object = lab.settle("a", &json!({})).await?;
        let same_again = lab.put(&lab.role("a"), &object).await?.is(200)?;
        same("what comes back", &same_again, &object)
    }
    "the first write keeps what was filled in, which is a version though nothing changes", lab => {
        let made = lab.make("a", &json!({})).await?;
        let first = lab.put(&lab.role("a"), &made).await?.is(200)?;
        must("the version grows", version(&first) > version(&made))?;
        let mut expected = made.clone();
        expected["metadata"]["resourceVersion"] = first["metadata"]["resourceVersion"].clone();
        same("what comes back", &first, &expected)?;
        let second = lab.put(&lab.role("a"), &first).await?.is(200)?;
        same("what comes back then", &second, &first)
    }
    "an update of metadata is no new generation", lab => {
        let mut object = lab.make("a", &json!({})).await?;
        object["metadata"]["labels"] = json!({ "team": "one" });
        object["metadata"]["annotations"] = json!({ "note": "one" });
        object["metadata"]["finalizers"] = json!(["example.com/held"]);
        let updated = lab.put(&lab.role("a"), &object).await?.is(200)?;
        must("the version grows", version(&updated) > version(&object))?;
        same("generation", &json!(generation(&updated)), &json!(1))?;
        lab.free("a").await?;
        Ok(())
    }
    "an update of the object leaves status as it is", lab => {
        let mut object = lab.settle("a", &json!({})).await?;
        object["status"] = json!({ "observedGeneration": 5, "accountId": "1" });
        let updated = lab.put(&lab.role("a"), &object).await?.is(200)?;
        same("status", &updated["status"], &json!({ "observedGeneration": -1 }))?;
        same("version", &json!(version(&updated)), &json!(version(&object)))
    }
    "generation and creation time that are sent are ignored", lab => {
        let object = lab.make("a", &json!({})).await?;
        let mut sent = object.clone();
        sent["metadata"]["generation"] = json!(40);
        sent["metadata"]["creationTimestamp"] = json!("2001-01-01T00:00:00Z");
        let updated = lab.put(&lab.role("a"), &sent).await?.is(200)?;
        same("generation", &json!(generation(&updated)), &json!(1))?;
        same("time", &updated["metadata"]["creationTimestamp"], &object["metadata"]["creationTimestamp"])
    }
    "nobody marks an object for deletion by an update", lab => {
        let mut object = lab.make("a", &json!({})).await?;
        object["metadata"]["deletionTimestamp"] = json!("2030-01-01T00:00:00Z");
        lab.put(&lab.role("a"), &object).await?.invalid("metadata.deletionTimestamp")?;
        Ok(())
    }
    "a change that a rule compares with what was there is invalid", lab => {
        let mut object = lab.make("a", &json!({ "path": "/one/" })).await?;
        object["spec"]["path"] = json!("/two/");
        let cause = lab.put(&lab.role("a"), &object).await?.invalid("spec.path")?;
        same("reason", &cause["reason"], &json!("FieldValueInvalid"))?;
        same("path", &lab.read("a").await?["spec"]["path"], &json!("/one/"))
    }
    "every change of spec is a generation, back to the first spec too", lab => {
        lab.make("a", &json!({})).await?;
        let path = lab.role("a");
        let second = lab.merge(&path, &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        let third = lab.merge(&path, &json!({ "spec": { "mode": null } })).await?.is(200)?;
        same("generation", &json!(generation(&second)), &json!(2))?;
        same("generation", &json!(generation(&third)), &json!(3))
    }
    "the user agent's or the query's manager holds what an update changed", lab => {
        let mut object = lab.make("a", &json!({})).await?;
        object["spec"] = json!({ "mode": "Observe" });
        let path = format!("{}?fieldManager=a-person", lab.role("a"));
        let updated = lab.put(&path, &object).await?.is(200)?;
        let fields = super::lab::managed(&updated, "a-person", "Update");
        same("fields", &fields.unwrap_or_default(), &json!({ "f:spec": { "f:mode": {} } }))
    }
    "what an update takes away, its manager holds no more", lab => {
        lab.make("a", &json!({})).await?;
        let path = format!("{}?fieldManager=a-person", lab.role("a"));
        lab.merge(&path, &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        let left = lab.merge(&path, &json!({ "spec": { "mode": null } })).await?.is(200)?;
        must("a-person holds nothing", super::lab::managed(&left, "a-person", "Update").is_none())
    }
}
