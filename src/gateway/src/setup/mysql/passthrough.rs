//! `auth = "passthrough"`: the database checks the client, as if Wiregate were not there.
//!
//! Every message of the exchange goes to the other side as it came, under the sequence id that this side
//! expects: with TLS on one leg only, the two legs count differently. [`Passthrough`] refuses what would take a
//! password out of TLS.

use mysql::auth::NATIVE;
use mysql::auth::passthrough::{Passthrough, Relayed};
use mysql::capability::Capabilities;
use mysql::reply::ErrPacket;
use wire::fault::Culprit;

use super::super::port::Port;
use super::super::{Setup, SetupError, client_gone, server_gone};
use super::packets::{next, reply};
use super::{Answered, leave};

impl Setup {
    /// Sends the client's answer on and relays the exchange. Returns the server's side, the payload of its OK,
    /// which the client has not been sent yet, and the name of the method.
    pub(super) async fn relay_mysql_login(
        &mut self,
        client: &mut Port,
        mut answered: Answered,
    ) -> Result<(Port, Vec<u8>, &'static str), SetupError> {
        if !answered.response.capabilities.has(Capabilities::PLUGIN_AUTH) {
            // A client that names no plugin knows this one.
            answered.response.plugin = NATIVE.into();
        }
        let response = &answered.response;
        let login = Passthrough::new(&response.plugin, &response.auth, client.tls().is_some(), answered.server_secure);
        let mut login = match login {
            Ok(login) => login,
            Err(fault) => {
                if !answered.server_secure {
                    leave(&mut answered.server, &answered.greeting).await;
                }
                return Err(fault.into());
            }
        };
        answered.response.capabilities = answered.server_capabilities;
        let mut out = Vec::new();
        answered.response.write(&mut out, &mut answered.server_seq);
        let mut server = answered.server;
        server.send(&out).await.map_err(|error| server_gone(&error))?;
        loop {
            let said = next(&mut server, Culprit::Server).await?;
            let relayed = login.on_server(&said.payload)?;
            if relayed == Relayed::Done {
                return Ok((server, said.payload.to_vec(), method(login.method())));
            }
            out.clear();
            reply(&mut out, &mut self.next_sequence, |out| out.extend_from_slice(&said.payload));
            client.send(&out).await.map_err(client_gone)?;
            match relayed {
                Relayed::Failed { code } => {
                    let sqlstate = ErrPacket::parse(&said.payload).map_or(*b"HY000", |err| err.sqlstate);
                    return Err(SetupError::ServerRefused { sqlstate, error_code: Some(code) });
                }
                Relayed::ToClient => {
                    let answer = next(client, Culprit::Client).await?;
                    login.on_client()?;
                    self.next_sequence = answer.seq.wrapping_add(1);
                    let mut seq = said.seq.wrapping_add(1);
                    out.clear();
                    reply(&mut out, &mut seq, |out| out.extend_from_slice(&answer.payload));
                    server.send(&out).await.map_err(|error| server_gone(&error))?;
                }
                Relayed::Done | Relayed::ToServer => {}
            }
        }
    }
}

/// The plugin's name for the audit, where it is one that is known.
fn method(plugin: &[u8]) -> &'static str {
    match plugin {
        b"caching_sha2_password" => "caching_sha2_password",
        b"client_ed25519" => "client_ed25519",
        b"mysql_clear_password" => "mysql_clear_password",
        b"mysql_native_password" => "mysql_native_password",
        b"parsec" => "parsec",
        b"sha256_password" => "sha256_password",
        _ => "other",
    }
}
