//! What a Pod's container is to run as: the Pod, the image and what the environment refers to in, a [`Plan`]
//! out. Reads ConfigMaps and Secrets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, Pod, Secret};
use kube::{Api, Client};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::image::Image;

/// Where the API server's Service is, as `--service-cluster-ip-range=10.0.0.0/24` has it.
pub const SERVICE: &str = "10.0.0.1";
/// Its port.
pub const SERVICE_PORT: u16 = 443;

/// All that the sandbox needs to know; written to a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub hostname: String,
    pub root: PathBuf,
    pub read_only: bool,
    pub command: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub user: u32,
    pub group: u32,
    pub groups: Vec<u32>,
    pub no_new_privileges: bool,
    /// What is mounted where, all read-only but an emptyDir.
    pub mounts: Vec<Mount>,
    /// Addresses inside, and the sockets that lead out.
    pub outward: Vec<(SocketAddr, PathBuf)>,
    /// A socket outside, and the port inside that it leads to: for probes.
    pub inward: (PathBuf, u16),
}

/// One mount.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mount {
    pub from: PathBuf,
    /// Inside the root.
    pub to: String,
    pub writable: bool,
}

/// The one container of a Pod that this kubelet can run.
pub fn only(pod: &Pod) -> Result<&Container, Error> {
    let spec = pod.spec.as_ref();
    let containers = spec
        .map(|spec| spec.containers.as_slice())
        .unwrap_or_default();
    match containers {
        [one] if spec.is_some_and(|s| s.init_containers.is_none()) => Ok(one),
        _ => Err(Error::Unsupported(
            "a Pod must have one container, and no init containers".to_owned(),
        )),
    }
}

/// The command line: the Pod's over the image's, as Kubernetes has it.
pub fn command(container: &Container, image: &Image) -> Vec<String> {
    let args = container.args.clone();
    if let Some(command) = &container.command {
        return [command.clone(), args.unwrap_or_default()].concat();
    }
    let args = args.unwrap_or_else(|| image.cmd.clone());
    [image.entrypoint.clone(), args].concat()
}

/// User, group, further groups, and whether more privileges can be had.
pub struct Identity {
    pub user: u32,
    pub group: u32,
    pub groups: Vec<u32>,
    pub no_new_privileges: bool,
    pub read_only: bool,
}

/// The container's settings over the Pod's over the image's.
pub fn identity(pod: &Pod, container: &Container, image: &Image) -> Result<Identity, Error> {
    let pod = pod
        .spec
        .as_ref()
        .and_then(|s| s.security_context.clone())
        .unwrap_or_default();
    let own = container.security_context.clone().unwrap_or_default();
    let number = |own: Option<i64>, pod: Option<i64>, image: u32| {
        let chosen = own.or(pod).map_or(Ok(image), u32::try_from);
        chosen.map_err(|_| {
            Error::Unsupported("a user or group that is no number of 32 bits".to_owned())
        })
    };
    let user = number(own.run_as_user, pod.run_as_user, image.user.0)?;
    let group = number(own.run_as_group, pod.run_as_group, image.user.1)?;
    if own.run_as_non_root.or(pod.run_as_non_root) == Some(true) && user == 0 {
        return Err(Error::Unsupported(
            "container has runAsNonRoot and image will run as root".to_owned(),
        ));
    }
    let fs_group = pod.fs_group.map(u32::try_from).transpose();
    let fs_group =
        fs_group.map_err(|_| Error::Unsupported("fsGroup is no number of 32 bits".to_owned()))?;
    Ok(Identity {
        user,
        group,
        groups: fs_group.into_iter().collect(),
        no_new_privileges: own.allow_privilege_escalation == Some(false),
        read_only: own.read_only_root_filesystem == Some(true),
    })
}

/// The environment: Kubernetes' own, the image's, `envFrom`, then `env`.
pub async fn environment(
    client: &Client,
    pod: &Pod,
    container: &Container,
    image: &Image,
) -> Result<BTreeMap<String, String>, Error> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let mut env: BTreeMap<String, String> = [
        (
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ),
        ("HOSTNAME", name.as_str()),
        ("KUBERNETES_SERVICE_HOST", SERVICE),
        ("KUBERNETES_SERVICE_PORT", "443"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    let pairs = image.env.iter().filter_map(|pair| pair.split_once('='));
    env.extend(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let sources = Sources { client, pod };
    for from in container.env_from.iter().flatten() {
        let prefix = from.prefix.clone().unwrap_or_default();
        let mut all = BTreeMap::new();
        if let Some(reference) = &from.config_map_ref {
            all.extend(sources.config_map(&reference.name).await?);
        }
        if let Some(reference) = &from.secret_ref {
            all.extend(sources.secret(&reference.name).await?);
        }
        env.extend(
            all.into_iter()
                .map(|(key, value)| (format!("{prefix}{key}"), value)),
        );
    }
    for variable in container.env.iter().flatten() {
        let value = sources.value(variable).await?;
        env.insert(variable.name.clone(), value);
    }
    Ok(env)
}

/// What a Pod's fields and volumes refer to.
pub struct Sources<'a> {
    pub client: &'a Client,
    pub pod: &'a Pod,
}

impl Sources<'_> {
    pub fn namespace(&self) -> &str {
        self.pod.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub async fn config_map(&self, name: &str) -> Result<BTreeMap<String, String>, Error> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), self.namespace());
        Ok(api.get(name).await?.data.unwrap_or_default())
    }

    pub async fn secret(&self, name: &str) -> Result<BTreeMap<String, String>, Error> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace());
        let data = api.get(name).await?.data.unwrap_or_default();
        Ok(data
            .into_iter()
            .map(|(key, value)| (key, String::from_utf8_lossy(&value.0).into_owned()))
            .collect())
    }

    /// A field of the Pod itself.
    pub fn field(&self, path: &str) -> Result<String, Error> {
        let metadata = &self.pod.metadata;
        let value = match path {
            "metadata.name" => metadata.name.clone(),
            "metadata.namespace" => metadata.namespace.clone(),
            "metadata.uid" => metadata.uid.clone(),
            "spec.serviceAccountName" => self
                .pod
                .spec
                .as_ref()
                .and_then(|s| s.service_account_name.clone()),
            "status.podIP" | "status.hostIP" => Some("127.0.0.1".to_owned()),
            other => return Err(Error::Unsupported(format!("the field {other}"))),
        };
        Ok(value.unwrap_or_default())
    }

    async fn value(&self, variable: &EnvVar) -> Result<String, Error> {
        let Some(from) = &variable.value_from else {
            return Ok(variable.value.clone().unwrap_or_default());
        };
        if let Some(field) = &from.field_ref {
            return self.field(&field.field_path);
        }
        let (mut all, key) = if let Some(key) = &from.config_map_key_ref {
            (self.config_map(&key.name).await?, &key.key)
        } else if let Some(key) = &from.secret_key_ref {
            (self.secret(&key.name).await?, &key.key)
        } else {
            return Err(Error::Unsupported(format!(
                "the source of the variable {}",
                variable.name
            )));
        };
        all.remove(key)
            .ok_or_else(|| Error::Unsupported(format!("the key {key} is not there")))
    }
}

/// What the process has to reach besides the API server: the endpoints on 127.0.0.1 that its environment names.
pub fn endpoints(env: &BTreeMap<String, String>) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = env
        .values()
        .filter_map(|value| value.strip_prefix("http://"))
        .filter_map(|rest| rest.split('/').next()?.parse().ok())
        .filter(|address: &SocketAddr| address.ip().is_loopback())
        .collect();
    all.sort();
    all.dedup();
    all
}
