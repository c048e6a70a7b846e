//! Deletion and finalizers.

use serde_json::json;

use super::lab::{generation, must, same, says, version};
use super::sentences;

sentences! {
    "an object that nothing holds is gone at once", lab => {
        let made = lab.make("a", &json!({})).await?;
        let body = lab.delete(&lab.role("a"), None).await?.is(200)?;
        same("status", &body["status"], &json!("Success"))?;
        same("details", &body["details"], &json!({
            "name": "a",
            "group": "sessionmanager.dev",
            "kind": "sessionmanagerroles",
            "uid": made["metadata"]["uid"],
        }))?;
        lab.get(&lab.role("a")).await?.missing()?;
        Ok(())
    }
    "an object that is not there can't be deleted", lab => {
        lab.delete(&lab.role("a"), None).await?.missing()?;
        Ok(())
    }
    "an object that a finalizer holds is marked, which is a generation", lab => {
        let made = lab.make_held("a").await?;
        let marked = lab.delete(&lab.role("a"), None).await?.is(200)?;
        must("it has a time of deletion", marked["metadata"]["deletionTimestamp"].is_string())?;
        same("grace", &marked["metadata"]["deletionGracePeriodSeconds"], &json!(0))?;
        same("generation", &json!(generation(&marked)), &json!(2))?;
        must("the version grows", version(&marked) > version(&made))?;
        same("what is read", &lab.read("a").await?, &marked)?;
        lab.free("a").await?;
        Ok(())
    }
    "deleting once more changes nothing", lab => {
        lab.make_held("a").await?;
        let marked = lab.delete(&lab.role("a"), None).await?.is(200)?;
        let again = lab.delete(&lab.role("a"), None).await?.is(200)?;
        same("what comes back", &again, &marked)?;
        lab.free("a").await?;
        Ok(())
    }
    "the object goes with its last finalizer, and the answer is what was sent", lab => {
        lab.make_held("a").await?;
        let marked = lab.delete(&lab.role("a"), None).await?.is(200)?;
        let freed = lab.free("a").await?;
        must("no finalizer is left", freed["metadata"].get("finalizers").is_none())?;
        must("it still has its time of deletion", freed["metadata"]["deletionTimestamp"].is_string())?;
        same("version", &json!(version(&freed)), &json!(version(&marked)))?;
        lab.get(&lab.role("a")).await?.missing()?;
        Ok(())
    }
    "one of two finalizers holds it still", lab => {
        let mut object = lab.object("a", &json!({}));
        object["metadata"]["finalizers"] = json!(["example.com/one", "example.com/two"]);
        lab.post(&lab.role(""), &object).await?.is(201)?;
        lab.delete(&lab.role("a"), None).await?.is(200)?;
        let patch = json!({ "metadata": { "finalizers": ["example.com/two"] } });
        lab.merge(&lab.role("a"), &patch).await?.is(200)?;
        let left = lab.read("a").await?;
        same("finalizers", &left["metadata"]["finalizers"], &json!(["example.com/two"]))?;
        lab.free("a").await?;
        lab.get(&lab.role("a")).await?.missing()?;
        Ok(())
    }
    "no finalizer is added to what is on its way out", lab => {
        lab.make_held("a").await?;
        lab.delete(&lab.role("a"), None).await?.is(200)?;
        let patch = json!({ "metadata": { "finalizers": ["example.com/held", "example.com/more"] } });
        let cause = lab.merge(&lab.role("a"), &patch).await?.invalid("metadata.finalizers")?;
        same("reason", &cause["reason"], &json!("FieldValueForbidden"))?;
        says(&cause, "no new finalizers can be added if the object is being deleted")?;
        lab.free("a").await?;
        Ok(())
    }
    "spec can be changed on the way out, which is a generation", lab => {
        lab.make_held("a").await?;
        lab.delete(&lab.role("a"), None).await?.is(200)?;
        let changed = lab.merge(&lab.role("a"), &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        same("generation", &json!(generation(&changed)), &json!(3))?;
        lab.free("a").await?;
        Ok(())
    }
    "nobody takes a mark of deletion back", lab => {
        lab.make_held("a").await?;
        let marked = lab.delete(&lab.role("a"), None).await?.is(200)?;
        let patch = json!({ "metadata": { "deletionTimestamp": null } });
        let same_again = lab.merge(&lab.role("a"), &patch).await?.is(200)?;
        same("what comes back", &same_again, &marked)?;
        lab.free("a").await?;
        Ok(())
    }
    "a deletion that names another uid is a conflict", lab => {
        lab.make("a", &json!({})).await?;
        let options = json!({ "preconditions": { "uid": "11111111-2222-4333-8444-555555555555" } });
        let body = lab.delete(&lab.role("a"), Some(&options)).await?.refused(409, "Conflict")?;
        says(&body, "the UID in the precondition (11111111-2222-4333-8444-555555555555) does not match the UID in record (")?;
        lab.read("a").await?;
        Ok(())
    }
    "a deletion that names an older version is a conflict", lab => {
        let made = lab.make("a", &json!({})).await?;
        lab.merge(&lab.role("a"), &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        let options = json!({ "preconditions": { "resourceVersion": made["metadata"]["resourceVersion"] } });
        lab.delete(&lab.role("a"), Some(&options)).await?.refused(409, "Conflict")?;
        lab.read("a").await?;
        Ok(())
    }
    "a deletion that names uid and version as they are is done", lab => {
        let made = lab.make("a", &json!({})).await?;
        let options = json!({ "preconditions": {
            "uid": made["metadata"]["uid"],
            "resourceVersion": made["metadata"]["resourceVersion"],
        } });
        lab.delete(&lab.role("a"), Some(&options)).await?.is(200)?;
        lab.get(&lab.role("a")).await?.missing()?;
        Ok(())
    }
    "a dry run deletes nothing", lab => {
        let made = lab.make("a", &json!({})).await?;
        lab.delete(&format!("{}?dryRun=All", lab.role("a")), None).await?.is(200)?;
        same("what is read", &lab.read("a").await?, &made)
    }
    "all that a selector fits are deleted at once", lab => {
        for (name, team) in [("a", "one"), ("b", "two")] {
            let mut object = lab.object(name, &json!({}));
            object["metadata"]["labels"] = json!({ "team": team });
            lab.post(&lab.role(""), &object).await?.is(201)?;
        }
        let path = format!("{}?labelSelector=team%3Done", lab.role(""));
        lab.delete(&path, None).await?.is(200)?;
        lab.get(&lab.role("a")).await?.missing()?;
        lab.read("b").await?;
        Ok(())
    }
}
