//! What IAM holds for many objects: names in, [`Observed`] out. Does network IO; never writes. The
//! whole account is read at once; where that is denied, object by object.

use smr_core::account::Account;
use smr_core::deletion::Usage;
use smr_core::failure::{Failure, FailureClass};
use smr_core::kind::Kind;
use smr_core::names::Names;
use smr_core::observed::Observed;

use smr_core::fair::Priority;
use smr_iam::{Aws, Iam, WholeAccount};

pub(super) struct Reading {
    iam: Iam,
    account: Account,
    whole: Option<WholeAccount>,
}

impl Reading {
    pub(super) async fn begin(aws: &Aws, account: Account) -> Result<Self, Failure> {
        let iam = aws.on_behalf_of(&account, "", Priority::Edit);
        let whole = match iam.whole_account().await {
            Ok(whole) => Some(whole),
            // Some organisations deny the bulk call.
            Err(failure) if failure.class == FailureClass::AccessDenied => None,
            Err(failure) => return Err(failure),
        };
        Ok(Self {
            iam,
            account,
            whole,
        })
    }

    /// What the bulk reading alone shows, where there was one: without tags of policy and profile.
    pub(super) fn in_bulk(&self, names: &Names) -> Option<Observed> {
        self.whole.as_ref().map(|whole| whole.find(names))
    }

    pub(super) async fn observe(&self, names: &Names) -> Result<Observed, Failure> {
        if let Some(whole) = &self.whole {
            return self.iam.complete(whole, names).await;
        }
        let all = [Kind::Role, Kind::Policy, Kind::InstanceProfile].into();
        Box::pin(self.iam.observe(&self.account, names, &all)).await
    }

    pub(super) async fn users(&self, observed: &Observed) -> Result<Usage, Failure> {
        self.iam.users(observed).await
    }
}
