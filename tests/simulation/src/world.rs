//! The world of one story: two servers, the replicas of the program, and who else is there. A setting enters;
//! whoever acts gets handles. No IO.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api_emulator::{ApiServer, Config as ApiConfig, Resource, Snapshot as Backup};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use clap::Parser as _;
use iam_emulator::connector::Connector;
use iam_emulator::{Config, Emulator, Enforced, PolicyDocument, Principal};
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::json;
use session_manager_role::cli::Cli;
use session_manager_role::controller::{Edges, RunError, Settings, run};
use session_manager_role::telemetry::metrics::Metrics;
use tokio::sync::Notify;
use tokio::time::sleep;
use tower::Layer as _;

use crate::asked::{ACCOUNT, CLUSTER, CLUSTER_UID};
use crate::clock::{EPOCH, MachineClock, WorldClock};
use crate::deeds::{LAMBDA, READ_S3};
use crate::edges::{ApiEdge, IamEdge, Process};
use crate::link::Link;
use crate::oracle::{Oracle, Setting};
use crate::witness::Witness;

/// Whoever has rights in the account beside the controller.
const SOMEONE: &str = "AKIASOMEONE";
/// People with rights in the cluster.
const PEOPLE: &str = "people";
/// The namespace of the objects.
pub const NAMESPACE: &str = "team";
/// As the program gives up on the connection of a watch.
const WATCH_READ_TIMEOUT: Duration = Duration::from_secs(55);

/// The world.
pub struct World {
    /// What time it is.
    pub clock: WorldClock,
    /// The API server.
    pub api: ApiServer,
    /// IAM.
    pub iam: Emulator,
    /// People's access to the API server.
    pub people: Client,
    /// Somebody's access to IAM.
    pub someone: aws_sdk_iam::Client,
    /// Who sees everything.
    pub witness: Witness,
    /// How the program is started.
    settings: Settings,
    rights: Rights,
    replicas: Vec<Replica>,
    /// What the API server held when somebody backed it up last.
    backup: Mutex<Option<Backup>>,
}

/// One replica: a process after the other.
#[derive(Clone)]
pub struct Replica {
    /// Its machine's clock.
    pub clock: MachineClock,
    now: Arc<Mutex<Option<Running>>>,
    asked_to_stop: Arc<Notify>,
    pause: Arc<Mutex<Duration>>,
}

/// The process that runs now.
#[derive(Clone)]
pub struct Running {
    /// As the servers know it.
    pub process: Process,
    /// What it measures.
    pub metrics: Arc<Metrics>,
}

/// What IAM lets the controller do.
#[derive(Clone)]
struct Rights {
    policy: PolicyDocument,
    role: Principal,
    in_force: Arc<Mutex<BTreeMap<String, Enforced>>>,
}

/// The controller's flags in every story: those that are shipped, and what the specs need.
fn flags() -> Vec<String> {
    let given = [
        "smr",
        "run",
        "--tag=cost-center=7",
        "--allow-additional-policy=arn:aws*:iam::aws:policy/*",
        "--leader-elect",
        "--lease-namespace=kube-system",
    ];
    let mut flags: Vec<String> = given.map(str::to_owned).to_vec();
    flags.push(format!("--cluster-name={CLUSTER}"));
    flags
}

impl World {
    /// A world with two servers, what others have in the account, and no replica yet.
    pub async fn new(setting: Setting, keeps: bool) -> Self {
        let clock = WorldClock::new();
        let api = ApiServer::new(ApiConfig {
            epoch: EPOCH,
            kube_system_uid: CLUSTER_UID.to_owned(),
            page_size: 500,
        });
        let iam = Emulator::new(Config {
            account_id: ACCOUNT.to_owned(),
            partition: setting.partition.to_owned(),
            epoch: Some(EPOCH),
            ..Config::default()
        });
        let mut settings = Cli::try_parse_from(flags())
            .unwrap()
            .settings()
            .unwrap()
            .unwrap();
        settings.resync_interval = setting.interval;
        settings.requests_per_second = setting.calls_per_second;
        let rights = Rights::of_the_controller(setting.partition);
        let oracle = Oracle::new(setting);
        let witness = Witness::new(clock, &iam, &api, oracle, keeps);
        let config = sdk_config(
            SOMEONE,
            SharedHttpClient::new(Connector::new(&iam)),
            MachineClock::new(clock),
        );
        let world = Self {
            clock,
            people: api.client(PEOPLE),
            someone: aws_sdk_iam::Client::new(&config),
            api,
            iam,
            witness,
            settings,
            rights,
            replicas: Vec::new(),
            backup: Mutex::default(),
        };
        world.furnish().await;
        world
    }

