//! Leases, events and namespaces.

use serde_json::{Value, json};

use super::lab::{Lab, must, same, says, told, version};
use super::sentences;

const TIME: &str = "2026-01-02T03:04:05.000006Z";
const OTHER: &str = "11111111-2222-4333-8444-555555555555";

fn leases(lab: &Lab, name: &str) -> String {
    lab.path("coordination.k8s.io/v1", "leases", name)
}

fn lease(name: &str, holder: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": name },
        "spec": { "holderIdentity": holder, "leaseDurationSeconds": 15, "acquireTime": TIME, "renewTime": TIME, "leaseTransitions": 0 },
    })
}

fn events(lab: &Lab, name: &str) -> String {
    lab.path("events.k8s.io/v1", "events", name)
}

fn event(lab: &Lab, name: &str) -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": { "name": name, "namespace": lab.namespace },
        "eventTime": TIME,
        "type": "Normal",
        "reason": "Created",
        "action": "Created",
        "note": "n",
        "reportingController": "example.com/controller",
        "reportingInstance": "one",
        "regarding": { "kind": "SessionManagerRole", "namespace": lab.namespace, "name": "a" },
    })
}

fn namespaces(name: &str) -> String {
    format!("/api/v1/namespaces/{name}")
}

/// A namespace that a role holds, on its way out.
async fn leaving(lab: &Lab) -> Result<Lab, String> {
    let mut inner = lab.clone();
    inner.namespace = format!("{}-gone", lab.namespace);
    let object =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": inner.namespace } });
    lab.post("/api/v1/namespaces", &object).await?.is(201)?;
    inner.make_held("a").await?;
    let marked = lab
        .delete(&namespaces(&inner.namespace), None)
        .await?
        .is(200)?;
    same("phase", &marked["status"]["phase"], &json!("Terminating"))?;
    Ok(inner)
}

