//! docker-local on a real engine, with something between the programs and it: calls that fail, and programs and engines that die at
//! any call. After each the same verb again makes what runs what is wanted.

#[path = "containers/between.rs"]
mod between;
#[path = "containers/calls.rs"]
mod calls;
#[path = "containers/clients.rs"]
mod clients;
#[path = "containers/deaths.rs"]
mod deaths;
#[path = "containers/disk.rs"]
mod disk;
#[path = "containers/private.rs"]
mod private;
#[path = "containers/verbs.rs"]
mod verbs;

/// Whether everything is tried, and not an even sample.
fn is_long() -> bool {
    std::env::var_os("FORMATION_TEST_LONG").is_some()
}

/// All of them, or so many, as evenly as that goes.
fn sample<T: Clone>(all: &[T], most: usize) -> Vec<T> {
    if is_long() || all.len() <= most {
        return all.to_vec();
    }
    (0..most).map(|nth| all[nth * all.len() / most + all.len() / most / 2].clone()).collect()
}
