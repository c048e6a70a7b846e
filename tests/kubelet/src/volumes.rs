//! A Pod's volumes: what they are made of in, directories and mounts out. Reads ConfigMaps and Secrets, asks for
//! tokens, writes files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{
    Container, KeyToPath, ServiceAccount, ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use kube::Api;
use kube::api::PostParams;

use crate::container::{Mount, Sources};
use crate::{Error, io};

/// Makes every volume that the container mounts.
pub async fn mounts(
    sources: &Sources<'_>,
    container: &Container,
    directory: &Path,
    group: u32,
) -> Result<Vec<Mount>, Error> {
    let mut mounts = Vec::new();
    let volumes = sources
        .pod
        .spec
        .as_ref()
        .and_then(|spec| spec.volumes.as_ref());
    for mount in container.volume_mounts.iter().flatten() {
        let volume = volumes.into_iter().flatten().find(|v| v.name == mount.name);
        let volume =
            volume.ok_or_else(|| Error::Unsupported(format!("no volume {}", mount.name)))?;
        let from = directory.join(&mount.name);
        let writable = volume.empty_dir.is_some();
        if !from.exists() {
            let files = files(sources, volume).await?;
            write(&from, &files, group, writable)?;
        }
        mounts.push(Mount {
            from,
            to: mount.mount_path.clone(),
            writable,
        });
    }
    Ok(mounts)
}

type Files = BTreeMap<String, String>;

async fn files(sources: &Sources<'_>, volume: &Volume) -> Result<Files, Error> {
    if let Some(projected) = &volume.projected {
        let mut all = Files::new();
        for source in projected.sources.iter().flatten() {
            all.extend(project(sources, source).await?);
        }
        return Ok(all);
    }
    if let Some(source) = &volume.config_map {
        let all = sources.config_map(&source.name).await?;
        return Ok(chosen(all, source.items.as_deref()));
    }
    if let Some(source) = &volume.secret {
        let name = source.secret_name.clone().unwrap_or_default();
        return Ok(chosen(
            sources.secret(&name).await?,
            source.items.as_deref(),
        ));
    }
    if volume.empty_dir.is_some() {
        return Ok(Files::new());
    }
    Err(Error::Unsupported(format!(
        "the kind of the volume {}",
        volume.name
    )))
}

async fn project(sources: &Sources<'_>, source: &VolumeProjection) -> Result<Files, Error> {
    if let Some(wanted) = &source.service_account_token {
        return Ok([(wanted.path.clone(), token(sources, wanted).await?)].into());
    }
    if let Some(source) = &source.config_map {
        let all = sources.config_map(&source.name).await?;
        return Ok(chosen(all, source.items.as_deref()));
    }
    if let Some(source) = &source.downward_api {
        let mut all = Files::new();
        for item in source.items.iter().flatten() {
            let path = item
                .field_ref
                .as_ref()
                .map(|f| f.field_path.as_str())
                .unwrap_or_default();
            all.insert(item.path.clone(), sources.field(path)?);
        }
        return Ok(all);
    }
    Err(Error::Unsupported(
        "the kind of a projected volume".to_owned(),
    ))
}

fn chosen(mut all: Files, items: Option<&[KeyToPath]>) -> Files {
    let Some(items) = items else {
        return all;
    };
    let pick = |item: &KeyToPath| Some((item.path.clone(), all.remove(&item.key)?));
    items.iter().filter_map(pick).collect()
}

/// Bound to the Pod, as the kubelet's are: it ends with it.
async fn token(
    sources: &Sources<'_>,
    wanted: &ServiceAccountTokenProjection,
) -> Result<String, Error> {
    let account = sources.field("spec.serviceAccountName")?;
    let api: Api<ServiceAccount> = Api::namespaced(sources.client.clone(), sources.namespace());
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: wanted.audience.clone().into_iter().collect(),
            expiration_seconds: wanted.expiration_seconds,
            bound_object_ref: Some(BoundObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: sources.pod.metadata.name.clone(),
                uid: sources.pod.metadata.uid.clone(),
            }),
        },
        ..TokenRequest::default()
    };
    let answer = api
        .create_token_request(&account, &PostParams::default(), &request)
        .await?;
    Ok(answer.status.map(|status| status.token).unwrap_or_default())
}

/// Root owns what is in it, and the Pod's group may read it: fsGroup, and defaultMode as of a token.
fn write(directory: &Path, files: &Files, group: u32, writable: bool) -> Result<(), Error> {
    let owned = |path: &Path, mode: u32| {
        let name = path.display().to_string();
        chown(path, Some(0), Some(group)).map_err(io(&name))?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(io(name))
    };
    fs::create_dir_all(directory).map_err(io(directory.display().to_string()))?;
    for (name, text) in files {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(io(parent.display().to_string()))?;
        }
        fs::write(&path, text).map_err(io(path.display().to_string()))?;
        owned(&path, 0o640)?;
    }
    owned(directory, if writable { 0o2770 } else { 0o750 })
}
