//! Which server, way to authenticate and legs under TLS a client is run with.
//!
//! Four cases of the eight hold every pair of two settings: a fault that needs all three at once is rarer than
//! the minutes that the other four would take. Passthrough with TLS on both legs is not among them, because
//! SCRAM cannot work there (channel binding): the gateway says so, which is a test of its own.

use crate::gateway::{Gateway, Setup};
use crate::servers::{Endpoint, Family, Server};

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Name of the server.
    pub server: &'static str,
    /// Whether the gateway authenticates, in place of the server.
    pub gateway_auth: bool,
    /// Whether the client's leg has TLS; under gateway authentication the server's leg has it too.
    pub tls: bool,
}

/// PostgreSQL 15, passthrough, no TLS.
pub const PG15_PASSTHROUGH_PLAIN: Case = Case { server: "pg15", gateway_auth: false, tls: false };
/// PostgreSQL 15, gateway authentication, TLS on both legs.
pub const PG15_GATEWAY_TLS: Case = Case { server: "pg15", gateway_auth: true, tls: true };
/// PostgreSQL 18, passthrough, TLS on the client's leg.
pub const PG18_PASSTHROUGH_TLS: Case = Case { server: "pg18", gateway_auth: false, tls: true };
/// PostgreSQL 18, gateway authentication, no TLS.
pub const PG18_GATEWAY_PLAIN: Case = Case { server: "pg18", gateway_auth: true, tls: false };
/// MariaDB, passthrough, no TLS.
pub const MARIADB_PASSTHROUGH_PLAIN: Case = Case { server: "mariadb", gateway_auth: false, tls: false };
/// MariaDB, gateway authentication, TLS on both legs.
pub const MARIADB_GATEWAY_TLS: Case = Case { server: "mariadb", gateway_auth: true, tls: true };
/// MySQL, passthrough, TLS on both legs: a password that travels in the clear inside TLS needs both.
pub const MYSQL_PASSTHROUGH_TLS: Case = Case { server: "mysql97", gateway_auth: false, tls: true };
/// MySQL, gateway authentication, no TLS.
pub const MYSQL_GATEWAY_PLAIN: Case = Case { server: "mysql97", gateway_auth: true, tls: false };

impl Case {
    /// The server of this case.
    ///
    /// # Errors
    /// Why it cannot run here.
    pub fn find_server(self) -> Result<Server, String> {
        Server::find(self.server)
    }

    /// What a gateway before the server is started with.
    #[must_use]
    pub fn setup(self, server: &Server) -> Setup {
        let mut setup = Setup::before(server);
        if self.tls {
            setup = setup.tls_required();
        }
        if self.gateway_auth {
            setup = setup.gateway_auth();
        }
        if self.tls && (self.gateway_auth || server.family() != Family::Postgres) {
            setup = setup.upstream_tls("verify-full");
        }
        setup
    }

    /// How a client reaches the server without a gateway.
    #[must_use]
    pub fn direct(self, server: &Server, user: &str) -> Endpoint {
        server.endpoint(user, self.tls)
    }

    /// How a client reaches it through the gateway.
    #[must_use]
    pub fn through(self, gateway: &Gateway, user: &str) -> Endpoint {
        gateway.endpoint(user, self.tls)
    }
}

/// Makes a module of four tests, one for each case, from a function of one [`Case`].
#[macro_export]
macro_rules! for_each_case {
    ($name:ident, $run:path) => {
        mod $name {
            #[test]
            fn pg15_passthrough_plain() {
                $run($crate::matrix::PG15_PASSTHROUGH_PLAIN);
            }
            #[test]
            fn pg15_gateway_tls() {
                $run($crate::matrix::PG15_GATEWAY_TLS);
            }
            #[test]
            fn pg18_passthrough_tls() {
                $run($crate::matrix::PG18_PASSTHROUGH_TLS);
            }
            #[test]
            fn pg18_gateway_plain() {
                $run($crate::matrix::PG18_GATEWAY_PLAIN);
            }
        }
    };
}

/// The same from a function for clients of MySQL and MariaDB.
#[macro_export]
macro_rules! for_each_mysql_case {
    ($name:ident, $run:path) => {
        mod $name {
            #[test]
            fn mariadb_passthrough_plain() {
                $run($crate::matrix::MARIADB_PASSTHROUGH_PLAIN);
            }
            #[test]
            fn mariadb_gateway_tls() {
                $run($crate::matrix::MARIADB_GATEWAY_TLS);
            }
            #[test]
            fn mysql_passthrough_tls() {
                $run($crate::matrix::MYSQL_PASSTHROUGH_TLS);
            }
            #[test]
            fn mysql_gateway_plain() {
                $run($crate::matrix::MYSQL_GATEWAY_PLAIN);
            }
        }
    };
}

/// The four cases that [`for_each_mysql_case`] leaves out, for what is cheap enough to run in all eight.
#[macro_export]
macro_rules! for_each_other_mysql_case {
    ($name:ident, $run:path) => {
        mod $name {
            use $crate::matrix::Case;
            #[test]
            fn mariadb_passthrough_tls() {
                $run(Case { server: "mariadb", gateway_auth: false, tls: true });
            }
            #[test]
            fn mariadb_gateway_plain() {
                $run(Case { server: "mariadb", gateway_auth: true, tls: false });
            }
            #[test]
            fn mysql_passthrough_plain() {
                $run(Case { server: "mysql97", gateway_auth: false, tls: false });
            }
            #[test]
            fn mysql_gateway_tls() {
                $run(Case { server: "mysql97", gateway_auth: true, tls: true });
            }
        }
    };
}
