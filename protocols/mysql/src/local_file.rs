//! `LOAD DATA LOCAL INFILE`: the server asks the client for a file of the client's machine.
//!
//! ```text
//!   server: file name ──guard──┬─ allowed ──► client: data … empty ──► server: OK or ERR
//!                              └─ refused ──► server gets an empty file, the client our ERR;
//!                                             what the server still says is swallowed
//! ```
//!
//! A server takes whatever comes next for the file. So a client that has sent more commands by then has
//! broken the protocol: what was judged as a statement would be read as data, and the other way round.
//!
//! Source: MySQL documentation, "LOCAL INFILE Request".

use wire::fault::Fault;
use wire::guard::{Guard, Outcome};

use crate::capability::Capabilities;
use crate::packet;
use crate::pipeline::{Answer, Entry};
use crate::reply;
use crate::server::{Message, Phase, out_of_turn};
use crate::session::{Output, Session};

impl<G: Guard> Session<G> {
    /// The server's request.
    pub(crate) fn local_file(&mut self, message: Message<'_>, guard: &mut G, out: &mut Output) -> Result<(), Fault> {
        if !self.options.client.has(Capabilities::LOCAL_FILES) {
            return Err(out_of_turn());
        }
        if self.pipeline.len() > 1 || !self.client.between_messages() {
            let text = "a command was sent while the server waited for a local file";
            return Err(Fault::client("command_during_local_file", text));
        }
        let Some(Entry::Run(run)) = self.pipeline.front_mut() else { return Err(out_of_turn()) };
        let name = message.payload.get(1..).unwrap_or_default();
        let denial = match guard.local_file(&run.statement, name) {
            // Only the rest of a command that was refused in its middle may ask again.
            Ok(()) if !run.silenced => {
                self.server.phase = Phase::File { name: name.into(), ended: false };
                self.client.sends_file = true;
                self.client.file_bytes = 0;
                self.pass(&message, out);
                self.client.next_seq = self.server.next_seq;
                // It has no word before the file has ended.
                self.server.expected = None;
                return Ok(());
            }
            Ok(()) => None,
            Err(denial) => Some(denial),
        };
        let mut seq = message.seq.wrapping_add(1);
        out.to_server.write_owned(|owned| packet::write(owned, &mut seq, |_| ()));
        self.server.expected = Some(seq);
        if let Some(denial) = denial {
            let (code, sqlstate) = reply::denial_code(&denial);
            let silenced = run.silenced;
            if !silenced {
                // The record names what was asked for: a server that asks for files is worth knowing.
                guard.local_file_refused(&mut run.execution, name, &denial);
                let mut seq = message.seq.wrapping_add(self.server.shift);
                out.to_client.write_owned(|owned| Answer::Denial(Box::new(denial)).write(owned, &mut seq));
                let outcome = Outcome { sqlstate: Some(sqlstate), error_code: Some(code), ..Outcome::default() };
                self.report(&outcome, guard);
            }
        }
        if let Some(Entry::Run(run)) = self.pipeline.front_mut() {
            run.silenced = true;
            // Nobody sees its rows.
            run.wants = false;
        }
        self.server.phase = Phase::File { name: Box::default(), ended: true };
        Ok(())
    }

    /// The client has sent the last of a file.
    pub(crate) fn file_ended(&mut self, guard: &mut G) {
        self.client.sends_file = false;
        self.server.expected = Some(self.client.next_seq.wrapping_sub(self.server.shift));
        let bytes = self.client.file_bytes;
        if let Phase::File { name, ended } = &mut self.server.phase
            && let Some(Entry::Run(run)) = self.pipeline.front_mut()
        {
            *ended = true;
            guard.local_file_sent(&mut run.execution, name, bytes);
        }
    }
}