sentences! {
    "a lease is made, read and renewed at its version", lab => {
        let made = lab.post(&leases(&lab, ""), &lease("l", "one")).await?.is(201)?;
        same("time", &made["spec"]["renewTime"], &json!(TIME))?;
        must("a lease has no generation", made["metadata"].get("generation").is_none())?;
        same("what is read", &lab.get(&leases(&lab, "l")).await?.is(200)?, &made)?;
        let mut next = made.clone();
        next["spec"]["renewTime"] = json!("2026-01-02T03:04:15.000006Z");
        let renewed = lab.put(&leases(&lab, "l"), &next).await?.is(200)?;
        must("the version grows", version(&renewed) > version(&made))
    }
    "a lease is renewed by one of two only", lab => {
        let made = lab.post(&leases(&lab, ""), &lease("l", "")).await?.is(201)?;
        let taken = |holder: &str| {
            let mut lease = made.clone();
            lease["spec"]["holderIdentity"] = json!(holder);
            lease
        };
        lab.put(&leases(&lab, "l"), &taken("one")).await?.is(200)?;
        lab.put(&leases(&lab, "l"), &taken("two")).await?.refused(409, "Conflict")?;
        let left = lab.get(&leases(&lab, "l")).await?.is(200)?;
        same("holder", &left["spec"]["holderIdentity"], &json!("one"))
    }
    "a lease that is there is not made again", lab => {
        lab.post(&leases(&lab, ""), &lease("l", "one")).await?.is(201)?;
        let body = lab.post(&leases(&lab, ""), &lease("l", "two")).await?.refused(409, "AlreadyExists")?;
        same("message", &body["message"], &json!("leases.coordination.k8s.io \"l\" already exists"))
    }
    "a lease that is not there is not found", lab => {
        let body = lab.get(&leases(&lab, "l")).await?.missing()?;
        same("message", &body["message"], &json!("leases.coordination.k8s.io \"l\" not found"))
    }
    "an update of a lease that is gone is a conflict where it names the uid", lab => {
        let made = lab.post(&leases(&lab, ""), &lease("l", "one")).await?.is(201)?;
        lab.delete(&leases(&lab, "l"), None).await?.is(200)?;
        lab.put(&leases(&lab, "l"), &made).await?.refused(409, "Conflict")?;
        Ok(())
    }
    "an update of a lease that is not there makes it", lab => {
        let made = lab.put(&leases(&lab, "l"), &lease("l", "one")).await?.is(201)?;
        must("it has a uid", made["metadata"]["uid"].is_string())
    }
    "an update of a lease without a version is invalid", lab => {
        lab.post(&leases(&lab, ""), &lease("l", "one")).await?.is(201)?;
        lab.put(&leases(&lab, "l"), &lease("l", "two")).await?.invalid("metadata.resourceVersion")?;
        Ok(())
    }
    "a lease of no length is invalid", lab => {
        let mut object = lease("l", "one");
        object["spec"]["leaseDurationSeconds"] = json!(0);
        lab.post(&leases(&lab, ""), &object).await?.invalid("spec.leaseDurationSeconds")?;
        Ok(())
    }
    "a lease whose time is none is a bad request", lab => {
        let mut object = lease("l", "one");
        object["spec"]["renewTime"] = json!("soon");
        lab.post(&leases(&lab, ""), &object).await?.refused(400, "BadRequest")?;
        Ok(())
    }
    "the holder of a lease holds its fields", lab => {
        let path = format!("{}?fieldManager=one", leases(&lab, ""));
        let made = lab.post(&path, &lease("l", "one")).await?.is(201)?;
        let fields = super::lab::managed(&made, "one", "Update").unwrap_or_default();
        same("fields", &fields, &json!({ "f:spec": {
            "f:acquireTime": {},
            "f:holderIdentity": {},
            "f:leaseDurationSeconds": {},
            "f:leaseTransitions": {},
            "f:renewTime": {},
        } }))
    }
    "a list of leases has items that do not say what they are", lab => {
        lab.post(&leases(&lab, ""), &lease("l", "one")).await?.is(201)?;
        let list = lab.get(&leases(&lab, "")).await?.is(200)?;
        same("kind", &list["kind"], &json!("LeaseList"))?;
        must("an item has no kind", list["items"][0].get("kind").is_none())
    }
    "an event is made", lab => {
        let made = lab.post(&events(&lab, ""), &event(&lab, "e")).await?.is(201)?;
        same("note", &made["note"], &json!("n"))?;
        same("time", &made["eventTime"], &json!(TIME))?;
        must("it has a uid", made["metadata"]["uid"].is_string())
    }
    "an event becomes a series by a merge patch", lab => {
        lab.post(&events(&lab, ""), &event(&lab, "e")).await?.is(201)?;
        let series = json!({ "series": { "count": 2, "lastObservedTime": TIME } });
        let patched = lab.merge(&events(&lab, "e"), &series).await?.is(200)?;
        same("series", &patched["series"], &series["series"])
    }
    "a series of one is invalid", lab => {
        lab.post(&events(&lab, ""), &event(&lab, "e")).await?.is(201)?;
        let series = json!({ "series": { "count": 1, "lastObservedTime": TIME } });
        lab.merge(&events(&lab, "e"), &series).await?.invalid("series.count")?;
        Ok(())
    }
    "an event's note can't be changed", lab => {
        lab.post(&events(&lab, ""), &event(&lab, "e")).await?.is(201)?;
        lab.merge(&events(&lab, "e"), &json!({ "note": "other" })).await?.refused(422, "Invalid")?;
        Ok(())
    }
    "a patch of an event that is not there is not found", lab => {
        let series = json!({ "series": { "count": 2, "lastObservedTime": TIME } });
        lab.merge(&events(&lab, "e"), &series).await?.missing()?;
        Ok(())
    }
    "an event without a reason or a controller is invalid", lab => {
        let mut object = event(&lab, "e");
        object["reason"] = json!("");
        lab.post(&events(&lab, ""), &object).await?.invalid("reason")?;
        let mut object = event(&lab, "e");
        object["reportingController"] = json!("");
        lab.post(&events(&lab, ""), &object).await?.invalid("reportingController")?;
        Ok(())
    }
    "an event of an unknown type is invalid", lab => {
        let mut object = event(&lab, "e");
        object["type"] = json!("Odd");
        lab.post(&events(&lab, ""), &object).await?.invalid("type")?;
        Ok(())
    }
    "a note that is too long is invalid", lab => {
        let mut object = event(&lab, "e");
        object["note"] = json!("x".repeat(1025));
        lab.post(&events(&lab, ""), &object).await?.invalid("message")?;
        Ok(())
    }
    "an event about what is in no namespace is invalid but in default", lab => {
        let mut object = event(&lab, "e");
        object["regarding"] = json!({ "kind": "Namespace", "name": lab.namespace });
        lab.post(&events(&lab, ""), &object).await?.invalid("involvedObject.namespace")?;
        Ok(())
    }
    "the namespace kube-system has a uid", lab => {
        let accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        let found = lab.send_for(accept, "GET", &namespaces("kube-system"), "application/json", None).await?.is(200)?;
        same("kind", &found["kind"], &json!("PartialObjectMetadata"))?;
        must("it has a uid", found["metadata"]["uid"].as_str().is_some_and(|uid| uid.len() == 36))
    }
    "a namespace is active and labelled with its name", lab => {
        let found = lab.get(&namespaces(&lab.namespace)).await?.is(200)?;
        same("phase", &found["status"]["phase"], &json!("Active"))?;
        same("finalizers", &found["spec"]["finalizers"], &json!(["kubernetes"]))?;
        same("label", &found["metadata"]["labels"]["kubernetes.io/metadata.name"], &json!(lab.namespace))
    }
    "a namespace takes labels by a merge patch, without a generation", lab => {
        let patch = json!({ "metadata": { "labels": { "team": "one" } } });
        let patched = lab.merge(&namespaces(&lab.namespace), &patch).await?.is(200)?;
        same("label", &patched["metadata"]["labels"]["team"], &json!("one"))?;
        must("it has no generation", patched["metadata"].get("generation").is_none())
    }
    "a namespace that is not there is not found", lab => {
        let body = lab.get(&namespaces("nowhere-at-all")).await?.missing()?;
        same("message", &body["message"], &json!("namespaces \"nowhere-at-all\" not found"))
    }
    "the first namespaces can't be deleted", lab => {
        lab.delete(&namespaces("kube-system"), None).await?.refused(403, "Forbidden")?;
        Ok(())
    }
    "nothing is made in a namespace on its way out", lab => {
        let inner = leaving(&lab).await?;
        let object = inner.object("b", &json!({}));
        let body = inner.post(&inner.role(""), &object).await?.refused(403, "Forbidden")?;
        same("message", &body["message"], &json!(format!(
            "sessionmanagerroles.sessionmanager.dev \"b\" is forbidden: unable to create new content in namespace {} because it is being terminated",
            inner.namespace,
        )))?;
        same("cause", &body["details"]["causes"][0]["reason"], &json!("NamespaceTerminating"))?;
        inner.apply(&inner.role("b"), "one", &object).await?.refused(403, "Forbidden")?;
        inner.post(&leases(&inner, ""), &lease("l", "one")).await?.refused(403, "Forbidden")?;
        inner.free("a").await?;
        Ok(())
    }
    "what is in a namespace on its way out can be changed still", lab => {
        let inner = leaving(&lab).await?;
        inner.merge(&inner.role("a"), &json!({ "spec": { "mode": "Observe" } })).await?.is(200)?;
        let path = format!("{}/status", inner.role("a"));
        inner.force(&path, "one", &told("a", &json!({ "observedGeneration": 1 }))).await?.is(200)?;
        inner.free("a").await?;
        Ok(())
    }
    "a lease whose update names another uid is a conflict", lab => {
        let mut made = lab.post(&leases(&lab, ""), &lease("l", "one")).await?.is(201)?;
        made["metadata"]["uid"] = json!(OTHER);
        let body = lab.put(&leases(&lab, "l"), &made).await?.refused(409, "Conflict")?;
        says(&body, "Precondition failed: UID in precondition")
    }
}
