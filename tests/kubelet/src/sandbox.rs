//! One container in namespaces of its own, made by unshare(1): a [`Plan`] in, the exit status of its process out.
//! Mounts, changes the user, starts the process, and carries connections in and out of its network.

use std::convert::Infallible;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use rustix::mount::{
    MountFlags, MountPropagationFlags, mount_bind_recursive, mount_change, mount_remount,
};
use rustix::process::{
    Gid, Pid, Signal, Uid, chdir, chroot, kill_process, set_parent_process_death_signal,
};
use rustix::system::sethostname;
use rustix::thread::{set_no_new_privs, set_thread_gid, set_thread_groups, set_thread_uid};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::container::{Plan, SERVICE};
use crate::{Error, forward, io, json};

/// What a container finds in /dev.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

fn read(plan: &Path) -> Result<Plan, Error> {
    let name = plan.display().to_string();
    let text = std::fs::read_to_string(plan).map_err(io(&name))?;
    serde_json::from_str(&text).map_err(json(name))
}

/// Runs the container until its process ends; SIGTERM goes to it.
pub fn run(file: &Path) -> Result<ExitCode, Error> {
    // Whoever kills the kubelet ends its containers too.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(io("prctl"))?;
    let plan = read(file)?;
    sethostname(plan.hostname.as_bytes()).map_err(io("the hostname"))?;
    network()?;
    mount_all(&plan)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let status = runtime
        .map_err(io("the runtime"))?
        .block_on(attend(&plan, file))?;
    Ok(match status.code() {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::from(137),
    })
}

/// A loopback, with the address of the API server's Service on it.
fn network() -> Result<(), Error> {
    for arguments in [
        vec!["link", "set", "lo", "up"],
        vec!["address", "add", SERVICE, "dev", "lo"],
    ] {
        let status = Command::new("ip")
            .args(&arguments)
            .status()
            .map_err(io("ip"))?;
        if !status.success() {
            return Err(Error::Unsupported(format!(
                "ip {} failed",
                arguments.join(" ")
            )));
        }
    }
    Ok(())
}

fn bind(from: &Path, to: &Path, read_only: bool) -> Result<(), Error> {
    let failed = |what: &str| io(format!("{what} {} at {}", from.display(), to.display()));
    mount_bind_recursive(from, to).map_err(failed("mounting"))?;
    if read_only {
        make_read_only(to)?;
    }
    Ok(())
}

/// The mount, not what lies below it.
fn make_read_only(at: &Path) -> Result<(), Error> {
    mount_remount(at, MountFlags::BIND | MountFlags::RDONLY, "")
        .map_err(io(format!("mounting {} read-only", at.display())))
}

/// The container's files. What it is mounted at is made first: the root becomes read-only last.
fn mount_all(plan: &Plan) -> Result<(), Error> {
    let alone = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", alone).map_err(io("a mount namespace of its own"))?;
    bind(&plan.root, &plan.root, false)?;
    let inside = |path: &str| plan.root.join(path.trim_start_matches('/'));
    let make = |path: &Path| std::fs::create_dir_all(path).map_err(io(path.display().to_string()));
    make(&inside("proc"))?;
    bind(Path::new("/proc"), &inside("proc"), true)?;
    make(&inside("dev"))?;
    for name in DEVICES {
        let to = inside(&format!("dev/{name}"));
        std::fs::write(&to, "").map_err(io(to.display().to_string()))?;
        bind(&Path::new("/dev").join(name), &to, false)?;
    }
    for each in &plan.mounts {
        let to = inside(&each.to);
        make(&to)?;
        bind(&each.from, &to, !each.writable)?;
    }
    if plan.read_only {
        make_read_only(&plan.root)?;
    }
    Ok(())
}

/// Connections go in and out for as long as the process runs.
async fn attend(plan: &Plan, file: &Path) -> Result<ExitStatus, Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(io("SIGTERM"))?;
    let mut connections = JoinSet::new();
    for (address, socket) in &plan.outward {
        let listener = TcpListener::bind(address).map_err(io(address.to_string()))?;
        connections.spawn(forward::outward(listener, socket.clone())?);
    }
    let (socket, port) = &plan.inward;
    let listener =
        tokio::net::UnixListener::bind(socket).map_err(io(socket.display().to_string()))?;
    connections.spawn(forward::inward(
        listener,
        SocketAddr::from((Ipv6Addr::LOCALHOST, *port)),
    ));
    let mut child = tokio::process::Command::new(own_program()?)
        .arg("enter")
        .arg(file)
        .kill_on_drop(true)
        .spawn()
        .map_err(io("the container's process"))?;
    loop {
        tokio::select! {
            biased;
            ended = child.wait() => return ended.map_err(io("the container's process")),
            _ = terminate.recv() => {
                terminate_child(&child);
            }
        }
    }
}

/// SIGTERM. It may have ended meanwhile.
pub fn terminate_child(child: &Child) {
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(id) = id.and_then(Pid::from_raw) {
        let _ = kill_process(id, Signal::TERM);
    }
}

/// This program, by a path that holds in every mount namespace.
pub fn own_program() -> Result<PathBuf, Error> {
    std::env::current_exe().map_err(io("the path of this program"))
}

/// Becomes the container's process: this one, in the root, as the user, with the environment.
pub fn enter(file: &Path) -> Result<Infallible, Error> {
    let plan = read(file)?;
    chroot(&plan.root).map_err(io("chroot"))?;
    chdir("/").map_err(io("chdir"))?;
    let groups: Vec<Gid> = plan.groups.iter().copied().map(Gid::from_raw).collect();
    set_thread_groups(&groups).map_err(io("setgroups"))?;
    set_thread_gid(Gid::from_raw(plan.group)).map_err(io("setgid"))?;
    // From root to another user: every capability goes.
    set_thread_uid(Uid::from_raw(plan.user)).map_err(io("setuid"))?;
    if plan.no_new_privileges {
        set_no_new_privs(true).map_err(io("no_new_privs"))?;
    }
    // Changing the user would clear it.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(io("prctl"))?;
    let Some((program, arguments)) = plan.command.split_first() else {
        return Err(Error::Unsupported(
            "neither Pod nor image has a command".to_owned(),
        ));
    };
    let failed = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&plan.env)
        .exec();
    Err(io(program.clone())(failed))
}
