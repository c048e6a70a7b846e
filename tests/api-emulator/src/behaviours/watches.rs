//! Watches.

use serde_json::json;

use super::lab::{Lab, must, same, told, version};
use super::sentences;

/// The version from which a watch sees all that comes.
async fn start(lab: &Lab) -> Result<u64, String> {
    let list = lab.get(&lab.role("")).await?.is(200)?;
    Ok(version(&list))
}

sentences! {
    "a watch tells what is made, changed and deleted", lab => {
        let mut watch = lab.watch(&format!("&resourceVersion={}", start(&lab).await?)).await?;
        let made = lab.make("a", &json!({})).await?;
        same("added", &watch.must("ADDED", "a").await?, &made)?;
        let patched = lab.merge(&lab.role("a"), &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        same("modified", &watch.must("MODIFIED", "a").await?, &patched)?;
        lab.delete(&lab.role("a"), None).await?.is(200)?;
        let deleted = watch.must("DELETED", "a").await?;
        must("the deletion has a version of its own", version(&deleted) > version(&patched))?;
        same("what it was", &deleted["spec"], &patched["spec"])
    }
    "a watch tells what happened since its version", lab => {
        let from = start(&lab).await?;
        lab.make("a", &json!({})).await?;
        lab.make("b", &json!({})).await?;
        lab.delete(&lab.role("a"), None).await?.is(200)?;
        let mut watch = lab.watch(&format!("&resourceVersion={from}")).await?;
        watch.must("ADDED", "a").await?;
        watch.must("ADDED", "b").await?;
        watch.must("DELETED", "a").await?;
        Ok(())
    }
    "a watch without a version tells what is there first", lab => {
        lab.make("a", &json!({})).await?;
        lab.make("b", &json!({})).await?;
        let mut watch = lab.watch("").await?;
        watch.must("ADDED", "a").await?;
        watch.must("ADDED", "b").await?;
        lab.make("c", &json!({})).await?;
        watch.must("ADDED", "c").await?;
        Ok(())
    }
    "a watch from version 0 tells what is there first", lab => {
        lab.make("a", &json!({})).await?;
        let mut watch = lab.watch("&resourceVersion=0").await?;
        watch.must("ADDED", "a").await?;
        Ok(())
    }
    "a write that changes nothing is not told", lab => {
        lab.settle("a", &json!({ "mode": "Observe" })).await?;
        let mut watch = lab.watch(&format!("&resourceVersion={}", start(&lab).await?)).await?;
        lab.merge(&lab.role("a"), &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        lab.make("b", &json!({})).await?;
        watch.must("ADDED", "b").await?;
        Ok(())
    }
    "a watch tells marks of deletion, and of the end what was before it", lab => {
        lab.make_held("a").await?;
        let mut watch = lab.watch(&format!("&resourceVersion={}", start(&lab).await?)).await?;
        lab.delete(&lab.role("a"), None).await?.is(200)?;
        let marked = watch.must("MODIFIED", "a").await?;
        must("it is marked", marked["metadata"]["deletionTimestamp"].is_string())?;
        lab.free("a").await?;
        let deleted = watch.must("DELETED", "a").await?;
        must("it has a version of its own", version(&deleted) > version(&marked))?;
        same("finalizers", &deleted["metadata"]["finalizers"], &json!(["example.com/held"]))
    }
    "an object that begins to fit a selector is added, one that ceases to is deleted", lab => {
        lab.make("a", &json!({})).await?;
        let query = format!("&resourceVersion={}&labelSelector=team%3Done", start(&lab).await?);
        let mut watch = lab.watch(&query).await?;
        let labelled = |team| json!({ "metadata": { "labels": { "team": team } } });
        lab.merge(&lab.role("a"), &labelled(Some("one"))).await?.is(200)?;
        watch.must("ADDED", "a").await?;
        let patched = lab.merge(&lab.role("a"), &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        same("modified", &watch.must("MODIFIED", "a").await?, &patched)?;
        let gone = lab.merge(&lab.role("a"), &labelled(None)).await?.is(200)?;
        let deleted = watch.must("DELETED", "a").await?;
        same("version", &json!(version(&deleted)), &json!(version(&gone)))?;
        same("what it was when it fitted", &deleted["metadata"]["labels"], &json!({ "team": "one" }))
    }
    "a watch of one name tells nothing of others", lab => {
        let query = format!("&resourceVersion={}&fieldSelector=metadata.name%3Db", start(&lab).await?);
        let mut watch = lab.watch(&query).await?;
        lab.make("a", &json!({})).await?;
        lab.make("b", &json!({})).await?;
        watch.must("ADDED", "b").await?;
        Ok(())
    }
    "a watch of all namespaces tells of each", lab => {
        let path = "/apis/sessionmanager.dev/v1alpha1/sessionmanagerroles";
        let query = format!("&resourceVersion={}&fieldSelector=metadata.namespace%3D{}", start(&lab).await?, lab.namespace);
        let mut watch = lab.watch_at(path, &query).await?;
        lab.make("a", &json!({})).await?;
        let told = watch.must("ADDED", "a").await?;
        same("namespace", &told["metadata"]["namespace"], &json!(lab.namespace))
    }
    "a watch ends when its time is over", lab => {
        let query = format!("&resourceVersion={}&timeoutSeconds=2", start(&lab).await?);
        let mut watch = lab.watch(&query).await?;
        let event = watch.next().await?;
        must(&format!("there is no event: {event:?}"), event.is_none())
    }
    "a bookmark comes shortly before the end", lab => {
        let from = start(&lab).await?;
        let query = format!("&resourceVersion={from}&timeoutSeconds=5&allowWatchBookmarks=true");
        let mut watch = lab.watch(&query).await?;
        let made = lab.make("a", &json!({})).await?;
        watch.must("ADDED", "a").await?;
        let event = watch.next().await?.ok_or("no bookmark came")?;
        same("type", &event["type"], &json!("BOOKMARK"))?;
        same("kind", &event["object"]["kind"], &json!("SessionManagerRole"))?;
        must("it has a version", version(&event["object"]) >= version(&made))?;
        must("it has nothing else", event["object"].get("spec").is_none())?;
        let event = watch.next().await?;
        must(&format!("then it ends: {event:?}"), event.is_none())
    }
    "a watch from a version that is long gone ends as expired", lab => {
        lab.make("a", &json!({})).await?;
        let old = lab.get("/apis/sessionmanager.dev/v1alpha1/sessionmanagerroles").await?.is(200)?;
        must("there are versions", version(&old) > 1)?;
        let mut watch = lab.watch("&resourceVersion=1").await?;
        // One that remembers all there ever was begins with the first.
        let event = watch.next().await?.ok_or("it has ended")?;
        if event["type"] == "ERROR" {
            same("code", &event["object"]["code"], &json!(410))?;
            return same("reason", &event["object"]["reason"], &json!("Expired"));
        }
        same("type", &event["type"], &json!("ADDED"))
    }
    "initial events come first where they are asked for, and then a bookmark that says so", lab => {
        lab.make("a", &json!({})).await?;
        // Any version would do for 0, also one from before the object.
        let query = format!(
            "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion={}",
            start(&lab).await?
        );
        let mut watch = lab.watch(&query).await?;
        watch.must("ADDED", "a").await?;
        let event = watch.next().await?.ok_or("it has ended")?;
        same("type", &event["type"], &json!("BOOKMARK"))?;
        same("mark", &event["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], &json!("true"))
    }
    "initial events need a match", lab => {
        let path = format!("{}?watch=true&sendInitialEvents=true", lab.role(""));
        lab.get(&path).await?.refused(422, "Invalid")?;
        Ok(())
    }
    "a status write makes an event", lab => {
        lab.make("a", &json!({})).await?;
        let mut watch = lab.watch(&format!("&resourceVersion={}", start(&lab).await?)).await?;
        let path = format!("{}/status", lab.role("a"));
        let config = told("a", &json!({ "observedGeneration": 1 }));
        let written = lab.force(&path, "one", &config).await?.is(200)?;
        same("modified", &watch.must("MODIFIED", "a").await?, &written)
    }
}