    /// What is there before the controller comes.
    async fn furnish(&self) {
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.people.clone());
        let namespace = serde_json::from_value(json!({"metadata": {"name": NAMESPACE}})).unwrap();
        namespaces
            .create(&PostParams::default(), &namespace)
            .await
            .unwrap();
        for name in ["cap", "theirs"] {
            let create = self.someone.create_policy().policy_name(name);
            create.policy_document(READ_S3).send().await.unwrap();
        }
        let admin = self.someone.create_role().role_name("admin");
        admin
            .assume_role_policy_document(LAMBDA)
            .send()
            .await
            .unwrap();
        self.witness.look();
    }

    /// Starts one more replica.
    pub fn start(&mut self) {
        let replica = Replica {
            clock: MachineClock::new(self.clock),
            now: Arc::default(),
            asked_to_stop: Arc::default(),
            pause: Arc::new(Mutex::new(Duration::from_secs(1))),
        };
        let number = self.replicas.len() + 1;
        let life = Life {
            number,
            replica: replica.clone(),
            settings: self.settings.clone(),
            rights: self.rights.clone(),
            api: self.api.clone(),
            iam: self.iam.clone(),
            witness: self.witness.clone(),
        };
        tokio::spawn(life.lives());
        self.replicas.push(replica);
    }

    /// A replica, counted from 0 and around.
    pub fn replica(&self, number: usize) -> &Replica {
        &self.replicas[number % self.replicas.len()]
    }

    /// How many there are.
    pub fn replicas(&self) -> usize {
        self.replicas.len()
    }

    /// The process that leads, if any.
    pub fn leader(&self) -> Option<Running> {
        let leader = self.witness.leader()?;
        let mut running = self.replicas.iter().filter_map(Replica::running);
        running.find(|running| running.process.name == leader)
    }

    /// Keeps what the API server holds now.
    pub fn back_up(&self) {
        *locked(&self.backup) = Some(self.api.snapshot());
    }

    /// What was kept last.
    pub fn backup(&self) -> Option<Backup> {
        locked(&self.backup).clone()
    }

    /// The objects as the API server holds them.
    pub fn roles(&self) -> Vec<Arc<serde_json::Value>> {
        self.api.list(Resource::Roles)
    }
}

impl Replica {
    /// The process that runs now.
    pub fn running(&self) -> Option<Running> {
        locked(&self.now).clone()
    }

    /// Its connections now.
    pub fn link(&self) -> Option<Link> {
        self.running().map(|running| running.process.link)
    }

    /// Kills the process; the next one comes after `pause`.
    pub fn kill(&self, pause: Duration) {
        *locked(&self.pause) = pause;
        if let Some(link) = self.link() {
            link.die();
        }
    }

    /// Asks the process to stop; the next one comes after `pause`.
    pub fn stop(&self, pause: Duration) {
        *locked(&self.pause) = pause;
        self.asked_to_stop.notify_one();
    }
}

/// What a replica's processes are made of.
struct Life {
    number: usize,
    replica: Replica,
    settings: Settings,
    rights: Rights,
    api: ApiServer,
    iam: Emulator,
    witness: Witness,
}

