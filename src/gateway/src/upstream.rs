//! Where a listener's server is: a host and port, looked up, or a Unix socket.
//!
//! Names are looked up when the gateway starts and again, on a thread of its own, when no address answers:
//! a shard never waits for a name server.

use std::io;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use policy::config::Upstream as UpstreamAddress;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::shard::Shared;

/// Least time between two look-ups of one name.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(5);

/// A server and the addresses it was last found at.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: UpstreamAddress,
    found: Vec<SockAddr>,
    looked_up: Instant,
    looking_up: Arc<AtomicBool>,
}

impl Upstream {
    /// Looks the server's name up; waits for the name server.
    pub(crate) fn find(address: &UpstreamAddress) -> io::Result<Self> {
        Ok(Self {
            address: address.clone(),
            found: look_up(address)?,
            looked_up: Instant::now(),
            looking_up: Arc::new(AtomicBool::new(false)),
        })
    }

    /// The addresses to try, in order.
    pub(crate) fn addresses(&self) -> Vec<SockAddr> {
        self.found.clone()
    }
}

/// Looks a listener's server up again in the background, unless that was just done.
pub(crate) fn refresh(shared: &Arc<Shared>, listener: usize) {
    let Some(entry) = shared.listeners.get(listener) else { return };
    let Ok(upstream) = entry.upstream.lock() else { return };
    let named = matches!(upstream.address, UpstreamAddress::Tcp { .. });
    if !named || upstream.looked_up.elapsed() < LOOKUP_INTERVAL || upstream.looking_up.swap(true, Ordering::Relaxed) {
        return;
    }
    let address = upstream.address.clone();
    let busy = Arc::clone(&upstream.looking_up);
    let shared = Arc::clone(shared);
    drop(upstream);
    let work = move || {
        let found = look_up(&address);
        if let Some(Ok(mut upstream)) = shared.listeners.get(listener).map(|entry| entry.upstream.lock()) {
            upstream.looked_up = Instant::now();
            match found {
                Ok(found) => upstream.found = found,
                Err(error) => tracing::warn!(%error, "the name of a database server could not be looked up"),
            }
        }
        busy.store(false, Ordering::Relaxed);
    };
    if let Err(error) = std::thread::Builder::new().name("lookup".into()).spawn(work) {
        tracing::warn!(%error, "no thread for looking a database server's name up");
    }
}

fn look_up(address: &UpstreamAddress) -> io::Result<Vec<SockAddr>> {
    match address {
        UpstreamAddress::Unix(path) => Ok(vec![SockAddr::unix(path)?]),
        UpstreamAddress::Tcp { host, port } => {
            let found: Vec<SockAddr> = (&**host, *port).to_socket_addrs()?.map(SockAddr::from).collect();
            if found.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
            }
            Ok(found)
        }
    }
}

/// A socket of the right family, not yet connected.
pub(crate) fn socket_for(address: &SockAddr) -> io::Result<Socket> {
    let tcp = address.domain() != Domain::UNIX;
    let socket = Socket::new(address.domain(), Type::STREAM, tcp.then_some(Protocol::TCP))?;
    if tcp {
        socket.set_tcp_nodelay(true)?;
        keep_alive(&socket)?;
    }
    Ok(socket)
}

/// Finds out within two minutes that the other end of an idle connection is gone.
pub(crate) fn keep_alive(socket: &Socket) -> io::Result<()> {
    let probes = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    socket.set_tcp_keepalive(&probes)
}
