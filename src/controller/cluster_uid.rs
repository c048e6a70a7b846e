//! The UID of the cluster, which tells it from another one of its name: that of the namespace kube-system, as
//! every cluster has one and nobody can choose it. In: a client; out: the UID. Does network IO.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::kubernetes;

const NAMESPACE: &str = "kube-system";
/// Between two tries while the API server does not answer, in seconds.
const PAUSES: [u64; 4] = [1, 2, 5, LONGEST];
const LONGEST: u64 = 10;

/// The cluster's UID can't be known, and will not be before someone acts.
#[derive(Debug, thiserror::Error)]
#[error(
    "the UID of the namespace {NAMESPACE} can't be read ({0}). It tells this cluster from another one of the same --cluster-name. Allow the controller's ServiceAccount to get that one namespace, as the chart and the kustomize base do, or set --cluster-uid"
)]
pub struct NoClusterUid(String);

/// Asks once.
pub async fn read(client: &Client) -> kube::Result<Option<String>> {
    let namespaces = Api::<Namespace>::all(client.clone());
    Ok(namespaces.get_metadata(NAMESPACE).await?.metadata.uid)
}

/// Asks until there is an answer.
pub async fn wait(client: &Client) -> Result<String, NoClusterUid> {
    let mut pauses = PAUSES.into_iter();
    loop {
        let why = match read(client).await {
            Ok(Some(uid)) => {
                info!(uid, "this is the cluster");
                return Ok(uid);
            }
            Ok(None) => return Err(NoClusterUid("it has none".to_owned())),
            Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => {
                return Err(NoClusterUid(status.message.clone()));
            }
            Err(error) => kubernetes::cause(&error),
        };
        warn!(
            why,
            "the UID of the namespace {NAMESPACE} can't be read yet"
        );
        sleep(Duration::from_secs(pauses.next().unwrap_or(LONGEST))).await;
    }
}
