//! How long the core takes over one object that is in sync: to say what it should be, to plan it,
//! and to compare its documents. No IO.

#![allow(clippy::unwrap_used)] // A bench ends there.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use smr_core::account::{Account, Partition};
use smr_core::canonical::Canonical;
use smr_core::limits::Limits;
use smr_core::names::ObjectRef;
use smr_core::plan::{POLICY_OVERLAP, plan};
use smr_core::preview::converged;
use smr_core::resolve::resolve;

/// Everything that makes a document long.
const FULL: &str = "
sessionEncryption: {kmsKeyArn: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab'}
sessionLogs: {s3: {bucket: session-logs, keyPrefix: web}, cloudWatch: {logGroupName: /ssm/web}}
tags: {team: a, cost-centre: '4711'}
";

fn core(criterion: &mut Criterion) {
    let limits = Limits::new("prod");
    let subject = ObjectRef {
        namespace: "team".into(),
        name: "web".into(),
        uid: "1f0a3c5e-6b1e-4f0e-9a53-0b2f4a9d7c11".into(),
    };
    let account = Account {
        id: "111122223333".into(),
        partition: Partition::Aws,
    };
    for (name, spec) in [("minimal", "{}"), ("full", FULL)] {
        let spec = serde_saphyr::from_str(spec).unwrap();
        let want = || resolve(&spec, &subject, None, &account, &limits, None).unwrap();
        let it = want();
        let (observed, recorded) = converged(&it);
        let mut group = criterion.benchmark_group(name);
        group.bench_function("spec to desired", |b| b.iter(want));
        group.bench_function("plan of one object in sync", |b| {
            b.iter(|| {
                let desired = black_box(&it.desired);
                let planned = plan(desired, &observed, &recorded, Some(POLICY_OVERLAP)).unwrap();
                assert!(planned.plan.is_empty());
            });
        });
        let wanted_document = &it.desired.policy.document;
        // The same meaning in another spelling, so that no comparison of texts is enough.
        let other = serde_json::from_str::<serde_json::Value>(wanted_document).unwrap();
        let other = serde_json::to_string_pretty(&other).unwrap();
        group.bench_function("documents compared", |b| {
            b.iter(|| {
                let one = Canonical::parse(black_box(wanted_document)).unwrap();
                assert!(one.means_the_same(&Canonical::parse(black_box(&other)).unwrap()));
            });
        });
        group.finish();
    }
}

criterion_group!(benches, core);
criterion_main!(benches);
