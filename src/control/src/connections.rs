//! Connections of the admin server, bounded in number and in patience.
//!
//! axum accepts without a limit and waits for a request without end. Here a connection needs a permit, and ends
//! when nothing moved on it for [`ADMIN_IDLE`]; past the permits, connections wait in the kernel's queue.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use crate::limits::{ADMIN_CONNECTIONS, ADMIN_IDLE};

/// A listener that holds the limits.
pub(crate) struct Bounded {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    idle: Duration,
}

impl Bounded {
    /// With the limits of [`crate::limits`].
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self { listener, permits: Arc::new(Semaphore::new(ADMIN_CONNECTIONS)), idle: ADMIN_IDLE }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else { continue };
            // axum's own listener waits and tries again where accepting fails (no descriptors left).
            let (stream, address) = Listener::accept(&mut self.listener).await;
            let connection = Connection { stream, idle: self.idle, timer: Box::pin(sleep(self.idle)), _permit: permit };
            return (connection, address);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    /// Passes a result on; where nothing moved, looks at the timer.
    fn watch<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            let deadline = Instant::now() + self.idle;
            self.timer.as_mut().reset(deadline);
            return result;
        }
        match self.timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watch(context, result)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, data);
        self.watch(context, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn a_silent_connection_ends_and_gives_its_permit_back() {
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let permits = Arc::new(Semaphore::new(1));
            let mut bounded = Bounded { listener, permits: Arc::clone(&permits), idle: Duration::from_millis(30) };
            let mut client = TcpStream::connect(address).await.unwrap();
            let (mut connection, _) = bounded.accept().await;
            assert_eq!(permits.available_permits(), 0);
            client.write_all(b"GET").await.unwrap();
            let mut buffer = [0; 16];
            assert_eq!(connection.read(&mut buffer).await.unwrap(), 3);
            let error = connection.read(&mut buffer).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            drop(connection);
            assert_eq!(permits.available_permits(), 1);
        });
    }

    #[test]
    fn past_the_permits_a_connection_waits() {
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let idle = Duration::from_secs(5);
            let mut bounded = Bounded { listener, permits: Arc::new(Semaphore::new(1)), idle };
            let _clients = (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
            let first = bounded.accept().await;
            let second = tokio::time::timeout(Duration::from_millis(50), bounded.accept()).await;
            assert!(second.is_err());
            drop(first);
            bounded.accept().await;
        });
    }
}
