//! A real control plane for tests and the demo: nothing in, a running etcd and kube-apiserver on
//! free loopback ports out. Starts processes; they end with the value, or with the process that
//! made it, however that ends.

mod audit;
mod error;
mod etcd;
mod proxy;
mod start;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Output;

use kube::{Client, Config};
use tokio::process::Command;

pub use audit::AuditEvent;
pub use error::Error;
pub use proxy::Proxy;
use start::{For, NAMESPACE_CONTROLLERS, POD_CONTROLLERS, Running};
pub use start::{Servers, free_ports};

/// A running etcd and kube-apiserver.
#[derive(Debug)]
pub struct ControlPlane {
    running: Running,
    config: Config,
}

impl ControlPlane {
    /// Starts both and waits until the API server is ready.
    pub async fn start() -> Result<Self, Error> {
        Self::start_for(For::Objects).await
    }

    /// The same, with the controllers that make Pods of Deployments and what Pods need, and with an audit
    /// log of all that ServiceAccounts ask for. What runs the Pods is [`Self::add`]ed.
    pub async fn start_for_pods() -> Result<Self, Error> {
        let plane = Self::start_for(For::Pods).await?;
        plane.running.start_controllers(POD_CONTROLLERS)?;
        Ok(plane)
    }

    async fn start_for(purpose: For) -> Result<Self, Error> {
        let running = start::start(purpose).await?;
        let config = running.admin_config().await?;
        Ok(Self { running, config })
    }

    /// Starts a further process by a command line of the shell; it is killed when the control plane ends.
    pub fn add(&self, command: &str) -> Result<(), Error> {
        self.running.add(command)
    }

    /// A directory that goes with the control plane.
    pub fn directory(&self) -> &Path {
        self.running.dir.path()
    }

    /// A client of the cluster's administrator, for the runtime that calls.
    pub fn client(&self) -> Result<Client, Error> {
        Ok(Client::try_from(self.config.clone())?)
    }

    /// The administrator's kubeconfig.
    pub fn admin_kubeconfig(&self) -> &Path {
        &self.running.admin_kubeconfig
    }

    /// Where kubectl is, for who runs it from a shell.
    pub fn binaries(&self) -> &Path {
        &self.running.binaries
    }

    /// The port of the API server on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.running.api_port
    }

    /// A kubeconfig with a fresh token of a ServiceAccount, which must exist.
    pub async fn service_account_kubeconfig(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<PathBuf, Error> {
        self.service_account_kubeconfig_at(namespace, name, self.port())
            .await
    }

    /// The same through another port, such as a [`Proxy`]'s.
    pub async fn service_account_kubeconfig_at(
        &self,
        namespace: &str,
        name: &str,
        port: u16,
    ) -> Result<PathBuf, Error> {
        let token = self
            .kubectl(&[
                "create",
                "token",
                name,
                "--namespace",
                namespace,
                "--duration",
                "24h",
            ])
            .await?;
        self.running
            .write_kubeconfig(&format!("{namespace}-{name}-{port}"), token.trim(), port)
    }

    /// Runs kubectl as the administrator; what it printed, or what it said of the failure.
    pub async fn kubectl<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<String, Error> {
        let output = self.kubectl_output(arguments).await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::Kubectl(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ))
    }

    /// Runs kubectl as the administrator, whatever it comes to.
    pub async fn kubectl_output<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Output, Error> {
        let mut command = Command::new(self.running.binaries.join("kubectl"));
        command
            .arg("--kubeconfig")
            .arg(self.admin_kubeconfig())
            .args(arguments);
        // Discovery is cached below HOME by default, where another cluster may have left its own.
        command
            .arg("--cache-dir")
            .arg(self.running.dir.path().join("kubectl-cache"));
        command
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|reason| Error::Io {
                what: "kubectl".to_owned(),
                reason,
            })
    }

    /// Every write, and every request about a Lease, that the API server has answered so far, in order.
    pub fn audit_events(&self) -> Result<Vec<AuditEvent>, Error> {
        audit::read(&self.running.audit_log(), "")
    }

    /// Those about objects in one namespace.
    pub fn audit_events_in(&self, namespace: &str) -> Result<Vec<AuditEvent>, Error> {
        audit::read(&self.running.audit_log(), namespace)
    }

    /// Stores an object in etcd as it is, with a uid and a status, past the API server, which serves
    /// it from then on. `resource` is such as `example.com/things`.
    pub async fn store(
        &self,
        resource: &str,
        namespace: &str,
        name: &str,
        object: &serde_json::Value,
    ) -> Result<(), Error> {
        let key = format!("/registry/{resource}/{namespace}/{name}");
        etcd::put(self.running.etcd_port, &key, object).await
    }

    /// A loopback proxy to the API server that can be cut.
    pub async fn proxy(&self) -> Result<Proxy, Error> {
        Proxy::start(self.port()).await
    }

    /// Starts the controllers that delete a namespace's contents; they end with the control plane.
    pub fn start_namespace_controller(&self) -> Result<(), Error> {
        self.running.start_controllers(NAMESPACE_CONTROLLERS)
    }
}
