//! The id of a world, which distinguishes its services from those of others. Its path is not enough, because
//! two managers of one swarm may have their apps at the same path.

use std::hash::{BuildHasher, RandomState};

use durable::Directory;
use ps_apps::{Error, Scope, World};

const PLUGIN: &str = "scheduler-swarm";
const KEY: &str = "world";

/// The id; `None` where nothing was ever deployed to a swarm from here.
pub(crate) fn known(world: &World) -> Result<Option<String>, Error> {
    Ok(world.property(PLUGIN, Scope::Global, KEY)?.filter(|id| !id.is_empty()))
}

/// The id. If there is none, one is chosen and recorded.
pub(crate) fn ensured(world: &World) -> Result<String, Error> {
    if let Some(id) = known(world)? {
        return Ok(id);
    }
    // It is a lock, too: of two first deploys the later one finds what the earlier one has chosen.
    let directory = Directory::open(world.lib(), &world.config_dir(PLUGIN, Scope::Global))?;
    if let Some(id) = known(world)? {
        return Ok(id);
    }
    let random = RandomState::new();
    let id = format!("{:016x}", random.hash_one(std::process::id()));
    directory.write(KEY, format!("{id}\n").as_bytes(), world.access(Scope::Global))?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_chosen_once_and_each_world_has_another() {
        let place = tempfile::tempdir().expect("a directory");
        let world = |name: &str| {
            let (root, lib) = (place.path().join(name), place.path().join(format!("{name}-lib")));
            std::fs::create_dir_all(&root).and_then(|()| std::fs::create_dir_all(&lib)).expect("directories");
            World::new(root, lib)
        };
        let (one, other) = (world("one"), world("other"));
        assert_eq!(known(&one).expect("reads"), None);
        let id = ensured(&one).expect("writes");
        assert_eq!((id.len(), known(&one).expect("reads")), (16, Some(id.clone())));
        assert_eq!(ensured(&one).expect("reads"), id);
        assert_ne!(ensured(&other).expect("writes"), id);
    }
}