impl Life {
    /// One process after the other, as a kubelet restarts them.
    async fn lives(self) {
        for time in 1_u32.. {
            let name = format!("replica-{}.{time}", self.number);
            let process = Process {
                access_key: format!("AKIA{}X{time:06}", self.number),
                link: Link::default(),
                name,
            };
            self.witness.line(&format!("{} starts", process.name));
            let how = self.one(&process).await;
            process.link.die();
            self.api.kill(&process.name);
            *locked(&self.replica.now) = None;
            self.witness.line(&format!("{} {how}", process.name));
            let pause = *locked(&self.replica.pause);
            sleep(pause).await;
        }
    }

    /// How a process ends.
    async fn one(&self, process: &Process) -> String {
        let metrics = Arc::new(Metrics::new().unwrap());
        let mut settings = self.settings.clone();
        if let Some(lease) = &mut settings.lease {
            lease.identity.clone_from(&process.name);
        }
        self.rights.begin(process, &self.iam);
        *locked(&self.replica.now) = Some(Running {
            process: process.clone(),
            metrics: metrics.clone(),
        });
        let edges = self.edges(process, metrics);
        let shutdown = self.replica.asked_to_stop.notified();
        let running = run(settings, edges, shutdown);
        tokio::select! {
            biased;
            () = process.link.killed() => "is killed".to_owned(),
            ended = running => match ended {
                Ok(()) => "has stopped".to_owned(),
                Err(RunError::LeaseLost) => "ends: the Lease was lost".to_owned(),
                Err(error) => {
                    let why = format!("ends: {error}");
                    self.witness.broken(why.clone());
                    why
                }
            },
        }
    }

    fn edges(&self, process: &Process, metrics: Arc<Metrics>) -> Edges {
        let edge = ApiEdge::new(process, &self.api, &self.witness);
        let watch = edge.clone().giving_up_after(WATCH_READ_TIMEOUT);
        let counted = metrics.api_requests().clone();
        let kube = Client::new(counted.layer(edge), "default");
        let iam = IamEdge::new(process, &self.iam, &self.witness);
        let config = sdk_config(
            &process.access_key,
            SharedHttpClient::new(iam),
            self.replica.clock.clone(),
        );
        Edges {
            kube,
            watch: Box::new(move |_heartbeat| {
                Ok(Client::new(counted.layer(watch.clone()), "default"))
            }),
            aws: Box::pin(std::future::ready(config)),
            server: None,
            clock: Arc::new(self.replica.clock.clone()),
            metrics,
        }
    }
}

/// The real SDK with the simulation's time, and no file or network of its own.
fn sdk_config(access_key: &str, http: SharedHttpClient, clock: MachineClock) -> SdkConfig {
    let credentials = Credentials::new(access_key, "not-a-secret", None, None, "simulation");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .time_source(SharedTimeSource::new(clock))
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

impl Rights {
    /// The policy that the program prints for these flags.
    fn of_the_controller(partition: &str) -> Self {
        let flags = [
            "smr",
            "controller-policy",
            "--without-boundary",
            &format!("--additional-policy-arn=arn:{partition}:iam::aws:policy/*"),
            &format!("--cluster-name={CLUSTER}"),
            &format!("--account-id={ACCOUNT}"),
            &format!("--partition={partition}"),
        ];
        let cli = Cli::try_parse_from(flags).unwrap();
        let role = format!("arn:{partition}:iam::{ACCOUNT}:role/session-manager-role");
        Self {
            policy: cli.controller_policy().unwrap().unwrap().parse().unwrap(),
            role: role.parse().unwrap(),
            in_force: Arc::default(),
        }
    }

    fn begin(&self, process: &Process, iam: &Emulator) {
        let enforced = Enforced {
            access_key_id: process.access_key.clone(),
            principal_arn: self.role.clone(),
            policy: self.policy.clone(),
            boundary: None,
            scps: Vec::new(),
        };
        let mut in_force = locked(&self.in_force);
        // What a dead process has sent may be on its way still, but not for so long.
        if in_force.len() >= 16 {
            in_force.pop_first();
        }
        in_force.insert(process.access_key.clone(), enforced);
        iam.set_enforced(in_force.values().cloned().collect());
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
