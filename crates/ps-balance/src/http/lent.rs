//! A connection to a backend, borrowed from the pool for one request.

use std::sync::Arc;

use crate::balancer::Balancer;
use crate::claim::Claim;
use crate::connection::Connection;
use crate::http::line::Line;

/// A connection to a backend while one answer comes through it.
#[derive(Debug)]
pub(crate) struct Lent {
    pub(crate) balancer: Arc<Balancer>,
    pub(crate) claim: Claim,
    pub(crate) line: Line,
    /// The connection of the client, with HTTP/1.
    pub(crate) of: Option<Arc<Connection>>,
}

impl Lent {
    /// The answer is there as a whole. One that is dropped instead is closed.
    pub(crate) fn give_back(self) {
        let Self { balancer, claim, line, of } = self;
        if let Some(connection) = of {
            connection.be_amid(false);
        }
        // The line goes back first: if the backend is being drained, its line is closed before the drained backend is
        // reported.
        balancer.keep(claim.key, line);
        drop(claim);
    }
}
