//! The program `control-plane`: starts a control plane for the demo, writes where its kubeconfig
//! is, and runs until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use control_plane::ControlPlane;
use tokio::signal::unix::{SignalKind, signal};

/// Starts a real etcd and kube-apiserver on free loopback ports, until SIGTERM or SIGINT.
#[derive(Parser)]
struct Arguments {
    /// Where the path of the administrator's kubeconfig is written once the API server is ready
    #[arg(long)]
    ready_file: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("control-plane: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Arguments { ready_file }: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let plane = ControlPlane::start().await?;
    let kubeconfig = plane.admin_kubeconfig().display().to_string();
    // Renamed into place: who waits for the file finds all of it.
    let half = ready_file.with_extension("part");
    std::fs::write(&half, &kubeconfig)?;
    std::fs::rename(&half, &ready_file)?;
    println!("{kubeconfig}");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
