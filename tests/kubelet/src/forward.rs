//! Connections across network namespaces: a socket in the file system is reached from each of them. In: where to
//! listen and where that leads; out: bytes, both ways, until the task is dropped.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;

use crate::{Error, io};

/// From an address to a socket.
pub fn outward(
    listener: std::net::TcpListener,
    to: PathBuf,
) -> Result<impl Future<Output = ()>, Error> {
    listener.set_nonblocking(true).map_err(io("a listener"))?;
    let listener = TcpListener::from_std(listener).map_err(io("a listener"))?;
    Ok(async move {
        let mut open = JoinSet::new();
        while let Ok((from, _)) = listener.accept().await {
            let to = to.clone();
            open.spawn(async move { join(from, UnixStream::connect(to).await).await });
            while open.try_join_next().is_some() {}
        }
    })
}

/// From a socket to an address.
pub async fn inward(listener: UnixListener, to: SocketAddr) {
    let mut open = JoinSet::new();
    while let Ok((from, _)) = listener.accept().await {
        open.spawn(async move { join(from, TcpStream::connect(to).await).await });
        while open.try_join_next().is_some() {}
    }
}

/// An end that can't be reached closes the other: whoever connected sees that.
async fn join<A, B>(mut a: A, b: std::io::Result<B>)
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    if let Ok(mut b) = b {
        let _ = copy_bidirectional(&mut a, &mut b).await;
    }
}
