//! The table of drift, played: rows of a spec and what someone does to it in IAM enter; what the
//! controller told of each leaves. Any stand-in for IAM can play it. Does network IO.

pub mod rows;
pub mod same;

use std::fmt::Write as _;

use aws_sdk_iam::error::ProvideErrorMetadata;
use futures::{StreamExt, stream};
use smr_api::{Drift, SessionManagerRole};

use super::hand::{Change, Hand};
use super::iam::{READ_S3, StandIn, shape};
use super::{World, is};

/// As many objects are worked on at a time.
const AT_A_TIME: usize = 16;

/// One object, and what is done to it.
#[derive(Clone, Copy)]
pub struct Row {
    pub name: &'static str,
    /// An earlier spec of the object, whose traces are still in IAM.
    pub before: Option<&'static str>,
    pub spec: &'static str,
    pub changes: &'static [Change],
    /// Some of it stays, as it is told and not put right, or nobody's business.
    pub stays: bool,
}

impl Row {
    pub const fn new(name: &'static str, spec: &'static str, changes: &'static [Change]) -> Self {
        Self {
            name,
            before: None,
            spec,
            changes,
            stays: false,
        }
    }

    pub const fn after(self, spec: &'static str) -> Self {
        Self {
            before: Some(spec),
            ..self
        }
    }

    pub const fn stays(self) -> Self {
        Self {
            stays: true,
            ..self
        }
    }
}

/// What was told of one row.
pub struct Told {
    pub row: &'static str,
    pub object: String,
    /// As status told them while they were there.
    pub drift: Vec<Drift>,
    /// `lastDrift` once it was put right.
    pub last: Option<String>,
    /// The note of the event.
    pub event: Option<String>,
    pub unlisted: Vec<String>,
    uid: String,
}

impl Told {
    /// What a reader sees, with the same names in every run.
    pub fn report<I>(&self, world: &World<I>) -> String {
        let mut text = format!("# {}\n", self.row);
        for Drift {
            object,
            field,
            message,
        } in &self.drift
        {
            writeln!(text, "{object} {field}: {message}").unwrap();
        }
        let all: Vec<&str> = self.drift.iter().map(|d| d.message.as_str()).collect();
        let all = all.join("; ");
        if let Some(last) = self.last.as_ref().filter(|last| **last != all) {
            writeln!(text, "  last drift: {last}").unwrap();
        }
        let same = self.last.as_ref().map(|last| format!("put right: {last}"));
        if self.event != same {
            writeln!(text, "  event: {:?}", self.event).unwrap();
        }
        for policy in &self.unlisted {
            writeln!(text, "  unlisted: {policy}").unwrap();
        }
        plain(world, &self.object, &text).replace(&self.uid, "UID")
    }
}

/// Names that don't change from run to run.
pub fn plain<I>(world: &World<I>, object: &str, text: &str) -> String {
    let namespace = &world.namespace;
    text.replace(&format!("{namespace}.{object}"), "team.web")
        .replace(&format!("{namespace}/{object}"), "team/web")
        .replace(namespace, "team")
}

/// The object of a row.
pub fn object(index: usize) -> String {
    format!("row{index:02}")
}

/// Makes the boundaries that rows name, then an object for each row, and waits until all are Ready.
pub async fn prepare<I: StandIn>(world: &World<I>, rows: &[Row]) {
    for name in ["cap", "wide"] {
        let create = world.someone().create_policy().policy_document(READ_S3);
        // Worlds may share an account.
        if let Err(error) = create.policy_name(name).send().await {
            assert_eq!(error.code(), Some("EntityAlreadyExists"), "{error:?}");
        }
    }
    let account = world.account_id().await;
    each(rows, async |index, row: &Row| {
        let object = object(index);
        for spec in row.before.iter().chain([&row.spec]) {
            let spec = spec.replace("ACCOUNT", &account);
            world.apply(&object, &spec).await;
            world.ready(&object).await;
        }
    })
    .await;
}

/// Does to IAM what the rows say. The controller must not be looking.
pub async fn perturb<I: StandIn>(world: &World<I>, rows: &[Row]) {
    let (iam, account) = (world.someone(), world.account_id().await);
    // One after the other: moto is not made for many writers at once.
    for (index, row) in rows.iter().enumerate() {
        let name = format!("{}.{}", world.namespace, object(index));
        let hand = Hand {
            iam: &iam,
            account: &account,
            name: &name,
        };
        for change in row.changes {
            hand.make(change).await;
        }
    }
}

/// Lets the controller look at every object once; the objects after it.
pub async fn look<I: StandIn>(world: &World<I>, rows: &[Row]) -> Vec<SessionManagerRole> {
    each(rows, async |index, _: &Row| {
        world.looked_at(&object(index)).await
    })
    .await
}

/// Every row is perturbed, told, and put right in one pass; another pass changes nothing. Calls
/// back when all is perturbed and when all is put right.
pub async fn play<I: StandIn>(
    world: &World<I>,
    rows: &[Row],
    perturbed: impl FnOnce(),
    repaired: impl FnOnce(),
) -> Vec<Told> {
    prepare(world, rows).await;
    let before = shape(&world.seen().await);
    world.settled().await;
    let seen = world.record(|_| {}).await;
    perturb(world, rows).await;
    perturbed();
    let objects = look(world, rows).await;
    for object in &objects {
        seen.version(object).await;
    }
    let versions = seen.finish().await;
    let mut told = Vec::new();
    for (row, object) in rows.iter().zip(objects) {
        told.push(of_row(world, row, &object, &versions).await);
    }
    repaired();
    let after = shape(&world.seen().await);
    for (row, told) in rows.iter().zip(&told).filter(|(row, _)| !row.stays) {
        let name = format!("{}.{}", world.namespace, told.object);
        for kind in ["roles", "policies", "instance_profiles"] {
            let (was, is) = (&before[kind][&name], &after[kind][&name]);
            assert_eq!(is, was, "{}: {kind}", row.name);
        }
    }
    look(world, rows).await;
    assert_eq!(
        shape(&world.seen().await),
        after,
        "another pass changed something"
    );
    told
}

async fn of_row<I: StandIn>(
    world: &World<I>,
    row: &Row,
    object: &SessionManagerRole,
    versions: &[SessionManagerRole],
) -> Told {
    let name = object.metadata.name.clone().unwrap();
    let status = object.status.clone().unwrap();
    assert!(is(&status, "Ready", "True"), "{}: {status:?}", row.name);
    assert!(status.drift.is_empty(), "{}: {status:?}", row.name);
    let drift = versions
        .iter()
        .filter(|v| v.metadata.name.as_ref() == Some(&name))
        .filter_map(|v| Some(v.status.as_ref()?.drift.clone()))
        .find(|drift| !drift.is_empty());
    let event = match &drift {
        Some(_) => Some(world.event(&name, "Repaired").await),
        None => None,
    };
    assert!(
        status.last_drift.as_ref().is_none_or(|last| last.repaired),
        "{}: {status:?}",
        row.name
    );
    Told {
        row: row.name,
        uid: object.metadata.uid.clone().unwrap(),
        object: name,
        drift: drift.unwrap_or_default(),
        last: status.last_drift.map(|last| last.message),
        event,
        unlisted: status.unlisted_policies,
    }
}

/// Some rows at a time, the results in order.
async fn each<T>(rows: &[Row], work: impl AsyncFn(usize, &Row) -> T) -> Vec<T> {
    let work = &work;
    stream::iter(rows.iter().enumerate())
        .map(|(index, row)| async move { work(index, row).await })
        .buffered(AT_A_TIME)
        .collect()
        .await
}
