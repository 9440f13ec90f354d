//! Reads the numbers that `ps-balance` has counted for an app's address.

use balance::wire::Numbers;
use formation::Slot;

use crate::service::Service;

impl Service {
    /// The numbers that `ps-balance` has counted since it was started. `None` if none runs, because there was no connection for a while, or
    /// if it does not answer within a second. Asking starts no `ps-balance`.
    pub fn balance_numbers(&self) -> Option<Numbers> {
        ps_supervisor::balance_numbers(&self.directory)
    }
}

/// The slot of a backend, from its name in the numbers of `ps-balance`: a run of a supervisor is `web.1@17`, a container or a task of a swarm
/// `web.1:` and the beginning of its id. `None` for another name.
pub fn slot_of_backend(id: &str) -> Option<Slot> {
    id.split(['@', ':']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::slot_of_backend;

    #[test]
    fn the_backends_of_every_scheduler_have_a_slot() {
        let slot = |id| slot_of_backend(id).map(|slot| slot.to_string());
        for id in ["web.2@17", "web.2:50f05446b1ab", "web.2"] {
            assert_eq!(slot(id).as_deref(), Some("web.2"), "{id}");
        }
        assert_eq!((slot("elsewhere"), slot("")), (None, None));
    }
}
