//! A container that is made to read a file from its image is removed, even if its reader was killed.

use std::process::Command;

use formation::Which;
use ps_scheduler::{Intent, Scheduler};

use crate::place::{IMAGE, Place, SERVER, docker, shop};

/// A container that this process, or one that has died, makes. Returns its id.
fn made_by(place: &Place, reader: u32) -> String {
    let root = format!("--label=com.formation.root={}", place.dir.path().join("home").display());
    let reader = format!("--label=com.formation.reader={reader}");
    docker(&["create", &root, "--label=com.dokku.app-name=shop", &reader, IMAGE, "true"])
}

fn of_the_dead(place: &Place) -> String {
    let mut reader = Command::new("true").spawn().expect("it runs");
    reader.wait().expect("it ends");
    made_by(place, reader.id())
}

fn is_there(id: &str) -> bool {
    !docker(&["ps", "-aq", "--filter", &format!("id={id}")]).is_empty()
}

#[test]
fn what_a_killed_reader_left_goes_with_the_next_one_with_a_retire_and_with_the_app_and_nobody_elses_does() {
    let (place, other) = (Place::new(), Place::new());
    let (ours, others) = (made_by(&place, std::process::id()), of_the_dead(&other));
    let read = || drop(place.docker.image_file(&shop(), IMAGE, "no/such/file").expect("reads"));
    let retire = || drop(place.docker.retire(None).expect("retires"));
    let remove = || {
        place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
        place.stop(Which::All, true).expect("removes");
    };
    let each: [&dyn Fn(); 3] = [&read, &retire, &remove];
    for next in each {
        let left = of_the_dead(&place);
        next();
        assert!(!is_there(&left) && is_there(&ours) && is_there(&others));
    }
    assert_eq!(place.names().len(), 1);
}
