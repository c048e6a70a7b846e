//! Lists, their pages and selectors.

use serde_json::{Value, json};

use super::lab::{Lab, must, same, version};
use super::sentences;

/// Three roles with labels.
async fn three(lab: &Lab) -> Result<(), String> {
    for (name, team) in [("a", "one"), ("b", "two"), ("c", "one")] {
        let mut object = lab.object(name, &json!({}));
        object["metadata"]["labels"] = json!({ "team": team, name: "yes" });
        lab.post(&lab.role(""), &object).await?.is(201)?;
    }
    Ok(())
}

async fn list(lab: &Lab, query: &str) -> Result<Value, String> {
    lab.get(&format!("{}?{query}", lab.role(""))).await?.is(200)
}

fn names(list: &Value) -> Value {
    let items = list["items"].as_array();
    items
        .into_iter()
        .flatten()
        .map(|item| item["metadata"]["name"].clone())
        .collect()
}

sentences! {
    "a list has all objects by name, and a version", lab => {
        three(&lab).await?;
        let found = list(&lab, "").await?;
        same("names", &names(&found), &json!(["a", "b", "c"]))?;
        same("kind", &found["kind"], &json!("SessionManagerRoleList"))?;
        same("apiVersion", &found["apiVersion"], &json!("sessionmanager.dev/v1alpha1"))?;
        same("kind of an item", &found["items"][0]["kind"], &json!("SessionManagerRole"))?;
        must("the version is that of the last write or later", version(&found) >= version(&lab.read("c").await?))
    }
    "an empty list has a version too", lab => {
        let made = lab.make("a", &json!({})).await?;
        lab.delete(&lab.role("a"), None).await?.is(200)?;
        let found = list(&lab, "").await?;
        same("items", &found["items"], &json!([]))?;
        must("the version is that of the last write or later", version(&found) > version(&made))
    }
    "a list of all namespaces has those of each", lab => {
        three(&lab).await?;
        let found = lab.get("/apis/sessionmanager.dev/v1alpha1/sessionmanagerroles").await?.is(200)?;
        let items = found["items"].as_array();
        let own = items.into_iter().flatten().filter(|item| item["metadata"]["namespace"] == json!(lab.namespace));
        same("how many", &json!(own.count()), &json!(3))
    }
    "a list of a namespace that is not there is empty", lab => {
        three(&lab).await?;
        let path = "/apis/sessionmanager.dev/v1alpha1/namespaces/nowhere-at-all/sessionmanagerroles";
        let found = lab.get(path).await?.is(200)?;
        same("items", &found["items"], &json!([]))
    }
    "labels are selected by value", lab => {
        three(&lab).await?;
        same("=", &names(&list(&lab, "labelSelector=team%3Done").await?), &json!(["a", "c"]))?;
        same("!=", &names(&list(&lab, "labelSelector=team%21%3Done").await?), &json!(["b"]))?;
        same("both", &names(&list(&lab, "labelSelector=team%3Done%2Ca%3Dyes").await?), &json!(["a"]))
    }
    "labels are selected by set and by presence", lab => {
        three(&lab).await?;
        same("in", &names(&list(&lab, "labelSelector=team+in+%28one%2Ctwo%29%2Cb").await?), &json!(["b"]))?;
        same("notin", &names(&list(&lab, "labelSelector=team+notin+%28two%29").await?), &json!(["a", "c"]))?;
        same("absent", &names(&list(&lab, "labelSelector=%21a").await?), &json!(["b", "c"]))
    }
    "a selector that makes no sense is a bad request", lab => {
        lab.get(&format!("{}?labelSelector=team+of+one", lab.role(""))).await?.refused(400, "BadRequest")?;
        Ok(())
    }
    "one object is selected by its name", lab => {
        three(&lab).await?;
        same("names", &names(&list(&lab, "fieldSelector=metadata.name%3Db").await?), &json!(["b"]))?;
        same("with labels", &names(&list(&lab, "fieldSelector=metadata.name%3Db&labelSelector=team%3Done").await?), &json!([]))
    }
    "a field that can't be selected is a bad request", lab => {
        lab.get(&format!("{}?fieldSelector=spec.mode%3Db", lab.role(""))).await?.refused(400, "BadRequest")?;
        Ok(())
    }
    "a list comes in pages", lab => {
        three(&lab).await?;
        let first = list(&lab, "limit=2").await?;
        same("names", &names(&first), &json!(["a", "b"]))?;
        same("left", &first["metadata"]["remainingItemCount"], &json!(1))?;
        let token = first["metadata"]["continue"].as_str().unwrap_or_default();
        must("there is a token", !token.is_empty())?;
        let second = list(&lab, &format!("limit=2&continue={token}")).await?;
        same("names", &names(&second), &json!(["c"]))?;
        must("it is the last page", second["metadata"]["continue"].as_str().unwrap_or_default().is_empty())?;
        same("version", &second["metadata"]["resourceVersion"], &first["metadata"]["resourceVersion"])
    }
    "later pages are of the first page's version", lab => {
        three(&lab).await?;
        let first = list(&lab, "limit=1").await?;
        lab.delete(&lab.role("b"), None).await?.is(200)?;
        lab.make("d", &json!({})).await?;
        let token = first["metadata"]["continue"].as_str().unwrap_or_default();
        let rest = list(&lab, &format!("limit=9&continue={token}")).await?;
        same("names", &names(&rest), &json!(["b", "c"]))
    }
    "a page of what is selected does not say how many are left", lab => {
        three(&lab).await?;
        let first = list(&lab, "limit=1&labelSelector=team%3Done").await?;
        same("names", &names(&first), &json!(["a"]))?;
        must("it does not say", first["metadata"].get("remainingItemCount").is_none())
    }
    "a token that is none is a bad request", lab => {
        lab.get(&format!("{}?limit=1&continue=nonsense", lab.role(""))).await?.refused(400, "BadRequest")?;
        Ok(())
    }
    "a list at an exact version is as it was then", lab => {
        three(&lab).await?;
        let before = list(&lab, "").await?;
        lab.delete(&lab.role("b"), None).await?.is(200)?;
        let query = format!("resourceVersion={}&resourceVersionMatch=Exact", version(&before));
        let found = list(&lab, &query).await?;
        same("names", &names(&found), &json!(["a", "b", "c"]))?;
        same("version", &found["metadata"]["resourceVersion"], &before["metadata"]["resourceVersion"])
    }
    "a list that may not be older than a version has what was written until then", lab => {
        three(&lab).await?;
        let last = lab.read("c").await?;
        let query = format!("resourceVersion={}&resourceVersionMatch=NotOlderThan", version(&last));
        same("names", &names(&list(&lab, &query).await?), &json!(["a", "b", "c"]))
    }
    "a list of metadata only has no specs", lab => {
        three(&lab).await?;
        let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        let found = lab.send_for(accept, "GET", &lab.role(""), "application/json", None).await?.is(200)?;
        same("kind", &found["kind"], &json!("PartialObjectMetadataList"))?;
        same("names", &names(&found), &json!(["a", "b", "c"]))?;
        must("there is no spec", found["items"][0].get("spec").is_none())
    }
}
