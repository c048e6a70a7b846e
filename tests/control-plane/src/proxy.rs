//! A TCP proxy on loopback that can be cut or fall silent. In: connections; out: the same bytes to and from the
//! API server. Does network IO.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Error;

/// A way to the API server for one client, to be cut without touching others.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    open: watch::Sender<bool>,
    silence: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Result<Self, Error> {
        let io = |reason| Error::Io {
            what: "the proxy".to_owned(),
            reason,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(io)?;
        let address = listener.local_addr().map_err(io)?;
        let (open, cut) = watch::channel(true);
        let (silence, silent) = watch::channel(());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut silent = silent.clone();
                silent.mark_unchanged();
                tokio::spawn(carry(client, to, cut.clone(), silent));
            }
        });
        Ok(Self {
            address,
            open,
            silence,
            task,
        })
    }

    /// Where to connect on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends every connection, and lets new ones hang as a broken network does.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// From now on nothing passes on the connections that there are, and none of them ends, as where a
    /// machine on the way was exchanged. New ones work.
    pub fn silence(&self) {
        self.silence.send_replace(());
    }

    /// Lets connections through again.
    pub fn restore(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    mut client: TcpStream,
    to: u16,
    mut open: watch::Receiver<bool>,
    mut silent: watch::Receiver<()>,
) {
    if open.wait_for(|open| *open).await.is_err() {
        return;
    }
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else {
        return;
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        () = async { drop(open.wait_for(|open| !*open).await) } => {}
        Ok(()) = silent.changed() => {
            // Both ends stay open for as long as there is a proxy.
            while silent.changed().await.is_ok() {}
        }
    }
}
