//! What the seats of one supervisor share: what is wanted, and what was read of the machine. Much of that costs as much for
//! one instance as for 300, so it is read at most once in a turn, when the first seat asks for it.

use os_process::Census;

use crate::descriptors::Descriptors;
use crate::environment::Environments;
use crate::marks::MARKER;
use crate::ports::Claims;
use crate::spec::Spec;

/// What every seat of a supervisor is run with.
#[derive(Debug)]
pub(crate) struct Means {
    /// What is wanted.
    pub(crate) spec: Spec,
    /// The processes of the machine.
    pub(crate) census: Census,
    /// The ports that instances keep.
    pub(crate) claims: Claims,
    /// What the env files say.
    pub(crate) environments: Environments,
    /// How many descriptors there are.
    pub(crate) descriptors: Descriptors,
}

impl Means {
    /// Nothing of the machine has been read yet.
    pub(crate) fn new(spec: Spec, descriptors: Descriptors) -> Self {
        let (claims, environments) = Default::default();
        let census = Census::new(MARKER);
        Self { spec, census, claims, environments, descriptors }
    }

    /// A new turn begins: what was read of the machine is out of date.
    pub(crate) fn begin_turn(&mut self) {
        self.census.begin_turn();
        self.claims.release();
        self.environments.forget();
    }
}
