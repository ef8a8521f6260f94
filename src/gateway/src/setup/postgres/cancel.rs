//! A CancelRequest on its way to the server session that it is meant for.

use super::super::Setup;
use super::super::port::Port;
use crate::cancel::CancelKey;

impl Setup {
    /// Passes a CancelRequest on. Whatever happens, the client is answered as a server answers: by the end
    /// of the connection, after the server has ended its own, so that a client that waits knows it is done.
    pub(super) async fn pass_cancel_on(&mut self, process: u32, secret: Box<[u8]>) {
        let key = CancelKey { listener: self.listener, process, secret };
        let Some(target) = self.shard.shared.cancels.target(&key) else {
            tracing::debug!("a cancel request names no live session");
            crate::figures::refused(&self.shard, "unknown_cancel_key");
            return;
        };
        if self.send_cancel(&key, &target).await.is_ok() {
            crate::figures::on_listener(&self.shard, self.listener, |metrics| metrics.cancels += 1);
        }
    }

    async fn send_cancel(&mut self, key: &CancelKey, target: &socket2::SockAddr) -> Result<(), ()> {
        let mut server: Port = self.connect_to(target).await.map_err(|error| {
            tracing::warn!(%error, "a cancel request could not be passed on");
        })?;
        self.encrypt_server(&mut server).await.map_err(|_| {
            tracing::warn!("a cancel request could not be passed on: TLS toward the server failed");
        })?;
        let mut packet = Vec::new();
        postgres::frontend::cancel_request(&mut packet, key.process, &key.secret);
        server.send(&packet).await.map_err(|_| ())?;
        while server.fill().await.is_ok() {
            let unread = server.buffered().len();
            server.consume(unread);
        }
        Ok(())
    }
}
